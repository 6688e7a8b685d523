#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# New configurations while jobs wait, run and are kept: of a machine that goes its job is aborted and its rows are kept, to
# come back with it; what stays is not disturbed, by a bad file least of all; a group's command ends once, whatever becomes
# of the group.
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
lab_need sqlite3
shopt -s lastpipe # "… | reload" is this shell

# ---- given: a hundred and thirty BMCs ----

{ lab_snmptrapd && lab_snmpd; } || bail_out "no master agent"
lab_farm --count 130 || bail_out "no farm"
head_of() {
    cat <<END
agent { name = "room"  poll-interval = ${poll_interval:-1s} }
credentials "lab" { username = "$LAB_BMC_USER"  password-file = "$LAB_BMC_PASSWORD_FILE" }
END
}
# machines FIRST LAST: n001 has pmIndex 1 and BMC 1 of the farm, and so on.
machines() {
    printf 'machine "n[%03d-%03d]" { bmc { address = "127.1.0.[%d-%d]"  port = %d  credentials = "lab"  timeout = 2s } }\n' \
        "$1" "$2" "$1" "$2" "$LAB_FARM_PORT"
}
# machine NUMBER BMC: with another BMC than its own
machine() { printf 'machine "n%03d" { bmc { address = "127.1.0.%d"  port = %d  credentials = "lab"  timeout = 2s } }\n' "$1" "$2" "$LAB_FARM_PORT"; }
group() { printf 'group "%s" { members = { %s }  stagger = %s }\n' "$1" "$2" "$3"; }
reload() {
    lab_agent_conf
    log_mark
    lab_agent_reload
    wait_until "$WAIT_S" logged 'pmstackd.conf: [0-9]+ machines|stays in force|not taken over' || fail "a reload"
}
db() { sqlite3 "$LAB/state/pmstackd/state.db" "$1"; }
told_to() { farm_log "bmc=$1 chassis-control=" | sed -E 's/.*chassis-control=([a-z-]+) .*/\1/' | paste -sd,; }
{ head_of; machines 1 120; } | lab_agent_conf
lab_agent -v || bail_out "no agent"
pid=$(lab_pid pmstackd)
known() { value_is pmAgentMachinesOff.1 120; }
wait_until "$WAIT_S" known
ok $? "a hundred and twenty machines are off"

# ---- machines that go and come back, with a row in each state ----

farm 'bmc 1 set on-time=60000' >/dev/null
farm 'bmc 6 set on-time=1000' >/dev/null
go 1/op/runs powerOn Label=first
go 2/op/waits cycle Delay=3600
accepted "a draft" operator 3/op/draft RowStatus=createAndWait Action=cycle Label=third
go 4/op/ended powerOn
ends 4/op/ended succeeded ok "a job that has ended"
accepted "a row that is disabled" operator 5/op/idle RowStatus=createAndGo Action=powerOn AdminStatus=disabled
accepted "a row without an action" operator 5/op/empty RowStatus=createAndWait
put pmMachineCommand.6 powerOn >/dev/null
wait_until "$WAIT_S" value_is pmMachineLastResult.6 ok
simple=6//$(job_rows | sed -n 's|^6//||p' | head -n 1)
is "$(job_get "$simple" State)" succeeded "a verb's own row"
stands 1/op/runs verifying "one runs"
stable() { for row in 3/op/draft 4/op/ended 5/op/idle 5/op/empty "$simple"; do walk_row "$row"; done; }
# walk_row ROW: all of its columns and those of its steps.
walk_row() {
    local index
    index=$(job_index "$1")
    snmp_as reader get -OQ "pmJob"{Action,Scope,Label,AdminStatus,State,Result,ResultText,StepsTotal,StepsDone,StartTime,EndTime,RowStatus}".$index" 2>/dev/null
    snmp_as reader walk -OQ "pmJobStepState.$index" 2>/dev/null
}
stable >"$LAB/run/stable"
job_rows | sort >"$LAB/run/rows"
trap_mark
{ head_of; machines 7 120; } | reload
is "$(job_rows)" "" "machines that go take their rows with them"
is "$(snmp_as reader walk -On pmJobStepState 2>/dev/null | grep -c ' = ')" 0 "and their steps"
is "$(value pmAgentJobsActive.1)" 0 "no job is active"
for n in 1 2; do
    told "pmJobFailed.*pmMachineLastResult.$n = aborted" "the job of machine $n is told to be aborted"
    like "$(trap_value "$told" "pmMachineLastResultText.$n")" "removed from the configuration" "with the reason"
done
is "$(trap_count pmJobFailed)" 2 "and no other"
is "$(db 'select count(*) from job')" 7 "the journal keeps their rows"
like "$(job_set operator 3/op/draft RowStatus=active)" noCreation "which cannot be SET now"
{ head_of; machines 1 120; } | reload
is "$(job_rows | sort)" "$(<"$LAB/run/rows")" "they come back with the machines"
is "$(job_get 1/op/runs State Result Label)" "aborted aborted first" "what ran was aborted"
like "$(job_get 1/op/runs ResultText)" "removed from the configuration" "as it says"
is "$(job_get 2/op/waits State Result)" "aborted aborted" "so was what waited"
stable >"$LAB/run/after"
is "$(diff "$LAB/run/stable" "$LAB/run/after")" "" "the others are as they were"
agrees "the journal has what the tables tell"
is "$(told_to 2)" "" "what waited was never sent"
accepted "a draft that came back can be activated" operator 3/op/draft Scope=machine Action=powerOn RowStatus=active
ends 3/op/draft succeeded ok "and done"
accepted "a row that is disabled can be enabled" operator 5/op/idle AdminStatus=enabled
ends 5/op/idle succeeded ok "and done"
{ head_of; machines 7 120; } | reload
lab_agent_stop
lab_agent -v || bail_out "no agent"
is "$(job_rows)" "" "they stay away over a restart"
{ head_of; machines 1 120; } | reload
is "$(job_rows | sort)" "$(<"$LAB/run/rows")" "and still come back with the machines"
is "$(job_get 3/op/draft State) $(job_get 4/op/ended State) $(job_get 5/op/empty State)" "succeeded succeeded notReady" "as they were"
agrees "and are what the journal has"
pid=$(lab_pid pmstackd)

# ---- a BMC with another address; no BMC any more ----

farm 'bmc 7 dead on' >/dev/null
wait_until "$WAIT_S" value_is pmBmcStatus.7 unreachable
go 7/op/moves powerOn
stands 7/op/moves running "a job whose BMC says nothing"
{ head_of; machines 1 6; machine 7 121; machines 8 120; } | reload
ends 7/op/moves succeeded ok "goes on with another address"
is "$(told_to 7) $(told_to 121)" " power-up" "where it is done"
farm 'bmc 8 dead on' >/dev/null
go 8/op/loses powerOn
{ head_of; machines 1 7; printf 'machine "n008" { }\n'; machines 9 120; } | reload
ends 8/op/loses failed notConfigured "a job whose BMC goes fails"
farm 'bmc 7,8 dead off' >/dev/null

# ---- groups: changed and removed while their jobs wait and run ----

farm 'bmc 11-16 set on-time=1000' >/dev/null
groups() {
    group front '"n[011-014]"' 1500ms
    group back '"n[013-016]"' 0ms
}
{ head_of; machines 1 120; groups; } | reload
trap_mark
put 'pmGroupCommand."front"' powerOn >/dev/null
put 'pmGroupCommand."back"' powerOn >/dev/null
ok $? "two groups that overlap"
{ head_of; machines 1 120; group back '"n[015-018]"' 0ms; } | reload
like "$(value 'pmGroupMembers."front"')" 'No Such Instance' "one is removed while its jobs wait"
is "$(value 'pmGroupActiveJobs."back"')" 2 "the other has other members"
group_ends back 2 2 0 "a group whose members changed"
group_ends front 4 4 0 "a group that was removed"
wait_jobs
is "$(for n in 11 12 13 14 15 16 17; do told_to "$n"; done | paste -sd' ')" "power-up power-up power-up power-up power-up power-up " \
    "each machine was told once"
farm 'bmc 11-16 power off' >/dev/null
{ head_of; machines 1 120; groups; } | reload
wait_until "$WAIT_S" value_is 'pmGroupOff."front"' 4
trap_mark
put 'pmGroupCommand."front"' powerOn >/dev/null
{ head_of; machines 1 11; machines 14 120; groups | sed 's/"n.011-014.", *//; s/n\[013-016\]/n[014-016]/; s/n\[011-014\]/n011", "n014/'; } | reload
group_ends front 4 2 2 "a group of which two machines were removed"
wait_jobs
{ head_of; machines 1 120; groups; } | reload
is "$(told_to 12) $(told_to 13)" "power-up power-up" "those were not told"
lab_agent_kill
lab_agent -v || bail_out "no agent"
told pmAgentStarted "after a restart"
is "$(trap_count 'pmGroupFinished')" 1 "the group's end was told once"
is "$(db 'select count(*) from group_command')" 0 "and its command is forgotten"
pid=$(lab_pid pmstackd)

# ---- a bad file ----

farm 'bmc 21-23 set on-time=4000' >/dev/null
wait_until "$WAIT_S" value_is pmAgentMachinesUnknown.1 0
go 21/op/runs powerOn
go 22/op/waits powerOn Delay=3600
accepted "a draft" operator 23/op/draft RowStatus=createAndWait Action=powerOn
job_rows >"$LAB/run/rows"
{ head_of; machines 1 20; printf 'machine "n021" { nik "eth0" { } }\n'; } | reload
like "$(value pmAgentConfigError.1)" "unknown" "a bad file is told"
is "$(job_rows)" "$(<"$LAB/run/rows")" "every row is there"
is "$(job_get 21/op/runs State) $(job_get 22/op/waits State) $(job_get 23/op/draft State)" "verifying scheduled notReady" \
    "every job goes on"
ends 21/op/runs succeeded ok "and ends"
job_set operator 22/op/waits RowStatus=destroy >/dev/null

# ---- fifty reloads in a row, with a hundred jobs ----

hundred() { group hundred '"n[001-100]"' 20ms; }
{ head_of; machines 1 120; hundred; } | reload
farm 'bmc 1-100 power off' >/dev/null
farm 'bmc 1-100 set on-time=6000' >/dev/null
wait_until "$WAIT_S" value_is 'pmGroupOff."hundred"' 100
farm_mark=$(wc -l <"$LAB/log/farm.log")
trap_mark
log_mark
mark=$LOG_MARK
put 'pmGroupCommand."hundred"' powerOn >/dev/null
ok $? "a hundred jobs"
for n in {1..50}; do
    poll_interval=$((1 + n % 3))s
    { head_of; machines 1 100; ((n % 2)) || machines 101 120; ((n % 5)) && hundred; } | reload
done
unset poll_interval
LOG_MARK=$mark
is "$(logged_count 'pmstackd.conf: [0-9]+ machines')" 50 "and fifty reloads meanwhile"
group_ends hundred 100 100 0 "a group over all of that"
wait_jobs
is "$(tail -n +$((farm_mark + 1)) "$LAB/log/farm.log" | grep -o 'bmc=[0-9]* chassis-control=power-up' | sort | uniq -c | awk '$1 != 1')" "" \
    "no machine was told twice"
is "$(tail -n +$((farm_mark + 1)) "$LAB/log/farm.log" | grep -c 'chassis-control=power-up')" 100 "each was told"
is "$(trap_count pmJobStarted) $(trap_count pmJobFinished) $(trap_count pmJobFailed) $(trap_count pmGroupFinished)" "100 100 0 1" \
    "and each begin and end"
is "$(lab_pid pmstackd)" "$pid" "the agent lives"
agrees "the journal has what the tables tell"
lab_agent_stop
is "$LAB_STATUS" 0 "the agent ends well"
done_testing
