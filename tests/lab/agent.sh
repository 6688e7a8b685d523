# shellcheck shell=bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Part of the lab: pmstackd, by default as an ordinary user whose only capability is CAP_NET_RAW. Sourced by lab.sh.
#
# PMSTACKD is the program (build/pmstackd). Several agents are told apart by name, "pmstackd" when not given:
# etc/NAME.conf, state/NAME, log/NAME.log.

PMSTACKD=${PMSTACKD:-$LAB_ROOT/build/pmstackd}
LAB_AGENT_USER=nobody

# lab_agent_conf [NAME]: the configuration, from standard input. Master and state directory need not be in it.
lab_agent_conf() {
    local file=$LAB/etc/${1:-pmstackd}.conf
    (umask 077 && cat >"$file") && chown "$LAB_AGENT_USER" "$file"
}

# lab_agent_secret NAME TEXT: a secret file of the agent; prints its path.
lab_agent_secret() {
    lab_secret "$LAB/etc/$1" "$2" "$LAB_AGENT_USER" && printf '%s' "$LAB/etc/$1"
}

# lab_agent [--name NAME] [--user USER] [--no-cap] [--no-wait] [--segment SEGMENT] [PMSTACKD_OPTION...]
# Starts pmstackd and returns when the master serves its rows. --no-cap: without CAP_NET_RAW; --user root: with all
# capabilities; --segment: on the host of that segment; --no-wait: returns at once.
lab_agent() {
    local name=pmstackd user=$LAB_AGENT_USER cap=+net_raw wait=yes segment='' command=()
    while (($#)); do
        case $1 in
        --name) name=$2 && shift ;;
        --user) user=$2 && shift ;;
        --segment) segment=$2 && shift ;;
        --no-cap) cap=-all ;;
        --no-wait) wait= ;;
        *) break ;;
        esac
        shift
    done
    lab_agent_state "$name" "$user"
    [[ -z $segment ]] || command=(nsenter --net="/run/netns/$(<"$LAB/segment/$segment/netns")")
    [[ $user == root ]] || command+=(setpriv --reuid "$user" --regid "$(id -g "$user")" --clear-groups
        --inh-caps "-all,$cap" --ambient-caps "-all,$cap" --bounding-set "-all,$cap" --no-new-privs)
    lab_spawn "$name" "${command[@]}" "$(lab_agent_program "$user")" -c "$LAB/etc/$name.conf" -x "$LAB_AGENTX" \
        -s "$LAB/state/$name" -L err "$@"
    [[ -z $wait ]] || lab_agent_wait "$name"
}

lab_agent_state() {
    install -d -m 700 "$LAB/state/$1"
    chown -R "$2" "$LAB/state/$1"
    [[ ! -e $LAB/etc/$1.conf ]] || chown "$2" "$LAB/etc/$1.conf"
    chmod 711 "$LAB/state"
}

# The repository may be below a home directory that the agent's user cannot enter: then it gets a copy.
lab_agent_program() {
    if ! setpriv --reuid "$1" --clear-groups test -x "$PMSTACKD"; then
        cp --remove-destination "$PMSTACKD" "$LAB/run/pmstackd.copy" && chmod 755 "$LAB/run" "$LAB/run/pmstackd.copy"
        printf '%s' "$LAB/run/pmstackd.copy"
    else
        printf '%s' "$PMSTACKD"
    fi
}

# lab_agent_wait [NAME]: until rows are served; 1 as soon as the agent has ended.
lab_agent_wait() {
    wait_until 15 lab_agent_started "${1:-pmstackd}"
    if lab_is_gone "${1:-pmstackd}"; then
        lab_complain "${1:-pmstackd} has ended: $(tail -n 3 "$LAB/log/${1:-pmstackd}.log")"
    else
        lab_agent_serves || lab_complain "${1:-pmstackd} serves no rows"
    fi
}

lab_agent_started() { lab_is_gone "$1" || lab_agent_serves; }

# A row of pmAgentTable is there.
lab_agent_serves() {
    # shellcheck disable=SC2034 # snmp_as uses it
    local LAB_SNMP_OPTIONS=(-t 0.5 -r 0 -On)
    [[ $(snmp_as reader getnext "$PM_ROOT_OID.1.1.1.2" 2>/dev/null) == "$PM_ROOT_OID.1.1.1.2."* ]]
}

lab_agent_stop() { lab_stop "${1:-pmstackd}"; }
lab_agent_kill() { lab_kill "${1:-pmstackd}"; }
lab_agent_reload() { lab_signal "${1:-pmstackd}" HUP; }
# lab_agent_logged REGEX [NAME]: for wait_until.
lab_agent_logged() { lab_log_has "${2:-pmstackd}" "$1"; }
