#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Jobs as a manager creates, follows, changes, stops and removes them, by snmpset against real daemons and ipmi_sim: every
# column and every state of a row, and what is told to the machine. What is refused for its values is in jobs-input.t.
# shellcheck disable=SC2119 # functions of the lab have optional arguments
set -u
# shellcheck source=tests/lab/lab.sh
. "$(dirname "$0")/../lab/lab.sh"
# shellcheck source=tests/integration/room.sh
. "$(dirname "$0")/room.sh"
# shellcheck source=tests/integration/jobs.sh
. "$(dirname "$0")/jobs.sh"
lab_begin "$@"
# ---- given ----
# 1 web01  BMC, off                               3 web03  BMC, off
# 2 slow   BMC, on, takes an hour to shut down    4 nas1   a NIC, no BMC, nobody answers

lab_snmptrapd
lab_snmpd || bail_out "no master agent"
{ lab_bmc web01 && lab_bmc slow --on -- -t 3600000 && lab_bmc web03; } || bail_out "no BMC"
lab_segment lan
lab_agent_conf <<END
agent { poll-interval = 2s }
credentials "lab" { username = "$LAB_BMC_USER"  password-file = "$LAB_BMC_PASSWORD_FILE"  cipher-suites = { 3 } }
machine "web01" { bmc { address = "$(bmc_address web01)"  credentials = "lab" } }
machine "slow"  { off-methods = { "bmc-soft" }  off-timeout = 1h  bmc { address = "$(bmc_address slow)"  credentials = "lab" } }
machine "web03" { bmc { address = "$(bmc_address web03)"  credentials = "lab" } }
machine "nas1"  {
  on-timeout = 2m
  nic "eth0" { mac = "02:00:00:00:00:11"  interface = "$(segment_interface lan)" }
  nic "eth1" { }
  probe { method = "icmp"  address = "198.18.1.77" }
}
group "all" { members = { "web01", "web03", "slow", "nas1" } }
END
lab_agent -v || bail_out "no agent"
all_known() { state_is 1 off && state_is 2 on && state_is 3 off; }
wait_until "$WAIT_S" all_known
ok $? "the machines are known"
forget_commands slow # the panel's, which has switched it on
op=operator
no_date='^0-0-0,0:0:0'
active_job() { value "pmMachineActiveJob.$1" | sed 's/.*:://'; }

# ---- create and go ----

trap_mark
row=1/alice/on
accepted "a job in one SET" $op $row RowStatus=createAndGo Action=powerOn Label="Nachtschicht über Köln"
ends $row succeeded ok "it succeeds"
is "$(commands_of web01)" "bmc set power 1" "the machine was told once"
is "$(job_get $row Action Scope Vm Force Delay Timeout VmTimeout ArmWol Nic)" "powerOn stack 0 never 0 600 180 false 0" \
    "what was not SET has its default"
is "$(job_get $row WolAddrType WolPort InitLevel DryRun AdminStatus Retain StorageType RowStatus)" \
    "unknown 0 0 false enabled 3600 nonVolatile active" "all of it"
is "$(job_get $row WolAddr)" '""' "also the address"
is "$(job_get $row Label)" "Nachtschicht über Köln" "the label is as it was SET"
is "$(job_get $row Progress StepsTotal StepsDone Remaining)" "100 1 1 0" "all of its steps are done"
like "$(job_get $row ResultText)" "on" "the result is told in words"
unlike "$(job_get $row StartTime)" "$no_date" "it has begun at a time"
unlike "$(job_get $row EndTime)" "$no_date" "and ended"
is "$(job_steps $row Target Vm Action Level State Result)" "web01 0 bmcPowerUp 1 succeeded ok" "its step"
told pmJobFinished "its end is told"
is "$(trap_objects "$told")" "$(mib_objects pmJobFinished)" "as the MIB says"
is "$(trap_value "$told" pmNotifyJobOwner.0) $(trap_value "$told" pmNotifyJobName.0) $(trap_value "$told" pmNotifyJobLabel.0)" \
    "alice on Nachtschicht über Köln" "with owner, name and label"
told pmJobStarted "and its begin"
is "$(trap_value "$told" pmNotifyJobOwner.0) $(trap_value "$told" pmNotifyJobName.0) $(trap_value "$told" pmNotifyJobLabel.0)" \
    "alice on Nachtschicht über Köln" "with owner, name and label"
is "$(value pmMachineLastResult.1)" ok "the machine's last result is the job's"
like "$(snmp_as reader walk -Ov pmEventText.1 2>/dev/null | tail -n 1)" 'job alice.*on' "the history names it"

# ---- create and wait: every column ----

row=3/alice/draft
accepted "a row without an action" $op $row RowStatus=createAndWait
is "$(job_get $row RowStatus State Result StepsTotal Progress)" "notReady notReady none 0 0" "is not ready"
why=pmJobAction refused inconsistentValue "activating it" $op $row RowStatus=active
accepted "an action" $op $row Action=reset
is "$(job_get $row RowStatus State)" "notInService notReady" "makes it ready"
columns=(Action=powerOff Scope=machine Vm=7 Force=afterTimeout Delay=5 Timeout=30 VmTimeout=20 ArmWol=true Nic=9 WolPort=7
    InitLevel=3 Label=all DryRun=true AdminStatus=disabled Retain=60 StorageType=volatile)
for column in "${columns[@]}"; do
    accepted "$column" $op $row "$column"
    is "$(job_get $row "${column%%=*}")" "${column#*=}" "and it reads so"
done
index=$(job_index $row)
# An address and its type belong together: RFC 4001.
address() { answer=$(snmp_as $op set "pmJobWolAddrType.$index" i "$1" "pmJobWolAddr.$index" x "$2" 2>&1); }
for good in "1 c6120163" "2 20010db8000000000000000000000001" "0 "; do
    # shellcheck disable=SC2086 # two arguments
    address ${good% *} "${good#* }"
    unlike "$answer" Reason "an address of type ${good% *}"
done
for bad in "1 20010db8000000000000000000000001" "2 c6120163" "0 c6120163" "1 "; do
    address "${bad% *}" "${bad#* }"
    like "$answer" "Reason: inconsistentValue" "an address that is not of type ${bad% *}: inconsistentValue"
done
why="4 is right" refused inconsistentValue "a type alone" $op $row WolAddrType=ipv4
is "$(job_get $row WolAddrType WolAddr)" 'unknown ""' "neither has changed"
accepted "a draft is destroyed" $op $row RowStatus=destroy
job_gone $row
ok $? "and gone"

# ---- a dry run ----

row=3/alice/dry
put pmMachineInhibit.3 true pmMachineInhibitReason.3 "fan exchange" >/dev/null
accepted "a dry run, though the machine is inhibited" $op $row RowStatus=createAndGo Action=cycle Scope=machine DryRun=true
put pmMachineInhibit.3 false pmMachineInhibitReason.3 "" >/dev/null
ends $row succeeded ok "plans"
is "$(job_steps $row Action State Result)" "bmcPowerCycle notReady none" "its step is not executed"
like "$(job_get $row ResultText)" "nothing was done" "and it says so"
is "$(job_get $row StepsTotal StepsDone Progress)" "1 0 100" "it has a plan"
is "$(commands_of web03)$(value pmMachineLastResultText.3)" "" "the machine was not told, nor has it a new result"

# ---- a delay ----

row=3/alice/later
accepted "a job in ten minutes" $op $row RowStatus=createAndGo Action=powerOn Delay=600 Label=later
is "$(job_get $row State Result RowStatus AdminStatus)" "scheduled none active enabled" "waits"
remaining=$(job_get $row Remaining)
((remaining >= 590 && remaining <= 600))
ok $? "ten minutes" || diag "$remaining"
counts_down() { (($(job_get $row Remaining) < remaining)); }
wait_until "$WAIT_S" counts_down
ok $? "and counts down"
like "$(job_get $row StartTime)" "$no_date" "it has not begun"
is "$(job_steps $row Action State)" "bmcPowerUp scheduled" "it has a plan"
is "$(active_job 3)" "pmJobAction.$(job_index $row)" "the machine points to it"
why="busy" refused inconsistentValue "another job" $op 3/bob/now RowStatus=createAndGo Action=diagnosticInterrupt
like "$(put pmMachineCommand.3 diagnosticInterrupt)" inconsistentValue "another verb: inconsistentValue"
accepted "a dry run beside it" $op 3/alice/dry2 RowStatus=createAndGo Action=reboot Scope=machine DryRun=true
ends 3/alice/dry2 succeeded ok "is done"
accepted "a draft beside it" $op 3/bob/now RowStatus=createAndWait Action=identify
refused inconsistentValue "which is there" $op 3/bob/now RowStatus=createAndGo Action=identify
accepted "is not in service" $op 3/bob/now RowStatus=notInService
accepted "takes a label" $op 3/bob/now Label=bobs
refused inconsistentValue "which cannot be activated" $op 3/bob/now RowStatus=active
for column in Action=powerOff Scope=machine Delay=1 Timeout=9 DryRun=true StorageType=volatile Nic=1; do
    refused inconsistentValue "$column of an active row" $op $row "$column"
done
refused inconsistentValue "out of service" $op $row RowStatus=notInService
refused inconsistentValue "create and wait" $op $row RowStatus=createAndWait
accepted "a label" $op $row Label=other Retain=77
is "$(job_get $row Label Retain State)" "other 77 scheduled" "may change, and how long it is kept"
accepted "active again" $op $row RowStatus=active
accepted "the same again" $op $row RowStatus=createAndGo Action=powerOn Delay=600 Label=other Retain=77
refused inconsistentValue "not the same" $op $row RowStatus=createAndGo Action=powerOn Delay=601 Label=other Retain=77
trap_mark
accepted "disabled" $op $row AdminStatus=disabled
ends $row aborted aborted "ends it before it has begun"
is "$(job_steps $row Action State)" "bmcPowerUp notReady" "nothing was executed"
told "pmJobFailed.*pmNotifyJobName.0 = later" "and it is told"
refused inconsistentValue "once more" $op $row AdminStatus=disabled
is "$(active_job 3)" "zeroDotZero" "the machine is free"
accepted "the draft goes on" $op 3/bob/now RowStatus=active
ends 3/bob/now succeeded ok "and is done"
is "$(commands_of web03)" "bmc set identify 15 0" "the machine was told nothing else"
accepted "a delayed one" $op 3/alice/gone RowStatus=createAndGo Action=powerOn Delay=600
accepted "is destroyed" $op 3/alice/gone RowStatus=destroy
wait_until "$WAIT_S" job_gone 3/alice/gone
ok $? "and gone"
accepted "one in two seconds" $op 3/alice/soon RowStatus=createAndGo Action=powerOn Delay=2
is "$(job_get 3/alice/soon State)" scheduled "waits"
ends 3/alice/soon succeeded ok "and is done"
state_is 3 on
ok $? "the machine is on"

# ---- at work ----

forget_commands slow
row=2/alice/soft
accepted "a job that takes an hour" $op $row RowStatus=createAndGo Action=softOff Label=soft
wait_until "$WAIT_S" job_is $row State verifying
ok $? "all is sent, and the effect is waited for"
remaining=$(job_get $row Remaining)
((remaining >= 590 && remaining <= 600))
ok $? "for ten minutes at most" || diag "$remaining"
is "$(job_get $row Progress StepsTotal StepsDone)" "0 1 0" "none of its steps is done"
is "$(job_steps $row Action State Result)" "bmcSoftShutdown verifying none" "the step is at work"
is "$(active_job 2)" "pmJobAction.$(job_index $row)" "the machine points to it"
is "$(value pmMachineLastResult.2)" none "and has no result"
put pmMachineCommand.2 softOff >/dev/null
ok $? "the same verb: accepted, and starts nothing"
accepted "the same again" $op $row RowStatus=createAndGo Action=softOff Label=soft
is "$(commands_of slow)" "bmc set shutdown 1" "the machine was told once"
accepted "disabled" $op $row AdminStatus=disabled
ends $row aborted aborted "aborts it"
like "$(job_get $row ResultText)" "bmcSoftShutdown|softOff|soft" "and the text tells what was sent"
is "$(job_steps $row State Result)" "aborted aborted" "the step, too"
is "$(job_get $row Remaining Progress AdminStatus)" "0 100 disabled" "it has ended"
row=2/alice/soft2
accepted "another" $op $row RowStatus=createAndGo Action=softOff
wait_until "$WAIT_S" job_is $row State verifying
trap_mark
accepted "is destroyed" $op $row RowStatus=destroy
wait_until "$WAIT_S" job_gone $row
ok $? "and gone"
told "pmJobFailed.*pmNotifyJobName.0 = soft2" "after it was aborted, which is told"
is "$(value pmMachineLastResult.2)" aborted "and is the machine's last result"

# ---- its time is over ----

row=2/alice/late
accepted "a job with two seconds" $op $row RowStatus=createAndGo Action=softOff Timeout=2
ends $row timedOut timeout "times out"
like "$(job_get $row ResultText)" "2 s|timeout|time" "the text says so" || diag "$(job_get $row ResultText)"
is "$(job_steps $row State)" timedOut "at its step"

# ---- waiting for a turn ----

put pmAgentJobMaxConcurrent.1 1 >/dev/null
accepted "one at work" $op 2/alice/first RowStatus=createAndGo Action=softOff
wait_until "$WAIT_S" job_is 2/alice/first State verifying
for name in second third fourth; do
    accepted "a $name in the queue" $op 1/alice/$name RowStatus=createAndGo Action=identify
    is "$(job_get 1/alice/$name State Remaining)" "scheduled 0" "waits for its turn"
    case $name in
    second) accepted "and is disabled" $op 1/alice/$name AdminStatus=disabled && ends 1/alice/$name aborted aborted "ends" ;;
    third) accepted "and is destroyed" $op 1/alice/$name RowStatus=destroy && job_gone 1/alice/$name && pass "is gone" ;;
    esac
done
accepted "the first is destroyed" $op 2/alice/first RowStatus=destroy
ends 1/alice/fourth succeeded ok "and the last one's turn comes"
put pmAgentJobMaxConcurrent.1 64 >/dev/null

# ---- activated, and not enabled ----

row=1/alice/hold
accepted "a job that is not to begin" $op $row RowStatus=createAndGo Action=identify AdminStatus=disabled
is "$(job_get $row RowStatus State AdminStatus)" "active notReady disabled" "does not"
is "$(active_job 1)" zeroDotZero "nor does it hold the machine"
refused inconsistentValue "it is not edited" $op $row Action=powerOff
accepted "enabled" $op $row AdminStatus=enabled
ends $row succeeded ok "it is done"
accepted "enabled again" $op $row AdminStatus=enabled
is "$(job_get $row State)" succeeded "does not repeat it"

# ---- again, from the same row ----

accepted "out of service" $op $row RowStatus=notInService
is "$(job_get $row RowStatus State Result StepsTotal Progress)" "notInService notReady none 0 0" "its result and steps are cleared"
like "$(job_get $row ResultText)" "starts when pmJobRowStatus is active" "the text says what it waits for"
accepted "another action" $op $row Action=powerOff Scope=machine
accepted "activated" $op $row RowStatus=active
ends $row succeeded ok "is done"
is "$(job_steps $row Action)" bmcPowerDown "as it says now"
refused inconsistentValue "create and go, though it is there" $op $row RowStatus=createAndGo Action=powerOff Scope=machine
refused inconsistentValue "create and wait, too" $op $row RowStatus=createAndWait
begun=$(job_get $row StartTime)
accepted "active, once more" $op $row RowStatus=active
is "$(job_get $row State StartTime)" "succeeded $begun" "does nothing"
accepted "it is destroyed" $op $row RowStatus=destroy
job_gone $row
ok $? "at once"

# ---- how long a row stays ----

row=1/alice/short
accepted "a row that is kept for a second" $op $row RowStatus=createAndGo Action=identify Retain=1
wait_until "$WAIT_S" job_gone $row
ok $? "goes by itself"
trap_mark
accepted "one that is not kept" $op 1/alice/none RowStatus=createAndGo Action=identify Retain=0
told "pmJobFinished.*pmNotifyJobName.0 = none" "is told"
wait_until "$WAIT_S" job_gone 1/alice/none
ok $? "and gone"
accepted "one that is kept for an hour" $op 1/alice/kept RowStatus=createAndGo Action=identify
ends 1/alice/kept succeeded ok "is done"
accepted "may be let go" $op 1/alice/kept Retain=0
wait_until "$WAIT_S" job_gone 1/alice/kept
ok $? "and goes"

# ---- several rows in one SET: all or none ----

pair() {
    answer=$(snmp_as $op set "pmJobAction.$(job_index 1/x/a)" = identify "pmJobRowStatus.$(job_index 3/x/b)" = createAndGo \
        "pmJobRowStatus.$(job_index 1/x/a)" = createAndGo "pmJobAction.$(job_index 3/x/b)" = "$1" 2>&1)
}
pair suspend
like "$answer" "inconsistentValue" "two rows, of which one cannot be: inconsistentValue"
is "$(job_rows | grep -c /x/)" 0 "neither is there"
pair identify
unlike "$answer" Reason "two that can, their columns in disorder"
ends 1/x/a succeeded ok "one is done"
ends 3/x/b succeeded ok "and the other"
like "$(snmp_as $op set pmMachineInhibit.1 = true "pmJobRowStatus.$(job_index 1/x/c)" = createAndWait \
    pmNicPort.4.9 = 7 2>&1)" inconsistentName "a row beside what is not there, in another table: inconsistentName"
job_gone 1/x/c && value_is pmMachineInhibit.1 false
ok $? "nothing of it has happened"
snmp_as $op set pmMachineInhibitReason.1 = "by hand" "pmJobRowStatus.$(job_index 1/x/c)" = createAndWait >/dev/null 2>&1
job_exists 1/x/c && value_is pmMachineInhibitReason.1 "by hand"
ok $? "a row and a setting, in one SET"
like "$(snmp_as $op set "pmJobRowStatus.$(job_index 1/x/d)" = createAndWait "pmJobRowStatus.$(job_index 1/x/d)" = createAndGo 2>&1)" \
    inconsistentValue "the same object twice: inconsistentValue"
like "$(snmp_as $op set "pmJobRowStatus.$(job_index 1/x/d)" = createAndGo "pmJobAction.$(job_index 1/x/d)" = identify \
    "pmJobRowStatus.$(job_index 1/x/e)" = createAndGo "pmJobAction.$(job_index 1/x/e)" = powerOn 2>&1)" \
    inconsistentValue "two jobs for one machine: inconsistentValue"
job_gone 1/x/d && job_gone 1/x/e
ok $? "neither is there"

# ---- the simple verbs have rows, too ----

before=$(job_rows | grep -c '^3//')
put pmMachineCommand.3 powerOff >/dev/null
job_end 3
row=$(job_rows | grep '^3//' | tail -n 1)
like "$row" '^3//set-[0-9]+$' "a verb has a row without an owner"
is "$(job_get "$row" Label Action Scope State Result RowStatus)" ' powerOff machine succeeded ok active' "that tells how it went"
is "$(job_rows | grep -c '^3//')" $((before + 1)) "one"
put pmBmcBootDevice.3 pxe >/dev/null
job_end 3
row=$(job_rows | grep '^3//' | tail -n 1)
wait_until "$WAIT_S" job_ended "$row"
is "$(job_get "$row" Action RowStatus)" "none active" "a setting of the BMC has one, too"
refused inconsistentValue "it is not edited" $op "$row" Action=powerOn
accepted "it is destroyed" $op "$row" RowStatus=destroy
job_gone "$row"
ok $? "and gone"
put pmMachineCommand.2 softOff >/dev/null
row=$(job_rows | grep '^2//' | tail -n 1)
wait_until "$WAIT_S" job_is "$row" State verifying
is "$(active_job 2)" "pmJobAction.$(job_index "$row")" "a verb at work is the active job"
accepted "and can be aborted" $op "$row" AdminStatus=disabled
ends "$row" aborted aborted "by who has the right"

# ---- a group: a row for each member, and one notification at the end ----

trap_mark
put 'pmGroupCommand."all"' softOff >/dev/null
ok $? "softOff for a group; of its members one is off, one takes an hour, and one cannot"
row=$(job_rows | grep '^2//' | tail -n 1)
wait_until "$WAIT_S" job_is "$row" State verifying
ends "$(job_rows | grep '^1//' | tail -n 1)" succeeded alreadyInState "the first has nothing to do"
is "$(trap_count pmGroupFinished)" 0 "while one is at work the group is not done"
accepted "that one is aborted" $op "$row" AdminStatus=disabled
told pmGroupFinished "then the end of the verb is told"
is "$(trap_objects "$told")" "$(mib_objects pmGroupFinished)" "as the MIB says"
is "$(for name in pmMachineName pmNotify{GroupName,JobAction,JobsTotal,JobsSucceeded,JobsFailed}; do
    trap_value "$told" "$name.0"
done | paste -sd' ')" " all softOff 3 jobs 2 jobs 1 jobs" "how many did which"
like "$(trap_value "$told" pmNotifyText.0)" "could not" "and the text tells of the others"

# ---- the way to wake ----

row=4/alice/wake
index=$(job_index $row)
capture_port() { timeout 20 tcpdump -i "$(segment_interface lan)" -c 1 -nn udp port 4009 >"$LAB/log/tcpdump.log" 2>"$LAB/log/tcpdump.err"; }
: >"$LAB/log/tcpdump.err"
capture_port &
capture=$!
wait_until 10 grep -q listening "$LAB/log/tcpdump.err"
answer=$(snmp_as $op set "pmJobRowStatus.$index" = createAndGo "pmJobAction.$index" = wake "pmJobTimeout.$index" = 20 \
    "pmJobWolAddrType.$index" = ipv4 "pmJobWolAddr.$index" x c61201ff "pmJobWolPort.$index" = 4009 2>&1)
unlike "$answer" Reason "a wake to an address of its own"
wait "$capture"
like "$(cat "$LAB/log/tcpdump.log")" "198.18.1.255.4009: UDP, length 102" "goes there, by UDP"
is "$(job_steps $row Action)" wakeSend "by its step"
accepted "it is aborted" $op $row RowStatus=destroy

# ---- after a restart ----

accepted "a job in ten minutes" $op 3/alice/over RowStatus=createAndGo Action=powerOn Delay=600 Label=over
accepted "one that is not to survive" $op 1/x/volatile RowStatus=createAndWait StorageType=volatile
down_to() { (($(job_get "$1" Remaining) <= $2)); }
wait_until "$WAIT_S" down_to 3/alice/over 598
rows=$(job_rows | grep -v volatile)
ended=$(job_get 1/alice/on State Result ResultText StartTime EndTime Label)
lab_agent_stop
lab_agent -v
ok $? "the agent is started again"
wait_until "$WAIT_S" job_exists 3/alice/over
is "$(job_rows)" "$rows" "the rows are there"
is "$(job_get 1/alice/on State Result ResultText StartTime EndTime Label)" "$ended" "an ended one as it was"
is "$(job_steps 1/alice/on Action State Result)" "bmcPowerUp succeeded ok" "with its step"
is "$(job_get 3/alice/over State Label RowStatus)" "scheduled over active" "and the other waits on"
remaining=$(job_get 3/alice/over Remaining)
((remaining > 500 && remaining <= 598))
ok $? "for what was left" || diag "$remaining"
is "$(job_get 1/x/c RowStatus)" notReady "a draft, too"
accepted "it is aborted" $op 3/alice/over AdminStatus=disabled
ends 3/alice/over aborted aborted "and ends"

lab_agent_stop
is "$LAB_STATUS" 0 "the agent ends well"
done_testing
