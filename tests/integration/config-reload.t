#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# A new configuration while the agent runs, by SIGHUP and by pmAgentConfigReload: what is new is served, what stays is
# not disturbed, indexes never change hands, and a bad file changes nothing.
# shellcheck disable=SC2119 # functions of the lab have optional arguments
set -u
# shellcheck source=tests/lab/lab.sh
. "$(dirname "$0")/../lab/lab.sh"
# shellcheck source=tests/integration/room.sh
. "$(dirname "$0")/room.sh"
lab_begin "$@"
shopt -s lastpipe # "… | reload" is this shell

# ---- given: three machines with BMCs, one of which also has a NIC ----

{ lab_snmptrapd && lab_snmpd; } || bail_out "no master agent"
{ lab_bmc web01 --on && lab_bmc web02 && lab_bmc web03 --password other && lab_bmc web04 --on; } || bail_out "no BMC"
other=$(lab_agent_secret other.password other)

head_of() {
    cat <<END
agent { name = "room"  poll-interval = 1s }
credentials "lab" { username = "$LAB_BMC_USER"  password-file = "${1:-$LAB_BMC_PASSWORD_FILE}"  cipher-suites = { 3 } }
END
}
# machine NAME ADDRESS [SETTINGS]
machine() { printf 'machine "%s" { bmc { address = "%s"  credentials = "lab"  timeout = 1s }  %s }\n' "$1" "$2" "${3:-}"; }
nic() { printf 'nic "%s" { mac = "%s"  interface = "%s" }' "$1" "$2" "${3:-wol0}"; }
# reload: standard input is the new configuration; returns when it was read.
reload() {
    lab_agent_conf
    log_mark
    lab_agent_reload
    wait_until "$WAIT_S" logged 'pmstackd.conf: [0-9]+ machines|stays in force|not taken over'
}
index_of() { value "pmNameIndex.\"$1\""; }
requests() { value "pmBmcRequests.$1"; }

{ head_of; machine web01 127.0.1.1 "$(nic eth0 02:00:5e:50:00:01)"; machine web02 127.0.1.2; } | lab_agent_conf
lab_agent || bail_out "no agent"
becomes pmMachinePowerState.1 on "web01 is on"
becomes pmMachinePowerState.2 off "web02 is off"
trap_mark

# ---- added ----

sessions=$(value pmBmcSessions.1)
changed=$(value pmAgentMachineTableLastChange.1)
{ head_of; machine web04 127.0.1.4; machine web02 127.0.1.2; machine web01 127.0.1.1 "$(nic eth0 02:00:5e:50:00:01)"; } | reload
ok $? "SIGHUP: the configuration is read"
is "$(index_of web01) $(index_of web02) $(index_of web04)" "1 2 3" "a new machine, first in the file, has a new index, the others theirs"
becomes pmMachinePowerState.3 on "it is polled"
is "$(value pmMachinePowerState.1) $(value pmBmcSessions.1)" "on $sessions" "what stays keeps its state, and the session with its BMC"
is "$(value pmAgentMachines.1)" 3 "three machines"
isnt "$(value pmAgentMachineTableLastChange.1)" "$changed" "MachineTableLastChange has moved"
is "$(value pmAgentConfigError.1)" "" "no error"
is "$(trap_count 'pmPowerStateChange.*pmMachineName.[12] ')" 0 "nobody's state has changed"

# ---- removed, and added again ----

{ head_of; machine web01 127.0.1.1 "$(nic eth0 02:00:5e:50:00:01)"; machine web04 127.0.1.4; } | reload
like "$(value pmMachineName.2)" 'No Such Instance' "a machine that was removed is not served"
like "$(value pmBmcStatus.2)" 'No Such Instance' "nor its BMC"
like "$(put pmMachineCommand.2 powerOn)" noCreation "nor can it be switched"
lab_agent_logged 'web02 \(index 2\) is no longer configured'
ok $? "the log says so"
{ head_of; machine web01 127.0.1.1 "$(nic eth0 02:00:5e:50:00:01)"; machine new01 127.0.1.3; machine web04 127.0.1.4; } | reload
is "$(index_of new01)" 4 "another machine does not get its index"
{ head_of; machine web01 127.0.1.1 "$(nic eth0 02:00:5e:50:00:01)"; machine web02 127.0.1.2; machine web04 127.0.1.4; } | reload
is "$(index_of web02)" 2 "it gets its own when it comes again"
like "$(value pmMachineName.4)" 'No Such Instance' "and the other is gone"
becomes pmMachinePowerState.2 off "and it is polled again"
snmp_as reader walk -Ov pmEventText.2 2>/dev/null | grep -q 'power state off'
ok $? "with its history"

# ---- changed: NIC, BMC's address, BMC's password ----

{ head_of; machine web01 127.0.1.1 "$(nic eth1 02:00:5e:50:00:02) $(nic eth0 02:00:5e:50:00:11)"; machine web02 127.0.1.2; machine web04 127.0.1.4; } | reload
is "$(value pmNicName.1.1) $(value pmNicName.1.2)" "eth0 eth1" "a second NIC has the next index, the first its own"
is "$(value pmNicMacAddress.1.1)" "2:0:5e:50:0:11" "a new MAC address is shown"
is "$(value pmMachinePowerState.1) $(value pmBmcSessions.1)" "on $sessions" "and the BMC's session goes on"
{ head_of; machine web01 127.0.1.1 "$(nic eth1 02:00:5e:50:00:02)"; machine web02 127.0.1.4; } | reload
is "$(value pmBmcAddress.2)" "127.0.1.4" "a BMC's new address is shown"
becomes pmMachinePowerState.2 on "and asked: the machine there is on"
like "$(value pmNicName.1.1)" 'No Such Instance' "a NIC that was removed is not served"
is "$(value pmNicName.1.2)" eth1 "the other keeps its index"
{ head_of; machine web03 127.0.1.3; machine web01 127.0.1.1; } | reload
becomes pmBmcStatus.5 authFailed "a BMC with another password"
{ head_of "$other"; machine web03 127.0.1.3; } | reload
becomes pmBmcStatus.5 ok "and with the right one after a reload"
becomes pmMachinePowerState.5 off "is asked"

# ---- in the middle of a job ----

{ head_of; machine web01 127.0.1.1; machine web02 127.0.1.2; machine web04 127.0.1.4; } | reload
wait_until "$WAIT_S" state_is 2 off
wait_until "$WAIT_S" state_is 3 on
bmc_silence web02
put pmMachineCommand.2 powerOn >/dev/null
{ head_of; machine web01 127.0.1.1; machine web02 127.0.1.2 "on-timeout = 20s"; machine web04 127.0.1.4; } | reload
is "$(value pmMachinePowerState.2)" poweringOn "a reload in the middle of a job: it goes on"
bmc_resume web02
job_end 2
is "$(value pmMachineLastResult.2)" ok "and ends"
bmc_kill web02
wait_until "$WAIT_S" machine_is_on web02
put pmMachineCommand.2 powerOff >/dev/null
{ head_of; machine web01 127.0.1.1; machine web02 127.0.1.5; machine web04 127.0.1.4; } | reload
is "$(value pmMachineLastResult.2)" none "its BMC has another address in the middle of a job: it goes on there"
lab_bmc web05 --on || bail_out "no BMC"
is "$(bmc_address web05)" 127.0.1.5 "a BMC at that address"
job_end 2
is "$(value pmMachineLastResult.2) $(commands_of web05 | sed 's/.*,//')" "ok bmc set power 0" "which does it"
bmc_start web02
bmc_silence web04
trap_mark
put pmMachineCommand.3 powerOff >/dev/null
{ head_of; machine web01 127.0.1.1; } | reload
told 'pmJobFailed.*pmMachineLastResult.3 = aborted' "a machine is removed in the middle of its job: aborted, and told"
like "$(trap_value "$told" pmMachineLastResultText.3)" "removed from the configuration" "with the reason"
is "$(value pmAgentJobsActive.1)" 0 "no job is left"
bmc_resume web04

# ---- nobody's word any more: a BMC that goes, or another in its place ----

{ head_of; machine web01 127.0.1.1; machine web04 127.0.1.4; } | reload
bmc_power web04 on
becomes pmMachinePowerState.1 on "web01 is on"
becomes pmMachinePowerState.3 on "web04 is on"
trap_mark
{ head_of; printf 'machine "web01" { %s }\n' "$(nic eth0 02:00:5e:50:00:01)"; machine web04 127.0.9.9; } | reload
is "$(value pmMachinePowerState.1) $(value pmMachineStateSource.1)" "unknown none" "a machine whose BMC was removed: nobody knows its state"
is "$(value pmMachinePowerState.3) $(value pmMachineStateSource.3)" "unknown none" "nor that of one with another BMC, which is silent"
is "$(value pmAgentMachinesOn.1) $(value pmAgentMachinesUnknown.1)" "0 2" "the totals agree"
told 'pmPowerStateChange.*pmMachinePowerState.1 = unknown' "where nobody will say more it is told"
is "$(trap_value "$told" pmNotifyOldPowerState.0) $(trap_value "$told" pmMachineStateSource.1)" "on none" "with what was before"
{ head_of; machine web01 127.0.1.1; machine web04 127.0.1.4; } | reload
becomes pmMachinePowerState.1 on "a BMC again: its answer"
becomes pmMachinePowerState.3 on "and the right one again"
is "$(trap_count 'pmPowerStateChange.*pmMachinePowerState.3')" 0 "a BMC that says what the one before it said is no news"

# ---- the NIC of a wake goes, while it runs and while it waits ----

lab_segment lan || bail_out "no segment"
# naps [MAC-OF-NAP1 [MAC-OF-NAP2]]: a burst takes 4 s; nobody ever answers the probes.
naps() {
    head_of
    for number in 1 2; do
        printf 'machine "nap%d" { wol-repeats = 40  probe { method = "icmp"  address = "198.18.1.9%d" }  nic "eth0" { %s interface = "%s" } }\n' \
            "$number" "$number" "${!number:+mac = \"${!number}\"}" "$(segment_interface lan)"
    done
}
nap1=02:00:5e:50:01:01
nap2=02:00:5e:50:01:02
was_sent() { [[ $(value "pmNicWakeSent.$1.1") -gt 0 ]]; }
naps "$nap1" "$nap2" | reload
first=$(index_of nap1)
second=$(index_of nap2)
put pmAgentJobMaxConcurrent.1 1 >/dev/null
put "pmNicWake.$first.1" send >/dev/null
put "pmNicWake.$second.1" send >/dev/null
ok $? "two wakes, of which one waits"
wait_until "$WAIT_S" was_sent "$first"
is "$(value "pmNicWakeSent.$second.1") $(value pmAgentJobsActive.1)" "0 2" "the first is in the middle of its burst"
naps | reload
for index in "$first" "$second"; do
    job_end "$index"
    is "$(value "pmMachineLastResult.$index")" notConfigured "the MAC addresses are removed: wake of machine $index"
    like "$(result_text "$index")" "NIC is no longer configured" "in words"
done
is "$(value pmAgentJobsActive.1)" 0 "both machines are free"
naps "$nap1" | reload
put "pmNicWake.$first.1" send >/dev/null
ok $? "another wake"
wait_until "$WAIT_S" value_is "pmMachineLastResult.$first" none
{ head_of; printf 'machine "nap1" { probe { method = "icmp"  address = "198.18.1.91" } }\n'; machine web04 127.0.1.4; } | reload
job_end "$first"
is "$(value "pmMachineLastResult.$first")" notConfigured "the whole NIC is removed in the middle of a burst"
naps "$nap1" | reload
put "pmNicWake.$first.1" send >/dev/null
naps | reload
lab_agent_stop
is "$LAB_STATUS" 0 "stopped while a burst runs whose NIC has gone: exit status 0"
{ head_of; machine web01 127.0.1.1; } | lab_agent_conf
lab_agent || bail_out "no agent"
put pmAgentJobMaxConcurrent.1 64 >/dev/null
becomes pmMachinePowerState.1 on "and all is as ever"

# ---- a bad file changes nothing ----

walk() { snmp_as reader bulkwalk -On "$PM_ROOT_OID.1.2.1.2" 2>/dev/null; snmp_as reader bulkwalk -On "$PM_ROOT_OID.1.10" 2>/dev/null; }
{ head_of; machine web01 127.0.1.1 "$(nic eth0 02:00:5e:50:00:01)"; machine web02 127.0.1.2; } | reload
before=$(walk)
last=$(value pmAgentConfigLastReload.1)
{ head_of; machine web07 127.0.1.7; printf 'machine "web08" {\n  bmc { adress = "127.0.1.8" }\n}\nmachine "web09" { location = 7 7 }\n'; } | reload
ok $? "a bad file is read"
is "$(walk)" "$before" "and changes nothing"
is "$(value pmAgentConfigLastReload.1)" "$last" "also not the time of the last reload"
like "$(value pmAgentConfigError.1)" 'pmstackd.conf:5: unknown key "adress" in bmc: did you mean "address"' "ConfigError has file, line and what would be right"
logged 'pmstackd.conf:5: unknown key'
ok $? "the log as well"
logged 'the old one stays in force'
ok $? "and that the old one stays in force"
{ head_of /nonexistent/password; machine web01 127.0.1.1; } | reload
like "$(value pmAgentConfigError.1)" '/nonexistent/password.*No such file' "a secrets file that is missing"
is "$(walk)" "$before" "changes nothing"
chmod 644 "$other"
{ head_of "$other"; machine web01 127.0.1.1; } | reload
like "$(value pmAgentConfigError.1)" "$other.*(0600|chmod|others)" "a secrets file that others can read"
chown root "$other" && chmod 600 "$other"
{ head_of "$other"; machine web01 127.0.1.1; } | reload
like "$(value pmAgentConfigError.1)" "$other.*Permission denied" "a secrets file that the agent cannot read"
is "$(walk)" "$before" "change nothing"
chmod 000 "$LAB/etc/pmstackd.conf"
log_mark
lab_agent_reload
wait_until "$WAIT_S" logged 'stays in force'
like "$(value pmAgentConfigError.1)" 'pmstackd.conf.*Permission denied' "a configuration that the agent cannot read"
rm -f "$LAB/etc/pmstackd.conf"
is "$(value pmMachinePowerState.1)" on "polls go on"

# ---- by SNMP ----

{ head_of; machine web01 127.0.1.1 "$(nic eth0 02:00:5e:50:00:01)"; machine web02 127.0.1.2; machine web04 127.0.1.4; } | lab_agent_conf
put pmAgentConfigReload.1 reload >/dev/null
ok $? "pmAgentConfigReload = reload"
becomes pmMachineName.3 web04 "the new configuration is read"
is "$(value pmAgentConfigReload.1) $(value pmAgentConfigError.1)" "idle " "it reads idle, and the error is gone"
isnt "$(value pmAgentConfigLastReload.1)" "$last" "ConfigLastReload has moved"
like "$(snmp_as reader set pmAgentConfigReload.1 = reload 2>&1)" 'noAccess|authorizationError' "a reader cannot"

# ---- what was written by SNMP holds until the configuration's own value changes ----

with() { head_of; machine web01 127.0.1.1 "power-on-method = \"$1\"  vm-timeout = $2  $(nic eth0 02:00:5e:50:00:01 "$3")"; machine web02 127.0.1.2; }
written() { printf '%s %s %s %s %s' "$(value pmMachinePowerOnMethod.1)" "$(value pmMachineVmTimeout.1)" "$(value pmNicInterface.1.1)" "$(value pmMachineInhibit.1)" "$(value pmMachineInhibitReason.1)"; }
with auto 3m wol0 | reload
is "$(written)" "auto 180 wol0 false " "the configuration's values"
put pmMachinePowerOnMethod.1 wol pmMachineVmTimeout.1 77 pmMachineInhibit.1 true pmMachineInhibitReason.1 "fan exchange" >/dev/null
put pmNicInterface.1.1 wol7 pmNicPort.1.1 4000 >/dev/null
with auto 3m wol0 | reload
is "$(written)" "wol 77 wol7 true fan exchange" "values written by SNMP survive a reload"
lab_agent_stop
lab_agent || bail_out "no agent"
is "$(written)" "wol 77 wol7 true fan exchange" "and a restart"
with auto 5m wol0 | reload
is "$(written)" "wol 300 wol7 true fan exchange" "until the configuration's own value changes"
logged 'web01: vm-timeout = 77, once written by SNMP, gives way'
ok $? "the log says so"
with ipmi 5m wol1 | reload
is "$(written)" "ipmi 300 wol1 true fan exchange" "each on its own"
with auto 3m wol0 | reload
is "$(written)" "auto 180 wol0 true fan exchange" "a value that gave way does not come back with the old configuration"
is "$(value pmNicPort.1.1)" 4000 "what the configuration never changed is still as written"

# ---- a thousand machines ----

{
    with auto 3m wol0
    # shellcheck disable=SC2016 # awk's own
    awk 'BEGIN { for (i = 1; i <= 1000; i++) printf "machine \"row%04d\" { nic \"eth0\" { mac = \"02:00:5e:51:%02x:%02x\" } }\n", i, i / 256, i % 256 }'
} >"$LAB/run/thousand.conf"
start_ms=$(tap_now_ms)
reload <"$LAB/run/thousand.conf"
wait_until "$WAIT_S" value_is pmAgentMachines.1 1002
diag "1,000 machines were added in $(($(tap_now_ms) - start_ms)) ms"
is "$(value pmAgentMachines.1)" 1002 "a thousand machines are added"
first=$(index_of row0001)
last_index=$(index_of row1000)
is "$last_index" $((first + 999)) "each has its index"
reload <"$LAB/run/thousand.conf"
is "$(index_of row1000)" "$last_index" "read again, it is the same"
with auto 3m wol0 | reload
becomes pmAgentMachines.1 2 "and removed again"
is "$(value pmMachinePowerState.1)" on "the others are as ever"
put pmMachineInhibit.1 false >/dev/null
verb 1 reset ok "and obey"

# ---- reloads without a pause ----

for _ in {1..40}; do
    lab_agent_reload
    snmp_as reader bulkwalk "$PM_ROOT_OID.1.2" >/dev/null 2>&1
done
put pmMachineCommand.1 reset >/dev/null
lab_agent_reload
job_end 1
is "$(value pmMachineLastResult.1)" ok "forty reloads beside walks: verbs are still done"
lab_agent_stop
is "$LAB_STATUS" 0 "and the agent stops cleanly"
done_testing
