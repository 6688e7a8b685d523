#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# pmstackd is stopped, replaced and started: no job, no index and no notification is lost; also not while the master is
# away, nor when it happens twice, nor when the journal is that of an older version, whose jobs go on.
# shellcheck disable=SC2119 # functions of the lab have optional arguments
set -u
# shellcheck source=tests/lab/lab.sh
. "$(dirname "$0")/../lab/lab.sh"
# shellcheck source=tests/integration/room.sh
. "$(dirname "$0")/room.sh"
lab_begin "$@"
lab_need sqlite3

{ lab_snmptrapd && lab_snmpd; } || bail_out "no master agent"
lab_farm --count 9 || bail_out "no farm"
db() { sqlite3 "$LAB/state/pmstackd/state.db" "$1"; }
text_index() { printf '%d' "${#1}"; printf '%s' "$1" | od -An -v -tu1 -w1 | sed 's/^ */./' | tr -d '\n'; }
# job INDEX OWNER NAME: the index of its row.
job() { printf '%d.%s.%s' "$1" "$(text_index "$2")" "$(text_index "$3")"; }
job_column() { value "pmJob$1.$2"; }
job_is() { [[ $(job_column State "$1") == "$2" ]]; }
job_becomes() {
    wait_until "$WAIT_S" job_is "$1" "$2"
    is "$(job_column State "$1")" "$2" "$3" || diag "$(job_column ResultText "$1")"
}
# rows of a table: names and values, without what changes by itself.
rows_of() { snmp_as reader bulkwalk -On "$1" 2>/dev/null | grep -vE "$PM_ROOT_OID\.1\.6\.1\.(21|25)\."; }
# sent BMC: what its machine was told since `forget_sent`, on one line.
forget_sent() { sent_mark=$(wc -l <"$LAB/log/farm.log"); }
sent() { tail -n +$((sent_mark + 1)) "$LAB/log/farm.log" | sed -nE "s/.* bmc=$1 chassis-control=([^ ]*) .*code=0x00.*/\1/p" | paste -sd' '; }
# indexes MACHINE: of the events that were told since trap_mark, in the order they came.
indexes() { trap_lines | grep "pmMachineName.$1 " | grep -oE 'pmNotifyEventIndex.0 = [0-9]+' | sed 's/.* //' | paste -sd' '; }
ascending() { tr ' ' '\n' <<<"$1" | sort -nu | paste -sd' '; }
# same BEFORE NAME TABLE...: the rows of these tables are as they were.
same() {
    local before=$1 name=$2 changes
    shift 2
    changes=$(diff <(printf '%s\n' "$before") <(for table; do rows_of "$table"; done))
    ok $? "$name" || diag "$changes"
}
integrity() { db 'pragma integrity_check'; }

# ---- a journal of an older version, killed while jobs were under way ----

conf() {
    cat <<END
agent { name = "room"  poll-interval = 1s }
credentials "lab" { username = "$LAB_BMC_USER"  password-file = "$LAB_BMC_PASSWORD_FILE"  cipher-suites = { 3 } }
machine "newcomer" { }
machine "web[01-08]" {
  off-methods = { "bmc-soft", "bmc" }  bmc { address = "127.1.0.[1-8]"  credentials = "lab"  timeout = 1s }  nic "eth0" { }
}
group "rack" { members = { "web[05-08]" }  stagger = 2s }
END
}
# take_old VERSION TABLE.COLUMN...: its journal, with these times as if it had been written just now.
take_old() {
    local shift_ms column
    lab_agent_state pmstackd "$LAB_AGENT_USER"
    rm -f "$LAB"/state/pmstackd/*
    db ".read $(dirname "$0")/schema-$1.sql"
    shift_ms=$(($(tap_now_ms) - 1000 - $(db 'select max(time_ms) from event')))
    is "$(db 'pragma user_version')" "$1" "a journal of schema $1"
    shift
    for column; do
        db "update ${column%.*} set ${column#*.} = ${column#*.} + $shift_ms where ${column#*.} <> 0"
    done
    chown "$LAB_AGENT_USER" "$LAB/state/pmstackd/state.db"
}
take_old 2 state.last_change_ms event.time_ms job.start_ms job.end_ms job.not_before_ms
farm bmc 2,3,4,6 power on
forget_sent
conf | lab_agent_conf
lab_agent || bail_out "no agent"
ok $? "a newer pmstackd starts with it"
wait_until "$WAIT_S" value_is pmAgentJobsActive.1 0
wait_until "$WAIT_S" value_is pmAgentNotifyPending.1 0
is "$(db 'pragma user_version') $(integrity)" "5 ok" "and has upgraded it"
is "$(snmp_as reader bulkwalk -Ov pmNameIndex | paste -sd' ')" "2 3 4 5 6 7 8 9 10" "all machines have their indexes; the new one has none that was another's"
is "$(value pmMachineVmTimeout.2) $(value 'pmGroupStagger."rack"') $(value pmMachineInhibit.8) $(value pmMachineInhibitReason.8)" "99 3000 true fan is loud" "what was SET holds"
is "$(value pmMachinePowerOnCount.3) $(value pmMachinePowerOffCount.3)" "1 1" "the counters go on"
is "$(value pmMachineLastResult.2): $(result_text 2)" "ok: off, observed by the BMC 0.0 s after the command" "the last result of web01"
is "$(value pmEventText.2.6)" "job set-2: powerOff: ok: off, observed by the BMC 0.0 s after the command" "the events have their indexes"
# ended INDEX NAME ACTION STATE RESULT
ended() {
    local row
    row=$(job "$1" '' "$2")
    is "$(job_column Action "$row") $(job_column State "$row") $(job_column Result "$row")" "$3 $4 $5" "$2, $3, is $4"
}
ended 2 set-1 reset succeeded ok
ended 2 set-2 powerOff succeeded ok
ended 3 set-3 cycle succeeded ok
ended 6 set-4 reset failed rejected
ended 4 set-5 powerOff succeeded ok
ended 5 set-6 reset interrupted interrupted
ended 6 set-7 powerOn succeeded ok
like "$(job_column State "$(job 7 '' set-8)") $(job_column Result "$(job 7 '' set-8)")" '^succeeded (ok|alreadyInState)$' "set-8, powerOn of a machine that is on, is succeeded"
ended 9 set-9 powerOn succeeded ok
is "$(snmp_as reader bulkwalk -Ov pmJobState | wc -l)" 9 "and there are no others"
is "$(sent 3)/$(sent 4)/$(sent 5)/$(sent 8)" "power-down//power-up/power-up" "wishes were fulfilled, and the reset was not sent again"
is "$(trap_count 'pmJobFailed.*pmNotifyJobName.0 = set-6')" 1 "which was told once"
is "$(trap_count 'pmJobFinished.*pmNotifyJobName.0 = set-(5|7|8|9)	')" 4 "so were the ends of the others"
is "$(trap_count 'pmJobF.*pmNotifyJobName.0 = set-[1-4]	')" 0 "and nothing of what had ended before"
is "$(indexes 4)" "3 4" "the event indexes go on"
verb 3 reset ok "a new job"
is "$(job_column State "$(job 3 '' set-10)")" succeeded "has a number that was never given"

before=$(rows_of pmJobTable; rows_of pmJobStepTable; rows_of pmEventTable; rows_of pmNameTable)
trap_mark
lab_agent_stop
lab_agent || bail_out "no agent"
told pmAgentStarted "started again"
same "$before" "everything is as it was" pmJobTable pmJobStepTable pmEventTable pmNameTable
is "$(trap_count 'pmJob')" 0 "nothing is told again"
lab_agent_stop

# ---- journals of the versions before stacks and before operating systems, killed while there was no master ----

# take_over VERSION ON INDEXES: so many machines are on, and these are their indexes.
take_over() {
    take_old "$1" state.last_change_ms event.time_ms job.created_ms job.begin_ms job.end_ms step.start_ms step.end_ms
    # ... and the jobs that have not ended when they were to begin
    db "update job set not_before_ms = created_ms + delay_s * 1000 where end_ms = 0 and state > 1"
    db "update job set not_before_ms = max(created_ms, end_ms) + retain_s * 1000 where end_ms <> 0 or state = 1"
    for i in 1 2 3 4 5 6 7 9; do farm bmc "$i" power on; done
    farm bmc 2 set soft-time=never
    farm bmc 8 power off
    forget_sent
    trap_mark
    lab_agent || bail_out "no agent"
    wait_until "$WAIT_S" value_is pmAgentMachinesOn.1 "$2"
    is "$(db 'pragma user_version') $(integrity)" "5 ok" "it is upgraded, too"
    is "$(snmp_as reader bulkwalk -Ov pmNameIndex | paste -sd' ')" "$3" "machines have their indexes, the new one its own"
    is "$(value pmMachineVmTimeout.2) $(value 'pmGroupStagger."rack"')" "99 3000" "what was SET holds"
    wait_until "$WAIT_S" value_is pmAgentNotifyPending.1 0
    is "$(trap_count 'pmPowerStateChange.*pmMachineName.9 .*pmMachinePowerState.9 = off.*pmNotifyEventIndex.0 = 2')" 1 "the notification that no master had taken is sent"
    is "$(trap_count pmPowerStateChange)" 1 "and no other: all is as it was"
    is "$(job_column State "$(job 2 '' set-1)") $(job_column Label "$(job 4 ops draft)")" "succeeded not ready yet" "jobs that have ended and drafts are there"
}
# its_jobs: of such a journal.
its_jobs() {
    local plan later night
    plan=$(job 6 ops plan)
    is "$(for i in 1 2 3; do value "pmJobStepAction.$plan.$i"; value "pmJobStepTarget.$plan.$i"; done | paste -sd' ')" \
        "bmcSoftShutdown web05 bmcPowerDown web05 bmcPowerUp web05" "steps are those of their machine"
    later=$(job 5 ops later)
    is "$(job_column State "$later")" scheduled "one that waits for its time waits on"
    like "$(job_column Remaining "$later")" '^86[34][0-9]{2}$' "as long as it would have"
    put "pmJobRowStatus.$later" destroy >/dev/null
    night=$(job 3 ops night)
    wait_until "$WAIT_S" job_is "$night" verifying
    is "$(job_column State "$night") $(value "pmJobStepState.$night.1")" "verifying verifying" "the one at work is taken up, where it was"
    farm bmc 2 power off
    job_becomes "$night" succeeded "and goes on when the machine is off"
    is "$(sent 2)" "power-up" "with the step that waited for it"
    is "$(value "pmJobStepResult.$night.1") $(value "pmJobStepState.$night.2") $(value "pmJobStepResult.$night.3")" "ok succeeded ok" "the method that was not needed was not used"
    lab_agent_stop
}
take_over 3 7 "2 3 4 5 6 7 8 9 10"
its_jobs
conf_with_vms() { conf && echo 'machine "vms" { bmc { address = "127.1.0.9"  credentials = "lab"  timeout = 1s }  stack { uri = "test:///default" } }'; }
conf_with_vms | lab_agent_conf
take_over 4 8 "10 2 3 4 5 6 7 8 9 11"
is "$(value pmVmName.10.1) $(job_column ResultText "$(job 10 ops stack)")" "test test: shut down, 0.0 s after it was asked to shut down" "VMs have their indexes, and what became of them is there"
is "$(db 'select distinct rest, rest_boot, rest_seen, boot_id from state')" "0|||" "no operating system had agreed to anything"
its_jobs

# ---- stopped, replaced, started: jobs in every state ----

rm -f "$LAB"/state/pmstackd/*
for i in 1 2 3 4 5 6 7 8; do farm bmc "$i" power on; done
farm bmc 1 set soft-time=never
conf | lab_agent_conf
cp "$PMSTACKD" "$LAB/run/pmstackd.old" && chmod 755 "$LAB/run" "$LAB/run/pmstackd.old"
new=$PMSTACKD
PMSTACKD=$LAB/run/pmstackd.old
lab_agent || bail_out "no agent"
wait_until "$WAIT_S" value_is pmAgentMachinesOn.1 8
# create INDEX NAME ROW_STATUS [COLUMN VALUE]...
create() {
    local row arguments=()
    row=$(job "$1" ops "$2")
    arguments=("pmJobRowStatus.$row" "$3")
    shift 3
    while (($#)); do
        arguments+=("pmJob$1.$row" "$2")
        shift 2
    done
    put "${arguments[@]}" >/dev/null
}
# web01 is pmIndex 2
create 3 ended createAndGo Action reset Scope machine Label "has ended"
ok $? "a job"
job_becomes "$(job 3 ops ended)" succeeded "that has ended"
create 4 aborted createAndGo Action cycle Scope machine Delay 1000
put "pmJobAdminStatus.$(job 4 ops aborted)" disabled >/dev/null
job_becomes "$(job 4 ops aborted)" aborted "one that was aborted"
create 4 plan createAndGo Action reboot Scope machine DryRun true
job_becomes "$(job 4 ops plan)" succeeded "a dry run"
create 5 draft createAndWait Label "not ready yet"
ok $? "a draft without an action"
create 5 ready createAndWait Action powerOff Scope machine Label "to be activated"
ok $? "a draft that is complete"
put pmAgentJobMaxConcurrent.1 1 >/dev/null
forget_sent
create 2 running createAndGo Action shutdown Scope machine Label "running"
job_becomes "$(job 2 ops running)" verifying "one at work"
create 6 queued createAndGo Action reset Scope machine Label "waits for room"
job_becomes "$(job 6 ops queued)" scheduled "one that waits for it"
create 7 delayed createAndGo Action powerOff Scope machine Label "later" Delay 6
delayed_ms=$(tap_now_ms)
job_becomes "$(job 7 ops delayed)" scheduled "one that waits for its time"
wait_until "$WAIT_S" value_is pmAgentNotifyPending.1 0
before=$(rows_of pmJobTable; rows_of pmJobStepTable; rows_of pmNameTable)
create 8 volatile createAndGo Action reset Scope machine Label "not to survive" StorageType volatile
job_becomes "$(job 8 ops volatile)" scheduled "and one that is volatile"
trap_mark
lab_agent_stop
is "$? $LAB_STATUS" "0 0" "it is stopped"
PMSTACKD=$new
lab_agent || bail_out "no agent"
told pmAgentStarted "a new binary is started"
wait_until "$WAIT_S" job_is "$(job 2 ops running)" verifying
same "$before" "each row and each step is as it was, but the volatile one has gone" pmJobTable pmJobStepTable pmNameTable
told 'pmJobFailed.*pmMachineLastResult.8 = interrupted.*pmNotifyJobName.0 = volatile' "which is told as interrupted"
is "$(value pmAgentJobsActive.1)" 3 "three are active"
is "$(sent 1) $(sent 5) $(sent 6)" "soft-shutdown  " "nothing is sent again, or too early"
is "$(trap_count 'pmJobF')" 1 "only the end of the volatile one is told"

# ---- and again, while the master is away: what happens is told when it is back ----

lab_snmpd_stop
lab_agent_stop
is "$LAB_STATUS" 0 "stopped without a master"
log_mark
lab_agent --no-wait
farm bmc 8 power off
wait_until "$WAIT_S" logged 'web08: power state off'
ok $? "started without one; a machine goes off"
farm bmc 1 set soft-time=0
farm bmc 1 power off
wait_until "$WAIT_S" logged 'job ops/running: shutdown: '
ok $? "the job at work ends"
wait_until "$WAIT_S" logged 'job ops/queued: reset: '
ok $? "and the one behind it"
lab_agent_stop
log_mark
lab_agent --no-wait
wait_until "$WAIT_S" logged ' ready: '
ok $? "stopped and started once more"
lab_snmpd_start
wait_until "$WAIT_S" lab_agent_serves
wait_until "$WAIT_S" value_is pmAgentJobsActive.1 0
took_ms=$(($(tap_now_ms) - delayed_ms))
((took_ms >= 6000))
ok $? "the delayed one has not begun before its time"
diag "its delay was 6 s; it had ended after $took_ms ms, with three restarts"
wait_until "$WAIT_S" value_is pmAgentNotifyPending.1 0
ok $? "all notifications are taken"
for name in 2.running 6.queued 7.delayed; do
    job_becomes "$(job "${name%.*}" ops "${name#*.}")" succeeded "${name#*.} has succeeded"
    is "$(trap_count "pmJobFinished.*pmNotifyJobName.0 = ${name#*.}	")" 1 "which was told once"
done
is "$(sent 1)/$(sent 5)/$(sent 6)" "soft-shutdown/hard-reset/power-down" "each was done once"
is "$(trap_count 'pmPowerStateChange.*pmMachineName.9 .*pmMachinePowerState.9 = off')" 1 "the machine that went off meanwhile is told once"
for machine in 2 6 7 8 9; do
    is "$(indexes "$machine")" "$(ascending "$(indexes "$machine")")" "what was told of machine $machine is in order, and once"
done
is "$(trap_count pmAgentStarted)" 3 "each of the three starts was told"
put "pmJobRowStatus.$(job 5 ops ready)" active >/dev/null
ok $? "the draft can still be activated"
job_becomes "$(job 5 ops ready)" succeeded "and is done"
is "$(job_column Label "$(job 5 ops draft)") $(job_column State "$(job 5 ops draft)")" "not ready yet notReady" "the other one is a draft still"
is "$(job_column Label "$(job 3 ops ended)") $(job_column State "$(job 4 ops aborted)") $(job_column StepsTotal "$(job 4 ops plan)")" \
    "has ended aborted 3" "what had ended is there"
is "$(integrity)" ok "the journal is whole"
none_left() { [[ $(db 'select count(*) from notification') == 0 ]]; }
wait_until "$WAIT_S" none_left
ok $? "and has no notifications left" # they go with the next commit
lab_agent_stop
is "$LAB_STATUS" 0 "it ends well"
is "$(log_count 'Sanitizer|runtime error')" 0 "without a word of a sanitizer"
done_testing
