#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# pmstackd is killed at each write to its journal while a stack three levels deep goes down, and started again; in between
# once more with what a loss of power would have left. Each guest was promised that it may shut down: each does, in the
# right order, whatever happens. Several labs do it side by side, each its share of the points.
# shellcheck disable=SC2119 # functions of the lab have optional arguments
# shellcheck disable=SC2086 # lists of words
set -u
# shellcheck source=tests/lab/lab.sh
. "$(dirname "$0")/../lab/lab.sh"
# shellcheck source=tests/integration/room.sh
. "$(dirname "$0")/room.sh"
# shellcheck source=tests/integration/jobs.sh
. "$(dirname "$0")/jobs.sh"

# ---- one of the labs: stack-kill.t lab FIRST STEP REPORT ----

#   bottom  carries db1, which carries middle; that carries app1, which carries top; that carries leaf1
VMS="bottom/db1 middle/app1 top/leaf1"
M=1
declare -A WHEN=([operation]=1 [commit]=2 [sync]=3)
complain() { printf 'FAIL\t%s\t%s\n' "$context" "$*" >>"$report"; }
count() { printf 'COUNT\t%s\n' "$1" >>"$report"; }

room() {
    lab_libvirtd bottom && lab_vm bottom db1 --delay 0.3 --start &&
        lab_nested_libvirtd bottom db1 middle 0 && lab_vm middle app1 --delay 0.3 --autostart &&
        lab_nested_libvirtd middle app1 top 0 && lab_vm top leaf1 --delay 0.3 --autostart
} >/dev/null

conf() {
    cat <<END
agent { poll-interval = 1s }
machine "m1" {
  vm-timeout = 20s
  stack { uri = "$(libvirt_uri bottom)"  guest "db1" { uri = "$(libvirt_uri middle)"  guest "app1" { uri = "$(libvirt_uri top)" } } }
}
END
}

# A program that is built with AddressSanitizer wants its library first.
preload_first() { ldd "$1" | awk '/libasan/ { print $3 ":" }'; }

# The journal is on a disk that is never waited for.
begin_agent() {
    lab_spawn pmstackd setpriv --reuid "$LAB_AGENT_USER" --regid "$(id -g "$LAB_AGENT_USER")" --clear-groups \
        --inh-caps=-all --bounding-set=-all env LD_PRELOAD="$(preload_first "$program")$LAB/run/killer.so" \
        KILLER_DATABASE="$state/state.db" KILLER_CONTROL="$state/killer" \
        "$program" -c "$LAB/etc/pmstackd.conf" -x "$LAB_AGENTX" -s "$state" -L err -v
}

# arm [WHEN AT]: as in killer.c; the process that runs dies at this point.
arm() {
    local when=0
    [[ -z ${1:-} ]] || when=${WHEN[$1]}
    # in place: it is mapped. To disarm, the first number alone.
    if ((when)); then
        perl -e 'print pack "L8", @ARGV' "$when" "$2" 0 0 0 0 0 0 1<>"$state/killer"
    else
        perl -e 'print pack "L", 0' 1<>"$state/killer"
    fi
}
# The last one that was killed stays in the file until the next point.
was_killed() { [[ $(od -An -j28 -N4 -tu4 "$state/killer") -ne 0 ]]; }

# What is sure to be there after a loss of power. SQLite makes state.db-shm anew.
lose_power() {
    local file
    for file in "$state/state.db" "$state/state.db-wal"; do
        rm -f "$file"
        [[ ! -e $file.synced ]] || cp -p "$file.synced" "$file"
    done
    rm -f "$state/state.db-shm"
    chown -R "$LAB_AGENT_USER" "$state"
}

everything_runs() { vm_up top leaf1 && vm_up middle app1 && vm_up bottom db1; }
all_known() { [[ $(snmp_as reader walk -OvU "pmVmState.$M" 2>/dev/null | paste -sd' ') == "running running running" ]]; }
all_shutdown() { [[ $(snmp_as reader walk -OvU "pmVmState.$M" 2>/dev/null | paste -sd' ') == "shutdown shutdown shutdown" ]]; }
served_or_gone() { lab_is_gone pmstackd || lab_agent_serves; }

# Guests start with their hypervisor; on a busy host one may have come before it knew them.
start_guest() {
    wait_until 60 libvirt_answers "$1" || return
    wait_until 5 vm_up "$1" "$2" || libvirt "$1" start "$2"
}

prepare() {
    [[ $(vm_state bottom db1) == running ]] || libvirt bottom start db1 >/dev/null
    start_guest middle app1 && start_guest top leaf1
    wait_until 60 everything_runs || {
        complain "the stack does not come up"
        tail -n 20 "$LAB"/hv/*/log/{libvirtd.log,qemu/*.log} "$LAB"/log/hv-*.log
    }
    lab_is_running pmstackd || begin_agent
    wait_until 60 all_known || complain "it is not known: $(snmp_as reader walk "pmVmState.$M" | paste -sd' ')"
    console_mark
    trap_mark
}

# ask: as a manager does, who asks again when there was no answer and the job is not there. 1: it is killed.
ask() {
    local answer LAB_SNMP_OPTIONS=(-t 3 -r 0)
    wait_until 30 served_or_gone
    lab_is_running pmstackd || return
    job_exists "$row" && return
    answer=$(job_set operator "$row" RowStatus=createAndGo Action=shutdown) && accepted=yes && return
    wait_until 1 lab_is_gone pmstackd && return
    complain "it is refused: $answer"
}

# done_or_gone: the job has ended, and all of it is told, or it was killed.
done_or_gone() { lab_is_gone pmstackd || { job_ended "$row" && all_shutdown && trap_seen "pmJob.*pmNotifyJobName.0 = ${row##*/}"; }; }

# go_down: 1 when it is killed while the stack goes down.
go_down() {
    ask
    wait_until 30 done_or_gone || complain "it does not end: $(job_get "$row" State ResultText) $(snmp_as reader walk "pmVmState.$M" | paste -sd' ')"
    arm
    lab_is_running pmstackd
}

# run WHEN AT LOSS: 1 when the point was not reached.
run() {
    local accepted=''
    row=1/kill/$1-$2${3:+-$3}
    context="killed at $1 $2${3:+, power lost}"
    note "$context"
    prepare
    arm "$1" "$2"
    if go_down; then
        check
        return 1
    fi
    was_killed || complain "it ended by itself"
    lab_forget pmstackd
    count kills
    [[ -z $3 ]] || lose_power
    begin_agent
    wait_until 30 lab_agent_serves || complain "it does not begin again"
    [[ -z $accepted ]] || job_exists "$row" || complain "the job was accepted, and is not there"
    go_down || complain "it was not to be killed a second time"
    check
}

check() {
    local vm told
    [[ $(job_get "$row" State Result) =~ ^succeeded\ (ok|alreadyInState)$ ]] || complain "the job: $(job_get "$row" State Result ResultText)"
    for vm in $VMS; do
        wait_until 10 vm_down "${vm%/*}" "${vm#*/}"
        [[ $(vm_events "${vm%/*}" "${vm#*/}") =~ ^(button,)+off,gone$ ]] || complain "$vm: $(vm_events "${vm%/*}" "${vm#*/}")"
    done
    [[ $(vm_order gone) == "top/leaf1 middle/app1 bottom/db1" ]] || complain "they went so: $(vm_order gone)"
    [[ $(vm_order button | tr ' ' '\n' | uniq | paste -sd' ') == "top/leaf1 middle/app1 bottom/db1" ]] || complain "they were asked so: $(vm_order button)"
    trap_seen "pmJobFinished.*pmNotifyJobName.0 = ${row##*/}" || complain "its end is not told"
    told=$(trap_lines | grep -E "pmJob(Finished|Failed).*pmNotifyJobName.0 = ${row##*/}" | sed 's/.*pmNotifyEventIndex.0 = //' | sort -u | wc -l)
    [[ $told == 1 ]] || complain "its end is told as $told events"
}

# every WHEN LOSS FIRST STEP [LAST]: at its points, up to LAST, or until one is not reached. That run tells how many of
# them there are, $reached, and how many $operations.
every() {
    local at=$3
    while ((at <= ${5:-at})) && run "$1" "$at" "$2" && (($(grep -c ^FAIL "$report") < 10)); do at=$((at + $4)); done
    [[ -n ${5:-} ]] || reached=$(passed "$1")
    [[ -n ${5:-} ]] || operations=$(passed operation)
    printf 'REACHED\t%s%s\t%d\n' "$1" "${2:+, power lost}" "${5:-$reached}" >>"$report"
}
# passed WHEN: how often it came to such a point since it was armed.
passed() { od -An -j$((8 + 4 * WHEN[$1])) -N4 -tu4 "$state/killer" | tr -d ' '; }

one_lab() {
    local first=$1 step=$2 reached operations
    report=$3
    : >"$report"
    context=begin
    state=$LAB/state/pmstackd
    { lab_snmptrapd && lab_snmpd && room; } || bail_out "no room"
    conf | lab_agent_conf
    lab_agent_state pmstackd "$LAB_AGENT_USER"
    mount -t tmpfs -o "mode=700,uid=$LAB_AGENT_USER" tmpfs "$state" || bail_out "no tmpfs"
    head -c 32 /dev/zero >"$state/killer" && chmod 666 "$state/killer"
    program=$(lab_agent_program "$LAB_AGENT_USER")
    # the file is made under another name, of which the killer knows nothing
    { lab_agent && lab_agent_stop; } || bail_out "no journal"
    install -m 755 "$(lab_program killer.so)" "$LAB/run/killer.so" && chmod 755 "$LAB/run"
    every commit '' "$first" "$step"
    every commit lost "$first" "$((step * 2))" "$reached"
    every operation '' "$first" "$((step * OPERATIONS))" "$operations"
    lab_is_gone pmstackd || lab_stop pmstackd || complain "it does not end"
    umount -l "$state"
    printf 'END\n' >>"$report"
}

# Each commit is a point; of the single writes in it, that leave the journal as it was before, each of so many.
OPERATIONS=${STACK_KILL_OPERATIONS:-12}

if [[ ${1:-} == lab ]]; then
    lab_begin "$@"
    one_lab "${@:2}"
    exit
fi

# ---- all of them ----

labs=${STACK_KILL_LABS:-4}
step=${STACK_KILL_STEP:-$labs}
[[ -z $(preload_first "$PMSTACKD") ]] || step=$((labs * 3))
reports=$(mktemp -d)
trap 'rm -rf "$reports"' EXIT
for ((i = 1; i <= labs; i++)); do
    bash "$0" lab "$i" "$step" "$reports/$i" >"$reports/$i.log" 2>&1 &
    pids[i]=$!
done
for ((i = 1; i <= labs; i++)); do
    wait "${pids[i]}" && grep -q '^END' "$reports/$i" || fail "lab $i comes to its end" || diag "$(tail -n 60 "$reports/$i.log")"
done
complaints=$(cat "$reports"/*[0-9] | sed -n 's/^FAIL\t//p')
is "$complaints" "" "killed at any point: each guest has shut down by itself, in order, and the tables say so" ||
    diag "$(grep -l '^FAIL' "$reports"/*[0-9] | sed 's/$/.log/' | xargs -r tail -n 60)"
kills=$(cat "$reports"/*[0-9] | grep -c '^COUNT.kills')
ok $((kills < labs)) "it was killed"
note "killed $kills times"
note "$(cat "$reports"/*[0-9] | awk -F'\t' '/^REACHED/ && (!least[$2] || $3 < least[$2]) { least[$2] = $3 } END { for (what in least) print "points of " what ": at least " least[what] - 1 }')"
done_testing
