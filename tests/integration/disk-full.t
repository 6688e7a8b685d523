#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# The file system of the state directory is full while jobs wait and run: what cannot be journaled is refused or waits, and
# is never done; what runs ends, and is told truthfully; polls and notifications go on. With room again everything is
# written, and a restart finds it.
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

# ---- given: a small file system, twelve BMCs ----

{ lab_snmptrapd && lab_snmpd; } || bail_out "no master agent"
lab_farm --count 12 || bail_out "no farm"
state=$LAB/state/pmstackd
mkdir -p "$state"
mount -t tmpfs -o size=4m tmpfs "$state" || bail_out "no file system"
trap 'status=$?; umount --lazy "$state"; lab_end "$status"' EXIT
lab_agent_conf <<END
agent { name = "room"  poll-interval = 1s }
credentials "lab" { username = "$LAB_BMC_USER"  password-file = "$LAB_BMC_PASSWORD_FILE" }
machine "web[01-12]" { bmc { address = "127.1.0.[1-12]"  port = $LAB_FARM_PORT  credentials = "lab"  timeout = 2s } }
group "rack" { members = { "web[09-12]" }  stagger = 0ms }
END
lab_agent -v || bail_out "no agent"
known() { value_is pmAgentMachinesOff.1 12; }
wait_until "$WAIT_S" known
ok $? "twelve machines are off"
db() { sqlite3 "$state/state.db" "$1"; }

# Somebody reads the database all the while: its log can then only grow, so that there is no room to be found in it.
coproc READER { sqlite3 "$state/state.db"; }
# shellcheck disable=SC2153 # the shell's own: the pid of READER
reader_pid=$READER_PID
reader_in=${READER[1]}
printf 'BEGIN; SELECT count(*) >= 0 FROM job;\n' >&"$reader_in"
read -r -t 10 answer <&"${READER[0]}"
is "${answer:-}" 1 "somebody reads the database"
fill() { dd if=/dev/zero of="$state/full" bs=1k 2>/dev/null; }
empty() { rm "$state/full"; }

job_has_left() { ! job_is "$1" State "$2"; }
# told_to BMC: what this BMC was told, in order.
told_to() { farm_log "bmc=$1 chassis-control=" | sed -E 's/.*chassis-control=([a-z-]+) .*/\1/' | paste -sd,; }
farm 'bmc 1 set on-time=8000' >/dev/null
farm 'bmc 4,8 power on' >/dev/null
farm 'bmc 4 set soft-time=6000' >/dev/null
on_are() { value_is pmAgentMachinesOn.1 "$1"; }
wait_until "$WAIT_S" on_are 2
go 5/op/ended identify Label=before
ends 5/op/ended succeeded ok "a job has ended"
accepted "a draft" operator 5/op/draft RowStatus=createAndWait Action=powerOn Scope=machine
go 1/op/runs powerOn
go 2/op/cycles powerOn
ends 2/op/cycles succeeded ok "a machine is on"
job_set operator 2/op/cycles RowStatus=destroy >/dev/null
go 4/op/reboots reboot
go 6/op/aborts powerOn Delay=600
go 2/op/cycles cycle Delay=10
go 3/op/wishes powerOn Delay=10
stands 1/op/runs verifying "one runs"
stands 4/op/reboots verifying "one reboots"
agrees "before, the journal has what the tables tell"
trap_mark

# ---- full ----

log_mark
fill

# not_done NAME ROW COLUMN=VALUE...: commitFailed.
not_done() { refused commitFailed "full: $1" operator "${@:2}"; }
not_done "a job" 7/op/new RowStatus=createAndGo Action=powerOn
not_done "a draft" 7/op/new RowStatus=createAndWait Action=powerOn
not_done "a dry run" 7/op/new RowStatus=createAndGo Action=powerOn DryRun=true
job_gone 7/op/new
ok $? "full: there is no such row"
not_done "the activation of a draft" 5/op/draft RowStatus=active
not_done "a change of a draft" 5/op/draft Action=cycle
is "$(job_get 5/op/draft RowStatus State Action)" "notInService notReady powerOn" "full: the draft is as it was"
not_done "a label" 5/op/ended Label=after
not_done "the removal of a row" 5/op/ended RowStatus=destroy
is "$(job_get 5/op/ended State Label)" "succeeded before" "full: the row is as it was"
not_done "an abort" 6/op/aborts AdminStatus=disabled
is "$(job_get 6/op/aborts State AdminStatus)" "scheduled enabled" "full: the job is as it was"
not_done "an abort by destroy" 6/op/aborts RowStatus=destroy
is "$(job_get 6/op/aborts State RowStatus)" "scheduled active" "full: it still is"
# refused_plain NAME OBJECT VALUE: the other tables
refused_plain() { like "$(put "${@:2}")" commitFailed "full: $1: commitFailed"; }
refused_plain "a verb" pmMachineCommand.7 powerOn
refused_plain "chassis control" pmBmcChassisControl.7 powerUp
refused_plain "a group" 'pmGroupCommand."rack"' powerOn
refused_plain "a setting" pmMachineVmTimeout.7 99
is "$(value pmMachineVmTimeout.7)" 180 "full: the setting is as it was"

# ---- full: what goes on ----

farm 'bmc 8 power off' >/dev/null
told 'pmPowerStateChange.*pmMachinePowerState.8 = off' "full: a poll sees a change, and it is told"
becomes pmMachinePowerState.8 off "full: the table has it"
ends 1/op/runs succeeded ok "full: what ran ends"
becomes pmMachineLastResult.1 ok "full: and its result is told"
told 'pmJobFinished.*pmNotifyJobName.0 = runs' "full: by a notification, too"
told 'pmPowerStateChange.*pmMachinePowerState.4 = off' "full: the machine that reboots goes off"
for row in 2/op/cycles 3/op/wishes; do
    wait_until "$WAIT_S" job_has_left "$row" scheduled
    ok $? "full: the time of $row comes"
done
is "$(told_to 2)" "power-up" "full: a momentary command whose time has come is not sent"
is "$(told_to 3)" "" "full: nor a wish"
is "$(told_to 7)$(told_to 9)$(told_to 10)" "" "full: nothing that was refused was sent"
note "$(for row in 2/op/cycles 3/op/wishes 4/op/reboots; do printf '%s: %s: %s\n' "$row" "$(job_get "$row" State)" "$(job_get "$row" ResultText)"; done)"
(($(logged_count 'can not be (stored|written)|database or disk is full') <= 40))
ok $? "full: the log is not flooded"
lab_agent_logged 'can not be stored.*full'
ok $? "full: the log says why nothing is stored"
lab_is_running pmstackd
ok $? "full: the agent runs"

# ---- room again ----

log_mark
empty
wait_until "$WAIT_S" logged 'can be written again'
ok $? "with room again the log says so"
wait_until "$WAIT_S" job_ended 2/op/cycles
like "$(job_get 2/op/cycles State) $(told_to 2)" '^(succeeded power-up,power-cycle|(failed|aborted) power-up)$' \
    "the momentary command was sent once by then, or is told not to have been"
wait_until "$WAIT_S" job_ended 3/op/wishes
is "$(job_get 3/op/wishes State) $(told_to 3)" "succeeded power-up" "the wish is done"
ends 4/op/reboots succeeded ok "the machine that rebooted is on again"
is "$(told_to 4)" "soft-shutdown,power-up" "and was told so once"
accepted "a job is accepted again" operator 7/op/new RowStatus=createAndGo Action=powerOn
ends 7/op/new succeeded ok "and done"
accepted "an abort, too" operator 6/op/aborts AdminStatus=disabled
ends 6/op/aborts aborted aborted "and done"
agrees "the journal has what the tables tell"
eval "exec $reader_in>&-"
wait "$reader_pid"

# ---- a restart ----

walk_jobs >"$LAB/run/before"
lab_agent_stop
is "$LAB_STATUS" 0 "the agent ends well"
is "$(db 'pragma integrity_check')" ok "the journal is whole"
lab_agent -v || bail_out "no agent"
walk_jobs >"$LAB/run/after"
is "$(diff "$LAB/run/before" "$LAB/run/after" | head -n 5)" "" "after a restart the rows are the same"
is "$(value pmMachineLastResult.1)" ok "and the results"

# ---- killed, with jobs, while it is full ----

farm 'bmc 1,2,3,4,7,9 power off' >/dev/null
wait_until "$WAIT_S" known
go 1/op/again powerOn
stands 1/op/again verifying "one runs"
go 2/op/later cycle Delay=600
fill
lab_agent_kill
log_mark
lab_agent -v
ok $? "killed, and started while it is full: it serves its rows"
wait_until "$WAIT_S" logged 'error: .*can not be stored.*full'
ok $? "started full: the log says what is wrong"
is "$(job_get 1/op/again State) $(job_get 7/op/new State)" "verifying succeeded" "started full: the jobs are there"
not_done "a job" 3/op/new RowStatus=createAndGo Action=powerOn
farm 'bmc 8 power on' >/dev/null
becomes pmMachinePowerState.8 on "started full: it polls"
lab_agent_kill
empty
lab_agent -v || bail_out "no agent"
ends 1/op/again succeeded ok "with room again what ran is taken up"
is "$(job_get 2/op/later State)" scheduled "what waited waits"
is "$(job_get 7/op/new State)" succeeded "what had ended is there"
job_set operator 2/op/later RowStatus=destroy >/dev/null
wait_jobs
agrees "and the journal has what the tables tell"
lab_agent_stop
is "$LAB_STATUS" 0 "the agent ends well"
rm -rf "${state:?}"/*
fill
log_mark
lab_agent --no-wait -v
wait_until 20 lab_is_gone pmstackd
lab_stop pmstackd
is "$LAB_STATUS" 3 "a first start without room: exit status 3"
logged 'cannot start: .*(full|[Nn]o space)'
ok $? "and it is told why" || diag "$(log_lines | tail -n 5)"
empty
lab_agent -v
ok $? "with room it starts"
lab_agent_stop
is "$LAB_STATUS" 0 "and ends well"
done_testing
