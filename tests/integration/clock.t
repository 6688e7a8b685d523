#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Somebody sets the host's clock, an hour on and an hour back, while jobs wait, run and are kept, and while the agent is
# stopped: nothing begins or ends early, hangs or vanishes; the times that are told follow the clock. The agent alone is
# shown another clock, by libfaketime.
# shellcheck disable=SC2119 # functions of the lab have optional arguments
set -u
# shellcheck source=tests/lab/lab.sh
. "$(dirname "$0")/../lab/lab.sh"
# shellcheck source=tests/integration/room.sh
. "$(dirname "$0")/room.sh"
# shellcheck source=tests/integration/jobs.sh
. "$(dirname "$0")/jobs.sh"
# shellcheck source=tests/integration/journal.sh
. "$(dirname "$0")/journal.sh"
lab_begin "$@"
lab_need sqlite3 faketime

# ---- a clock of the agent's own ----

library=$(find /usr/lib -name libfaketimeMT.so.1 | head -n 1)
[[ -n $library ]] || bail_out "libfaketime is not installed: make deps"
real_agent=$(lab_agent_program "$LAB_AGENT_USER")
sanitizer=$(ldd "$real_agent" | awk '/libasan/ { print $3 }') # has to be loaded first
mount -t tmpfs -o mode=1777 tmpfs /dev/shm || bail_out "no /dev/shm" # libfaketime leaves files there when it is killed
cat >"$LAB/run/with-clock" <<END
#!/bin/sh
LD_PRELOAD=${sanitizer:+$sanitizer:}$library FAKETIME_TIMESTAMP_FILE=$LAB/run/clock FAKETIME_NO_CACHE=1 \\
    FAKETIME_DONT_FAKE_MONOTONIC=1 exec $real_agent "\$@"
END
chmod 755 "$LAB/run" "$LAB/run/with-clock"
PMSTACKD=$LAB/run/with-clock

# set_clock SECONDS: from now on the agent's clock is so much ahead of the true one.
offset_s=0
set_clock() {
    offset_s=$1
    printf '%+d\n' "$1" >"$LAB/run/clock.new"
    mv "$LAB/run/clock.new" "$LAB/run/clock"
}
set_clock 0

# seconds_of DATE-AND-TIME: since 1970.
seconds_of() {
    local date=${1%%,*} rest=${1#*,}
    date -u -d "$date ${rest%%.*} ${rest##*,}" +%s 2>/dev/null
}
# follows OID FROM_MS TO_MS NAME: an object that tells when something happened, by the agent's clock. By the true one that
# was between these two, and in whole seconds.
follows() {
    local told at_s
    told=$(value "$1")
    at_s=$(($(seconds_of "$told") - offset_s))
    ((at_s >= $2 / 1000 - 1 && at_s <= $3 / 1000 + 1))
    ok $? "$4" || diag "$1 is $told; by the true clock that is $at_s, and it was between $2 and $3"
}
# lies FROM_MS LEAST_MS AT_MS TO_MS MOST_MS NAME: that AT is at least so long after FROM, and at most so long after TO.
lies() {
    ok $(($3 - $1 < $2 || $3 - $4 > $5)) "$6 (after $(($3 - $1)) ms)" || diag "from $1 to $4, and then at $3"
}

# What is measured is measured by the farm's log, or between two looks: however long this script takes for its own.
# power_ups: the BMCs that were told to switch on, with the true time in ms, in order.
power_ups() { farm_log 'chassis-control=power-up' | sed -E 's/^([0-9]+)\.([0-9]{3})[0-9]* bmc=([0-9]+) .*/\3 \1\2/'; }
last_power_up() { power_ups | awk -v bmc="$1" '$1 == bmc { at = $2 } END { print at ? at : 0 }'; }
# came_up BMC: when it was on, the last time.
came_up() { farm_log "bmc=$1 power-change=power-up" | tail -n 1 | sed -E 's/^([0-9]+)\.([0-9]{3}).*/\1\2/'; }

# short_row ROW RETAIN_S NAME: a job has ended, and its row stays for so long. Somebody looks for it all the while.
short_row() {
    row_begins_ms=$(tap_now_ms)
    rm -f "$LAB/run/row-gone"
    go "$1" identify Retain="$2"
    ends "$1" succeeded ok "$3"
    row_ends_ms=$(tap_now_ms)
    look_for_row "$1" &
}
look_for_row() {
    local at_ms state seen_ms=0
    while [[ ${state:-} != "No Such Instance"* ]]; do
        at_ms=$(tap_now_ms)
        state=$(job_get "$1" State)
        [[ -z $state || $state == "No Such"* ]] || seen_ms=$at_ms # no such object: there is no agent
        sleep 0.1
    done
    printf '%s %s\n' "$seen_ms" "$(tap_now_ms)" >"$LAB/run/row-gone.new"
    mv "$LAB/run/row-gone.new" "$LAB/run/row-gone"
}
# row_goes LEAST_S MOST_S NAME: after its end.
row_goes() {
    local seen_ms=0 gone_ms=0
    wait_until "$WAIT_S" test -e "$LAB/run/row-gone" && read -r seen_ms gone_ms <"$LAB/run/row-gone"
    ((gone_ms - row_begins_ms >= $1 * 1000 && seen_ms - row_ends_ms <= $2 * 1000))
    ok $? "$3" || diag "it ended between $row_begins_ms and $row_ends_ms, was seen until $seen_ms, and not at $gone_ms"
}
has_begun() { [[ $(job_get "$1" State) =~ ^(verifying|succeeded)$ ]]; }
# begins ROW BMC FROM_MS TO_MS SECONDS WORDS: a powerOn that was accepted between these two has waited for so long.
begins() {
    local at_ms
    wait_until "$WAIT_S" has_begun "$1"
    ok $? "$6: what waited begins" || diag "$(job_get "$1" State)"
    at_ms=$(last_power_up "$2")
    lies "$3" $(($5 * 1000)) "$at_ms" "$4" $(($5 * 1000 + 3000)) "$6: when its delay is over"
    follows "pmJobStartTime.$(job_index "$1")" "$((at_ms - 2000))" "$at_ms" "$6: its start is told by the clock"
    ends "$1" succeeded ok "$6: and it succeeds"
    at_ms=$(came_up "$2")
    follows "pmJobEndTime.$(job_index "$1")" "$at_ms" "$((at_ms + 4000))" "$6: its end is told by the clock"
}

# ---- given: BMCs that take their time ----

{ lab_snmptrapd && lab_snmpd; } || bail_out "no master agent"
lab_farm --count 12 || bail_out "no farm"
lab_agent_conf <<END
agent { name = "room"  poll-interval = 1s }
credentials "lab" { username = "$LAB_BMC_USER"  password-file = "$LAB_BMC_PASSWORD_FILE" }
machine "web[01-12]" { bmc { address = "127.1.0.[1-12]"  port = $LAB_FARM_PORT  credentials = "lab"  timeout = 2s } }
group "rack" { members = { "web[09-12]" }  stagger = 1s }
END
lab_agent -v || bail_out "no agent"
known() { value_is pmAgentMachinesOff.1 12; }
wait_until "$WAIT_S" known
ok $? "twelve machines are off"
told pmAgentStarted "the agent has started"
db() { sqlite3 "$LAB/state/pmstackd/state.db" "$1"; }

# jump SECONDS WORDS: what must hold whichever way the clock is set.
jump() {
    local to=$1 words=$2 n from_ms to_ms first remaining
    # given: one job that waits, one that runs, one that has ended and stays, one that goes soon, a draft, a group
    farm 'bmc 1 set on-time=1500' >/dev/null
    farm 'bmc 2 set on-time=8000' >/dev/null
    go 3/op/kept identify
    short_row 4/op/short 4 "$words: a job has ended, its row stays for four seconds"
    accepted "$words: a draft" operator 5/op/draft RowStatus=createAndWait Action=powerOn
    go 6/op/far powerOn Delay=600
    go 2/op/running powerOn Timeout=20
    stands 2/op/running verifying "$words: one runs"
    first=$(power_ups | wc -l)
    put 'pmGroupCommand."rack"' powerOn >/dev/null || fail "$words: a group"
    from_ms=$(tap_now_ms)
    go 1/op/delayed powerOn Delay=4
    to_ms=$(tap_now_ms)

    set_clock "$to"
    is "$(job_get 1/op/delayed State)" scheduled "$words: the job that waits goes on waiting"
    remaining=$(job_get 1/op/delayed Remaining)
    ((remaining >= 1 && remaining <= 4))
    ok $? "$words: and counts down as before" || diag "$remaining s"
    is "$(job_get 2/op/running State)" verifying "$words: the one that runs goes on"
    remaining=$(job_get 2/op/running Remaining)
    ((remaining >= 8 && remaining <= 20))
    ok $? "$words: its timeout is as far away as before" || diag "$remaining s"
    remaining=$(job_get 6/op/far Remaining)
    ((remaining >= 580 && remaining <= 600))
    ok $? "$words: so is what is to begin in ten minutes" || diag "$remaining s"
    value_is pmAgentMachinesUnknown.1 0
    ok $? "$words: no machine is taken for unknown"
    n=$(tap_now_ms)
    put pmMachineInhibit.7 true >/dev/null
    follows "pmEventTime.7.$(snmp_as reader walk -On pmEventText.7 | tail -n 1 | sed -E 's/.*\.([0-9]+) .*/\1/')" "$n" "$(tap_now_ms)" \
        "$words: the time of an event follows the clock"
    put pmMachineInhibit.7 false >/dev/null
    begins 1/op/delayed 1 "$from_ms" "$to_ms" 4 "$words"
    ends 2/op/running succeeded ok "$words: what ran succeeds"
    row_goes 4 7 "$words: a row goes when its time is over"
    job_exists 3/op/kept && job_exists 5/op/draft
    ok $? "$words: the others stay"
    is "$(job_get 6/op/far State)" scheduled "$words: and what is to begin later waits"
    job_set operator 6/op/far AdminStatus=disabled >/dev/null
    group_is_on() { [[ $(power_ups | tail -n +$((first + 1)) | awk '$1 >= 9' | wc -l) == 4 ]]; }
    wait_until "$WAIT_S" group_is_on
    ok $? "$words: the group is switched on"
    is "$(power_ups | tail -n +$((first + 1)) | awk '$1 >= 9 { if (last && ($2 - last < 400 || $2 - last > 3500)) print $2 - last; last = $2 }')" "" \
        "$words: one after the other, as far apart as ever"
    wait_jobs
    told "pmGroupFinished" "$words: the end of the group's command is told"
    agrees "$words: the journal has what the tables tell"
    # as before, for the next
    for n in 1 2 9 10 11 12; do farm "bmc $n power off" >/dev/null; done
    farm 'bmc 2 set on-time=0' >/dev/null
    for n in 1/op/delayed 2/op/running 3/op/kept 5/op/draft 6/op/far; do job_set operator "$n" RowStatus=destroy >/dev/null; done
    wait_until "$WAIT_S" known
    trap_mark
}
trap_mark
jump 3600 "an hour on"
jump 0 "an hour back"
jump -3600 "an hour back again"
is "$(lab_pid pmstackd >/dev/null && echo lives)" lives "the agent lives"

# ---- set while the agent is not there ----

# away SECONDS stop|kill WORDS: the clock is set so between two runs of the agent.
away() {
    local to=$1 words=$3 from_ms to_ms remaining row
    go 3/op/kept identify
    short_row 4/op/short 9 "$words: a job has ended, its row stays for nine seconds"
    accepted "$words: a draft" operator 5/op/draft RowStatus=createAndWait Action=powerOn
    farm 'bmc 2 set on-time=5000' >/dev/null
    go 6/op/far powerOn Delay=600
    go 2/op/running powerOn Timeout=30
    stands 2/op/running verifying "$words: one runs"
    from_ms=$(tap_now_ms)
    go 1/op/delayed powerOn Delay=6
    to_ms=$(tap_now_ms)
    "lab_agent_$2"
    set_clock "$to"
    lab_agent -v || bail_out "no agent"
    is "$(job_get 1/op/delayed State) $(job_get 6/op/far State)" "scheduled scheduled" "$words: what waited goes on waiting"
    remaining=$(job_get 6/op/far Remaining)
    ((remaining >= 580 && remaining <= 600))
    ok $? "$words: no longer than before" || diag "$remaining s"
    job_exists 4/op/short && job_exists 3/op/kept && job_exists 5/op/draft
    ok $? "$words: the rows are there"
    begins 1/op/delayed 1 "$from_ms" "$to_ms" 6 "$words"
    ends 2/op/running succeeded ok "$words: what ran succeeds"
    row_goes 9 12 "$words: a row goes when its time is over"
    job_exists 3/op/kept && job_exists 5/op/draft
    ok $? "$words: the others stay"
    for row in 1/op/delayed 2/op/running 3/op/kept 5/op/draft 6/op/far; do job_set operator "$row" RowStatus=destroy >/dev/null; done
    wait_jobs
    agrees "$words: the journal has what the tables tell"
    for row in 1 2; do farm "bmc $row power off" >/dev/null; done
    wait_until "$WAIT_S" known
}
away 0 stop "stopped, and an hour on"
away 3600 kill "killed, and another hour on"
away -3600 stop "stopped, and two hours back"

# ---- what was told is in order ----

is "$(db 'select machine from event group by machine having count(*) <> max(id) - min(id) + 1')" "" "no event is missing"
is "$(grep '^NOTIFICATION' "$LAB/log/snmptrapd.log" |
    sed -nE 's/.*pmMachineName\.([0-9]+) = .*pmNotifyEventIndex\.0 = ([0-9]+).*/\1 \2/p' |
    awk '!told[$1, $2]++ { if ($2 < last[$1]) print "machine", $1, "event", $2, "after", last[$1]; last[$1] = $2 }')" "" \
    "the notifications came in the order of the events" # those just before the kill perhaps twice
is "$(value pmAgentNotifyDropped.1)" 0 "none was dropped"
lab_agent_stop
is "$LAB_STATUS" 0 "the agent ends well"
done_testing
