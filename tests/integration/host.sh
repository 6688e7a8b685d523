# shellcheck shell=bash
# SPDX-License-Identifier: GPL-3.0-or-later
# For tests of the driver of hosts alone: real sshds, each on an address of its own, 127.0.1.N, with the key that host_client
# has, and something as the forced command. Sourced after lab.sh.
#
#   hosts_begin; host_sshd 1 "COMMAND" "SSHD-OPTION"...; host_start CLIENT OPTION... HOST...; host_mode 1 hang

# shellcheck source=tests/integration/hypervisor.sh
. "$(dirname "${BASH_SOURCE[0]}")/hypervisor.sh"
# shellcheck disable=SC2034 # for hypervisor.sh
CLIENT_PROGRAM=host_client
PMSTACK_HOST=${PMSTACK_HOST:-$LAB_ROOT/build/pmstack-host}
HOSTS=
HOST_BOOT=11111111-2222-3333-4444-555555555555

# Keys, a directory for each thing, and the answers that are told by host_mode.
hosts_begin() {
    lab_need sshd ssh ssh-keygen socat
    HOSTS=$LAB/ssh
    mkdir -p "$HOSTS/bin" /run/sshd
    chmod 711 "$HOSTS"
    # root's own shell and what it reads at its start stay out of this
    mkdir -p "$LAB/home"
    sed "s|^root:.*|root:x:0:0:root:$LAB/home:/bin/sh|" /etc/passwd >"$LAB/etc/passwd"
    mount --bind "$LAB/etc/passwd" /etc/passwd || bail_out "no passwd file"
    ssh-keygen -q -t ed25519 -N '' -C '' -f "$HOSTS/host_key"
    ssh-keygen -q -t ed25519 -N '' -C agent -f "$HOSTS/id"
    : >"$HOSTS/known_hosts"
    hosts_helper >"$HOSTS/bin/helper"
    chmod 755 "$HOSTS/bin/helper"
}

# host_address N
host_address() { printf '127.0.1.%d' "$1"; }

# host_known N [KEYFILE.pub]: its key, or that one, is the known one.
host_known() {
    printf '%s %s\n' "$(host_address "$1")" "$(cut -d' ' -f1,2 "${2:-$HOSTS/host_key.pub}")" >>"$HOSTS/known_hosts"
}

# host_sshd N [COMMAND [SSHD-OPTION...]]: COMMAND: what is forced, by default the helper that host_mode tells what to do;
# "" : nothing is.
host_sshd() {
    host_sshd_config "$@"
    host_sshd_start "$1"
}

host_sshd_config() {
    local number=$1 command=${2-$HOSTS/bin/helper $1} dir=$HOSTS/$1
    shift $(($# > 1 ? 2 : 1))
    mkdir -p "$dir"
    printf '%s%s\n' "${command:+restrict,command=\"$command\" }" "$(<"$HOSTS/id.pub")" >"$dir/authorized_keys"
    [[ -e $dir/mode ]] || echo good >"$dir/mode"
    printf '%s\n' "ListenAddress $(host_address "$number")" "$@" "HostKey $HOSTS/host_key" 'UsePAM no' 'StrictModes no' \
        "AuthorizedKeysFile $dir/authorized_keys" 'PidFile none' 'MaxStartups 100' 'LogLevel VERBOSE' >"$dir/sshd_config"
}

host_sshd_start() {
    lab_spawn "sshd-$1" "${HOST_NET[@]}" "$(command -v sshd)" -D -e -f "$HOSTS/$1/sshd_config"
    wait_until 5 lab_log_has "sshd-$1" 'Server listening' || bail_out "sshd $1 does not start"
}
HOST_NET=()

# host_mode N MODE: what its helper does from now on.
host_mode() { echo "$2" >"$HOSTS/$1/mode"; }

# host_logins N: how many there were.
host_logins() { grep -c 'Accepted publickey' "$LAB/log/sshd-$1.log"; }

# host_asked N: the requests that its helper got.
host_asked() { cat "$HOSTS/$1/asked" 2>/dev/null; }

# host_start CLIENT OPTION... HOST...
host_start() {
    local name=$1
    shift
    client_start "$name" -i "$HOSTS/id" -k "$HOSTS/known_hosts" "$@"
}

# shellcheck disable=SC2119,SC2120 # in some of the tests
# host_masters [DIRECTORY]: processes that hold shared connections open.
host_masters() { pgrep -f "^ssh: ${1:-$LAB/run/c}/" | wc -l; }
# shellcheck disable=SC2119
host_has_masters() { [[ $(host_masters) == "$1" ]]; }

# host_children: the processes of the client.
host_children() { pgrep -P "$CLIENT_PID" | wc -l; }
host_has_children() { [[ $(host_children) == "$1" ]]; }

# The helper: a script that answers as the mode says.
hosts_helper() {
    cat <<END
#!/bin/bash
dir=$HOSTS/\$1
head='"protocol":1,"version":"0.4.0","boot-id":"$HOST_BOOT"'
END
    cat <<'END'
echo "$SSH_ORIGINAL_COMMAND" >>"$dir/asked"
set -- $SSH_ORIGINAL_COMMAND
[[ $3 == -b ]] && set -- "$1" "$2" "$5"
verb=$3
answer() { printf '{%s,"verb":"%s","result":"%s","text":"%s"%s}\n' "$head" "$verb" "$1" "$2" "$3"; }
report() {
    answer ok 'pmstack-host 0.4.0' ',"uuid":"4C4C4544-0042-3010-8052-B4C04F4E4D31","uptime":'"${1:-77}"',"can":{"suspend":true,
"hibernate":false},"interfaces":[{"name":"eth0","mac":"52:54:00:00:00:01","permanent-mac":"52:54:00:00:00:02",
"physical":true,"state":"armed"}]' | tr -d '\n'
    echo
}
# The connection breaks: all that there is between here and sshd's listener.
cut_off() {
    local pid=$PPID parents=
    while [[ $(</proc/$pid/comm) == @(sshd|bash|sh|dash) ]]; do
        parents="$pid $parents"
        pid=$(awk '/^PPid/ { print $2 }' /proc/$pid/status)
        [[ $(tr '\0' ' ' </proc/$pid/cmdline) == *listener* ]] && break
    done
    kill -9 $parents
}
case $(<"$dir/mode") in
good)
    case $verb in
    report) report ;;
    arm-wol) answer ok armed ',"ports":[{"name":"eth0","mac":"52:54:00:00:00:01","state":"armed"}]' ;;
    *) answer going "by the script" && sleep 0.3 && answer ok "it has slept" ;;
    esac
    ;;
going) answer going "it goes" ;;
going-hang) answer going "it goes" && exec sleep 60 ;;
going-cut) answer going "it goes" && cut_off ;;
going-failed) answer going "it goes" && sleep 0.2 && answer failed "poweroff ended with status 1" ;;
going-partly) answer going "it goes" && printf '{"protocol":1,' && cut_off ;;
cut) cut_off ;;
cut-partly) printf '{"protocol":1,' && cut_off ;;
hang) exec sleep 60 ;;
deaf) trap '' TERM HUP PIPE && sleep 60 ;;
answer-hang) report && exec sleep 60 ;;
refused | notSupported | otherBoot | noPermission | failed | usage) answer "$(<"$dir/mode")" "because of $(<"$dir/mode")" ;;
old) echo '{"protocol":0,"version":"0.1","verb":"report","result":"ok"}' ;;
unknown-verb) verb= && answer usage "there is no verb \\\"$3\\\"" ;;
words) echo 'Hello there' ;;
nothing) ;;
status) exit 42 ;;
nologin) echo 'This account is currently not available.' && exit 1 ;;
binary) head -c 3000 /dev/urandom ;;
huge) head -c 300000 /dev/zero | tr '\0' x ;;
huge-json) printf '{"a":"' && head -c 300000 /dev/zero | tr '\0' x && echo '"}' ;;
endless) exec yes ;;
endless-noise) exec yes >&2 ;;
types) echo '{"protocol":1,"version":7,"verb":"report","result":"ok","text":[],"boot-id":{}}' ;;
deep) head -c 60000 /dev/zero | tr '\0' '[' | sed 's/^/{"a":/' && echo ;;
motd) printf 'Welcome to the lab!\r\n*** Sunday: maintenance ***\n' && report && echo goodbye ;;
noise) echo 'debug1: Sending command: nothing' >&2 && echo 'x: Connection refused' >&2 && report ;;
noise-cut) echo 'nobody@nowhere: Permission denied (publickey).' >&2 && cut_off ;;
not-found) exec /nonexistent/pmstack-host ;;
esac
END
}
