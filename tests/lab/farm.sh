# shellcheck shell=bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Part of the lab: farms of simulated BMCs (tests/sim/README.md). Sourced by lab.sh.
#
# A farm is known by its name, "farm" when not given: log/NAME.log is its log of effects, log/NAME.err what it complains
# of. Its BMCs have the addresses from 127.1.0.1 on, and user LAB_BMC_USER with the password in LAB_BMC_PASSWORD_FILE,
# unless options say otherwise. lab_stop NAME ends it.

PM_FARM=${PM_FARM:-$LAB_ROOT/build/sim/bmcfarm}
LAB_FARM_PORT=
LAB_FARM_ANSWER_S=10 # for an answer to a control line

# lab_farm [--name NAME] [BMCFARM_OPTION...]: starts one and returns when it listens. LAB_FARM_PORT is its port unless
# --port says otherwise: 623, a free one on the host's network.
lab_farm() {
    local name=farm
    if [[ ${1:-} == --name ]]; then name=$2 && shift 2; fi
    [[ -x $PM_FARM ]] || lab_complain "$PM_FARM is missing: make $PM_FARM" || return 1
    lab_bmc_password
    [[ -e $LAB/etc/$name.users ]] ||
        lab_farm_users "$name" "$LAB_BMC_USER administrator $(cat "$LAB_BMC_PASSWORD_FILE")"
    LAB_FARM_PORT=${LAB_FARM_PORT:-$(lab_port 623)}
    rm -f "$LAB/run/$name".{in,out,listens}
    mkfifo "$LAB/run/$name.in" "$LAB/run/$name.out"
    # it holds both ends of both: nobody else has to keep them open
    setsid "$PM_FARM" --port "$LAB_FARM_PORT" --users "$LAB/etc/$name.users" --log "$LAB/log/$name.log" "$@" \
        <>"$LAB/run/$name.in" 1<>"$LAB/run/$name.out" 2>"$LAB/log/$name.err" &
    lab_record "$name" $!
    wait_until 10 lab_farm_begun "$name"
    lab_farm_listens "$name" || lab_complain "$name does not listen: $(cat "$LAB/log/$name.err")"
}

lab_farm_begun() { lab_farm_listens "$1" || lab_is_gone "$1"; }
lab_farm_listens() {
    local line
    [[ -e $LAB/run/$1.listens ]] && return 0
    # long: what was read of the line when the time is over is lost, and a busy machine takes a while
    read -r -t 2 line <>"$LAB/run/$1.out" && [[ $line == listening* ]] && printf '%s\n' "$line" >"$LAB/run/$1.listens"
}

# lab_farm_users NAME LINE...: as in --users, before lab_farm.
lab_farm_users() {
    local text
    printf -v text '%s\n' "${@:2}"
    lab_secret "$LAB/etc/$1.users" "${text%$'\n'}"
}

# farm [--name NAME] COMMAND...: a control line; prints what it answers, without the word ok. 1 with the reason on
# standard error when it is refused.
farm() {
    local name=farm
    if [[ ${1:-} == --name ]]; then name=$2 && shift 2; fi
    (
        flock 9
        printf '%s\n' "$*" >"$LAB/run/$name.in"
        lab_farm_answer "$name"
    ) 9>"$LAB/run/$name.lock"
}

lab_farm_answer() {
    local line
    while read -r -t "$LAB_FARM_ANSWER_S" line <>"$LAB/run/$1.out"; do
        case $line in
        ok) return 0 ;;
        "ok "*)
            printf '%s\n' "${line#ok }"
            return 0
            ;;
        "error: "*) lab_complain "$1: ${line#error: }" || return 1 ;;
        *) printf '%s\n' "$line" ;;
        esac
    done
    lab_complain "$1 does not answer"
}

# farm_total KEY [NAME]: a value of `totals`; commands that nobody asked for are 0.
farm_total() {
    local value
    value=$(farm --name "${2:-farm}" totals | tr ' ' '\n' | sed -n "s/^$1=//p")
    printf '%s' "${value:-0}"
}

# farm_stat BMC KEY [NAME]: a value of `stat`.
farm_stat() { farm --name "${3:-farm}" stat "$1" | tr ' ' '\n' | sed -n "s/^$2=//p"; }

# farm_log REGEX [NAME]; farm_count REGEX [NAME]: lines of the log of effects.
farm_log() { grep -E -- "$1" "$LAB/log/${2:-farm}.log"; }
farm_count() { grep -Ec -- "$1" "$LAB/log/${2:-farm}.log"; }
