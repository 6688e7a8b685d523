#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Every verb on machines with BMCs: what the chassis was told, how often, and how it is shown and told.
# shellcheck disable=SC2119 # functions of the lab have optional arguments
set -u
# shellcheck source=tests/lab/lab.sh
. "$(dirname "$0")/../lab/lab.sh"
# shellcheck source=tests/integration/room.sh
. "$(dirname "$0")/room.sh"
lab_begin "$@"

# ---- given: a machine that obeys its power button, one that ignores it, one for faults, one that a probe watches too ----

{ lab_snmptrapd && lab_snmpd; } || bail_out "no master agent"
for machine in web01 web02 web04; do lab_bmc "$machine" -- -t 300 || bail_out "no BMC"; done
lab_bmc web03 --on -- -i || bail_out "no BMC"
lab_agent_conf <<END
agent { name = "room"  poll-interval = 1s }
credentials "lab" { username = "$LAB_BMC_USER"  password-file = "$LAB_BMC_PASSWORD_FILE"  cipher-suites = { 3 } }
machine "web01" { bmc { address = "$(bmc_address web01)"  credentials = "lab" } }
machine "web02" { bmc { address = "$(bmc_address web02)"  credentials = "lab" } }
machine "web03" { bmc { address = "$(bmc_address web03)"  credentials = "lab" }  off-timeout = 3s }
machine "web04" { bmc { address = "$(bmc_address web04)"  credentials = "lab" }  on-timeout = 3s  off-timeout = 3s }
END
lab_agent || bail_out "no agent"
becomes pmMachinePowerState.1 off "web01 is seen off"
becomes pmMachinePowerState.2 off "web02 is seen off"
becomes pmMachinePowerState.3 on "web03 is seen on"
becomes pmMachinePowerState.4 off "web04 is seen off"
is "$(value pmMachineStateSource.1)" bmc "by its BMC"
is "$(value pmMachineLastResult.1)" none "no result before the first job"
is "$(trap_count pmPowerStateChange)" 0 "the first observation ever is not a change"

# ---- powerOn, and all that is told of it ----

# A DateAndTime, as the tools print it, in seconds ago.
seconds_ago() {
    local text
    text=$(value "$1" | sed -E 's/([0-9]+)-([0-9]+)-([0-9]+),([0-9]+:[0-9]+:[0-9]+)\.[0-9],([+-])([0-9]+):([0-9]+)/\1-\2-\3 \4 UTC\5\6:\7/')
    echo $(($(date +%s) - $(date -d "$text" +%s)))
}
is_recent() { local age; age=$(seconds_ago "$1") && ((age >= -1 && age <= 60)); }

trap_mark
verb 1 powerOn ok "powerOn"
machine_is_on web01
ok $? "the machine runs"
is "$(commands_of web01)" "bmc set power 1" "its chassis was told once"
is "$(value pmMachinePowerState.1)" on "on is shown"
like "$(result_text 1)" "on, observed by the BMC" "the result says who saw it"
is_recent pmMachineLastChange.1
ok $? "LastChange is now"
is "$(value pmMachinePowerOnCount.1) $(value pmMachinePowerOffCount.1)" "1 0" "a power-on was counted"
is "$(value pmMachineCommand.1)" none "Command reads none"
is "$(value pmAgentJobsStarted.1) $(value pmAgentJobsFailed.1) $(value pmAgentJobsActive.1)" "1 0 0" "one job, none failed, none active"

told pmJobStarted "pmJobStarted"
started=$told
is "$(trap_names "$told")" "pmMachineName.1 pmNotifyJobOwner.0 pmNotifyJobName.0 pmNotifyJobLabel.0 pmNotifyJobAction.0 pmNotifyEventIndex.0" \
    "pmJobStarted: names and instances in order"
is "$(trap_value "$told" pmMachineName.1) $(trap_value "$told" pmNotifyJobAction.0)" "web01 powerOn" "pmJobStarted: values"
told pmPowerStateChange "pmPowerStateChange"
is "$(trap_names "$told")" "pmMachineName.1 pmMachinePowerState.1 pmNotifyOldPowerState.0 pmMachineStateSource.1 pmNotifyEventIndex.0" \
    "pmPowerStateChange: names and instances in order"
is "$(trap_value "$told" pmMachineName.1) $(trap_value "$told" pmMachinePowerState.1) $(trap_value "$told" pmNotifyOldPowerState.0) $(trap_value "$told" pmMachineStateSource.1)" \
    "web01 on off bmc" "pmPowerStateChange: values"
is "$(value "pmEventKind.1.$(trap_value "$told" pmNotifyEventIndex.0)")" powerState "its event row is a change of power state"
is "$(value "pmEventText.1.$(trap_value "$told" pmNotifyEventIndex.0)")" "power state on, was off (BMC)" "and says the same"
told pmJobFinished "pmJobFinished"
is "$(trap_names "$told")" "pmMachineName.1 pmMachineLastResult.1 pmMachineLastResultText.1 pmNotifyJobOwner.0 pmNotifyJobName.0 pmNotifyJobLabel.0 pmNotifyJobAction.0 pmMachinePowerState.1 pmNotifyEventIndex.0" \
    "pmJobFinished: names and instances in order"
is "$(trap_value "$told" pmMachineLastResult.1) $(trap_value "$told" pmNotifyJobAction.0) $(trap_value "$told" pmMachinePowerState.1)" \
    "ok powerOn on" "pmJobFinished: values"
is "$(trap_value "$told" pmMachineLastResultText.1)" "$(result_text 1)" "pmJobFinished: the text is that of the row"
is "$(trap_value "$told" pmNotifyJobName.0)" "$(trap_value "$started" pmNotifyJobName.0)" "started and finished name one job"
is "$(value "pmEventKind.1.$(trap_value "$told" pmNotifyEventIndex.0)")" jobFinished "its event row is the end of a job"
like "$(value "pmEventText.1.$(trap_value "$told" pmNotifyEventIndex.0)")" "powerOn: ok: $(result_text 1)" "and says the same"
for type in pmJobStarted pmPowerStateChange pmJobFinished; do
    is "$(trap_objects "$(trap_lines | grep -m 1 "$type")")" "$(mib_objects "$type")" "$type has the OBJECTS of the MIB"
done
is "$(trap_lines | grep -Eo 'pmJobStarted|pmPowerStateChange|pmJobFinished' | paste -sd' ')" \
    "pmJobStarted pmPowerStateChange pmJobFinished" "each once, in the order of what happened"

# ---- the same again ----

forget_commands web01
verb 1 powerOn alreadyInState "powerOn of what is on"
verb 1 powerOff ok "powerOff"
machine_is_off web01
ok $? "the machine does not run"
verb 1 powerOff alreadyInState "powerOff of what is off"
is "$(commands_of web01)" "bmc set power 0" "only the one command that changed something was sent"
is "$(value pmMachinePowerOnCount.1) $(value pmMachinePowerOffCount.1)" "1 1" "a power-off was counted"

# ---- momentary verbs: exactly once ----

verb 1 powerOn ok "on again"
forget_commands web01
pid=$(machine_pid web01)
verb 1 reset ok "reset"
is "$(commands_of web01)" "bmc set reset 1" "reset was sent once"
isnt "$(machine_pid web01)" "$pid" "another process"
pid=$(machine_pid web01)
forget_commands web01
verb 1 cycle ok "cycle"
is "$(commands_of web01)" "bmc set power 0,bmc set power 1" "cycle was sent once"
isnt "$(machine_pid web01)" "$pid" "another process"
is "$(machine_boots web01)" 4 "four boots in all"
forget_commands web01
verb 1 diagnosticInterrupt rejected "diagnosticInterrupt: this BMC knows none"
like "$(result_text 1)" "0x[Cc][0-9A-Fa-f]|not supported|invalid" "the text has the BMC's answer"
is "$(commands_of web01)" "" "nothing reached the chassis"
trap_mark
verb 1 diagnosticInterrupt rejected "diagnosticInterrupt again"
told pmJobFailed "pmJobFailed"
is "$(trap_objects "$told")" "$(mib_objects pmJobFailed)" "pmJobFailed has the OBJECTS of the MIB"
is "$(trap_value "$told" pmMachineLastResult.1)" rejected "with the result"
is "$(value "pmEventSeverity.1.$(trap_value "$told" pmNotifyEventIndex.0)")" critical "its event is critical"
is "$(value pmAgentJobsFailed.1)" 2 "failed jobs are counted"
machine_is_on web01
ok $? "and the machine still runs"

# ---- graceful ----

verb 2 powerOn ok "web02 on"
forget_commands web02
verb 2 softOff ok "softOff of a machine that obeys"
is "$(commands_of web02)" "bmc set shutdown 1" "the button was pressed once"
forget_commands web03
verb 3 softOff timeout "softOff of a machine that ignores it"
like "$(result_text 3)" "still on after 3 s" "the text says what is the case"
is "$(commands_of web03)" "bmc set shutdown 1" "the button was pressed once, and nothing else done"
is "$(value pmMachinePowerState.3)" on "it is shown as it is: on"
forget_commands web03
put pmMachineCommand.3 shutdown >/dev/null
ok $? "shutdown of that machine"
becomes pmMachinePowerState.3 poweringOff "poweringOff, while its button is being tried"
is "$(value pmMachineLastResult.3)" none "no result while the job runs"
job_end 3
is "$(value pmMachineLastResult.3)" ok "shutdown: ok"
is "$(commands_of web03)" "bmc set shutdown 1,bmc set power 0" "first the button, after off-timeout the power"
lab_agent_logged 'web03: .*falling back'
ok $? "the log says that it fell back"
verb 2 powerOn ok "web02 on"
forget_commands web02
boots=$(machine_boots web02)
verb 2 shutdown ok "shutdown of a machine that obeys"
is "$(commands_of web02)" "bmc set shutdown 1" "its power was not cut"
verb 2 powerOn ok "web02 on"
forget_commands web02
verb 2 reboot ok "reboot of a machine that obeys"
is "$(commands_of web02)" "bmc set shutdown 1,bmc set power 1" "down by its button, up by its BMC"
is "$(machine_boots web02)" $((boots + 2)) "booted once more"
is "$(value pmMachinePowerState.2)" on "and on"
verb 3 reboot rejected "reboot of a machine that is off"
like "$(result_text 3)" "is off" "says that it is off"

# ---- the wish ----

put pmMachineAdminState.1 off >/dev/null
ok $? "AdminState off"
job_end 1
is "$(value pmMachineLastResult.1) $(value pmMachineAdminState.1) $(value pmMachinePowerState.1)" "ok off off" "off, and the wish can be read"
forget_commands web01
put pmMachineAdminState.1 on >/dev/null
job_end 1
is "$(value pmMachineLastResult.1) $(value pmMachineAdminState.1) $(value pmMachinePowerState.1)" "ok on on" "on, and the wish can be read"
put pmMachineAdminState.1 unmanaged >/dev/null
is "$? $(value pmMachineAdminState.1) $(commands_of web01)" "0 unmanaged bmc set power 1" "unmanaged: no wish, nothing sent"

# ---- pmBmcChassisControl ----

control() {
    forget_commands "web0$1"
    put "pmBmcChassisControl.$1" "$2" >/dev/null || fail "ChassisControl $2 is accepted"
    job_end "$1"
    is "$(value "pmMachineLastResult.$1"): $(commands_of "web0$1")" "$3" "ChassisControl $2"
}
control 2 powerDown "ok: bmc set power 0"
control 2 powerUp "ok: bmc set power 1"
control 2 powerCycle "ok: bmc set power 0,bmc set power 1"
control 2 hardReset "ok: bmc set reset 1"
control 2 diagnosticInterrupt "rejected: "
control 2 softShutdown "ok: bmc set shutdown 1"
is "$(value pmBmcChassisControl.2)" none "ChassisControl reads none"

# ---- settings of the BMC ----

put pmBmcBootDevice.2 pxe >/dev/null
ok $? "BootDevice pxe is accepted"
job_end 2
wait_until "$WAIT_S" test -s "$LAB/machine/web02/boot"
is "$(cat "$LAB/machine/web02/boot")" pxe "the chassis has it"
job_end 2
is "$(value pmMachineLastResult.2) $(value pmBmcBootDevice.2)" "rejected noOverride" \
    "but ipmi_sim marks its flags as not valid: what is not read back is no success"
like "$(result_text 2)" "does not report what was set" "in words"
put pmBmcRestorePolicy.2 alwaysOn >/dev/null
ok $? "RestorePolicy is accepted"
job_end 2
is "$(value pmMachineLastResult.2)" rejected "and rejected by a BMC that has none"
isnt "$(result_text 2)" "" "in words"
trap_mark
put pmBmcIdentify.2 timed >/dev/null
ok $? "Identify is accepted"
told pmJob.*ed.*pmMachineLastResult.2 "its job has an end"
is "$(cat "$LAB/machine/web02/identify")" "15 0" "the chassis blinks for 15 s"
rm "$LAB/machine/web02/identify"
put pmMachineCommand.2 identify >/dev/null
ok $? "the verb identify is accepted"
job_end 2
is "$(cat "$LAB/machine/web02/identify")" "15 0" "the chassis blinks for 15 s"

# ---- states in between, one job at a time ----

forget_commands web04
trap_mark
bmc_silence web04
put pmMachineCommand.4 powerOn >/dev/null
ok $? "a verb for a BMC that hangs is accepted at once"
is "$(value pmMachinePowerState.4)" poweringOn "poweringOn"
is "$(number pmStateMapStates.1 | tr -d '" \n' | cut -c1-8)" "$(printf '%02X' "$(number pmMachinePowerState.1)" "$(number pmMachinePowerState.2)" "$(number pmMachinePowerState.3)" 3)" \
    "the state map says the same"
is "$(value pmMachineLastResult.4)" none "no result yet"
put pmMachineCommand.4 powerOn >/dev/null
ok $? "the same verb again is accepted"
like "$(put pmMachineCommand.4 powerOff)" inconsistentValue "another one is not"
lab_agent_logged 'web04 is busy: job set-[0-9]+ \(powerOn\) is at work'
ok $? "the log says why"
is "$(value pmAgentJobsActive.1)" 1 "there is one job"
bmc_resume web04
job_end 4
is "$(value pmMachineLastResult.4)" ok "it succeeds when the BMC is back"
is "$(trap_count pmJobStarted)" 1 "there was one job"
bmc_silence web04
put pmMachineCommand.4 reset >/dev/null
is "$(value pmMachinePowerState.4)" restarting "restarting"
bmc_resume web04
job_end 4
is "$(value pmMachineLastResult.4)" ok "reset: ok"
is "$(machine_count web04 'set reset')" 1 "and sent once"

# ---- a refusing chassis ----

machine_refuse web04 yes
verb 4 powerOff rejected "a chassis that refuses"
machine_refuse web04 no
is "$(value pmMachinePowerState.4)" on "shown as it is: on"
verb 4 powerOff ok "and later obeys"

# ---- behind the agent's back ----

count=$(value pmMachinePowerOffCount.1)
trap_mark
bmc_power web01 off
told 'pmPowerStateChange.*pmMachinePowerState.1 = off' "a power cut behind the agent's back is told"
is "$(trap_value "$told" pmNotifyOldPowerState.0) $(trap_value "$told" pmMachineStateSource.1)" "on bmc" "with the old state and the source"
is "$(value pmMachinePowerState.1) $(value pmMachinePowerOffCount.1)" "off $((count + 1))" "and shown, and counted"
[[ $(value pmMachineStateAge.1) -le 10 ]]
ok $? "StateAge is that of the last poll"
is "$(value pmAgentMachinesOn.1) $(value pmAgentMachinesOff.1) $(value pmAgentMachinesUnknown.1)" "0 4 0" "the totals agree"

# ---- inhibit ----

trap_mark
forget_commands web01
put pmMachineInhibit.1 true pmMachineInhibitReason.1 "fan exchange, until noon" >/dev/null
ok $? "Inhibit with its reason in one SET"
told pmInhibitChange "pmInhibitChange"
is "$(trap_objects "$told")" "$(mib_objects pmInhibitChange)" "has the OBJECTS of the MIB"
is "$(trap_value "$told" pmMachineName.1) $(trap_value "$told" pmMachineInhibit.1) $(trap_value "$told" pmMachineInhibitReason.1)" \
    "web01 true fan exchange, until noon" "with values"
is "$(value "pmEventKind.1.$(trap_value "$told" pmNotifyEventIndex.0)")" inhibit "and an event row"
log_mark
like "$(put pmMachineCommand.1 powerOn)" inconsistentValue "a verb is refused"
like "$(put pmBmcChassisControl.1 powerUp)" inconsistentValue "chassis control as well"
like "$(put pmMachineAdminState.1 on)" inconsistentValue "and a wish"
is "$(value pmMachineAdminState.1)" unmanaged "which is not kept"
is "$(logged_count 'web01 is inhibited: fan exchange, until noon')" 3 "the log says why, each time"
verb 2 powerOn ok "another machine is free"
put pmMachineInhibit.1 false >/dev/null
verb 1 powerOn ok "allowed again"
is "$(commands_of web01)" "bmc set power 1" "nothing was sent in between"
trap_mark
put pmAgentInhibit.1 true >/dev/null
told 'pmInhibitChange.*pmAgentInhibit.1 = true' "pmAgentInhibit is told"
is "$(trap_names "$told")" "pmMachineName.0 pmMachineInhibit.0 pmMachineInhibitReason.0 pmNotifyEventIndex.0 pmAgentInhibit.1" "as the MIB says"
like "$(put pmMachineCommand.1 powerOff)" inconsistentValue "all verbs are refused"
put pmAgentInhibit.1 false >/dev/null
verb 1 powerOff ok "and allowed again"

# ---- no notifications, when they are not wanted ----

put pmAgentNotifyEnable.1 false >/dev/null
trap_mark
verb 1 powerOn ok "a verb while notifications are off"
put pmAgentNotifyEnable.1 true >/dev/null
verb 1 powerOff ok "and one while they are on again"
told 'pmJobFinished.*pmNotifyJobAction.0 = powerOff' "the second is told"
is "$(trap_count 'pmNotifyJobAction.0 = powerOn')" 0 "the first is not"
lab_agent_stop
is "$LAB_STATUS" 0 "the agent stops cleanly"
done_testing
