#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# The master agent comes, goes, hangs and dies; pmstackd joins it again, loses nothing, and goes on meanwhile.
# shellcheck disable=SC2119 # functions of the lab have optional arguments
set -u
# shellcheck source=tests/lab/lab.sh
. "$(dirname "$0")/../lab/lab.sh"
# shellcheck source=tests/integration/room.sh
. "$(dirname "$0")/room.sh"
lab_begin "$@"

# ---- given: an agent that is up before its master ----

{ lab_snmptrapd && lab_snmpd --agentx-tcp; } || bail_out "no master agent"
for machine in web01 web02 web03; do lab_bmc "$machine" || bail_out "no BMC"; done
# conf [NAME [AGENT_SETTINGS]]: three machines with BMCs; rows: two hundred without.
conf() {
    cat <<END
agent { name = "room"  poll-interval = 1s  ${2:-} }
credentials "lab" { username = "$LAB_BMC_USER"  password-file = "$LAB_BMC_PASSWORD_FILE"  cipher-suites = { 3 } }
machine "${1:-web}[01-03]" { bmc { address = "127.0.1.[1-3]"  credentials = "lab" } }
END
}
many() {
    local i
    for ((i = 1; i <= 200; i++)); do
        printf 'machine "row%03d" { nic "eth0" { mac = "02:00:5e:40:00:%02x" } }\n' "$i" "$i"
    done
}
{ conf; many; } | lab_agent_conf
lab_snmpd_stop
lab_agent --no-wait
wait_until "$WAIT_S" lab_agent_logged 'no master agent answers'
ok $? "an agent without a master says so"
lab_snmpd_start
trap_mark
lab_agent_wait
ok $? "and serves its rows when the master comes"
is "$(log_count 'connected to the master agent') $(log_count 'no master agent answers')" "1 1" "one line in the log for each"
told pmAgentStarted "pmAgentStarted has waited for it"
wait_until "$WAIT_S" state_is 3 off

rows() { snmp_as reader bulkwalk -On "$PM_ROOT_OID.1.2.1.2" 2>/dev/null; }
reference=$(rows)
is "$(wc -l <<<"$reference")" 203 "203 rows"

# ---- the master is killed under load, three times ----

# Walkers and a setter that go on until run/load is gone.
touch "$LAB/run/load"
walker() {
    while [[ -e $LAB/run/load ]]; do
        snmp_as reader bulkwalk "$PM_ROOT_OID.1" >/dev/null 2>&1 || sleep 0.05
    done
}
setter() {
    while [[ -e $LAB/run/load ]]; do
        put pmMachineVmTimeout.7 $((RANDOM % 1000 + 1)) >/dev/null 2>&1 || sleep 0.05
        put pmMachineCommand.3 reset >/dev/null 2>&1 || sleep 0.05
    done
}
walker & load=($!)
walker & load+=($!)
setter & load+=($!)

worst_ms=0
for round in 1 2 3; do
    log_mark
    trap_mark
    lab_snmpd_kill
    if ((round % 2)); then bmc_power web01 on; else bmc_power web01 off; fi
    wait_until "$WAIT_S" logged 'web01: power state'
    ok $? "master killed ($round): polls go on"
    lab_snmpd_start
    start_ms=$(tap_now_ms)
    wait_until "$WAIT_S" lab_agent_serves
    took_ms=$(($(tap_now_ms) - start_ms))
    diag "rows were back $took_ms ms after the master answered"
    ((took_ms <= worst_ms)) || worst_ms=$took_ms
    wait_until "$WAIT_S" logged 'connected to the master'
    is "$(logged_count 'has gone') $(logged_count 'connected to the master')" "1 1" "one line for its end, one for its return ($round)"
    told 'pmPowerStateChange.*pmMachineName.1 ' "what changed meanwhile is told afterwards ($round)"
done
((worst_ms <= 5000))
ok $? "rows were back in time: $worst_ms ms at most"
rm "$LAB/run/load"
wait "${load[@]}"
is "$(rows)" "$reference" "the rows are as they were"
wait_until "$WAIT_S" value_is pmAgentJobsActive.1 0
ok $? "no job is left over"
verb 3 identify ok "a verb works"
is "$(value pmAgentNotifyDropped.1)" 0 "no notification was dropped"

# ---- what happens while the master is away is told in order ----

trap_mark
lab_snmpd_kill
state=on
for _ in 1 2 3 4; do
    log_mark
    bmc_power web02 "$state"
    wait_until "$WAIT_S" logged "web02: power state $state"
    if [[ $state == on ]]; then state=off; else state=on; fi
done
lab_snmpd_start
wait_until "$WAIT_S" lab_agent_serves
all_told() { [[ $(trap_count 'pmPowerStateChange.*pmMachineName.2 ') == 4 ]]; }
wait_until "$WAIT_S" all_told
is "$(trap_lines | grep 'pmMachineName.2 ' | grep -o 'pmMachinePowerState.2 = [a-z]*' | sed 's/.* //' | paste -sd' ')" "on off on off" \
    "four changes while it was away are told, in order"
is "$(value pmAgentNotifyPending.1)" 0 "none is pending"

# ---- the master hangs: jobs and polls go on ----

bmc_silence web01
log_mark
bmc_power web01 off
put pmMachineCommand.1 powerOn >/dev/null
lab_signal snmpd STOP
bmc_resume web01
wait_until "$WAIT_S" machine_is_on web01
ok $? "the master hangs: a job that was begun is done"
wait_until "$WAIT_S" logged 'web01: job set-[0-9]+: powerOn: (ok|alreadyInState)'
ok $? "and ends"
wait_until 60 logged 'the master agent.*has gone'
ok $? "a master that hangs is noticed"
slowest_ms=0
state=on
for _ in 1 2 3; do
    log_mark
    start_ms=$(tap_now_ms)
    bmc_power web02 "$state"
    wait_until "$WAIT_S" logged "web02: power state $state"
    took_ms=$(($(tap_now_ms) - start_ms))
    ((took_ms <= slowest_ms)) || slowest_ms=$took_ms
    if [[ $state == on ]]; then state=off; else state=on; fi
done
diag "beside a master that hangs, a change was seen after $slowest_ms ms at most (polls every second)"
((slowest_ms < 5000))
ok $? "polls go on while the agent tries to reach it again"
trap_mark
lab_signal snmpd CONT
wait_until "$WAIT_S" lab_agent_serves
ok $? "it goes on: the rows are back"
becomes pmMachinePowerState.2 on "and show what is the case"
told 'pmPowerStateChange.*pmMachinePowerState.2 = on' "which is told as well"

# ---- the master is killed in the middle of a SET ----

# A second subagent has an object of its own and hangs: a SET over both stays between its phases.
printf 'override -rw %s.9.1.0 integer 1\nagentXSocket %s\n' "$PM_ROOT_OID" "$LAB_AGENTX" >"$LAB/etc/hanging.conf"
hanging() {
    lab_spawn hanging env MIBS= SNMP_PERSISTENT_DIR="$LAB/state" SNMPCONFPATH=/nonexistent \
        snmpd -f -Lo -X -C -c "$LAB/etc/hanging.conf" -I override -x "$LAB_AGENTX"
    wait_until "$WAIT_S" value_like "$PM_ROOT_OID.9.1.0" '^1$' || fail "the second subagent is up"
    lab_signal hanging STOP
}
both() { snmp_as operator set pmMachineCommand.2 = reset "$PM_ROOT_OID.9.1.0" i 2 >/dev/null 2>&1; }
hanging
forget_commands web02
both
isnt $? 0 "a SET with an object of a subagent that hangs fails as a whole"
wait_until "$WAIT_S" lab_snmpd_answers # it gives the hanging one some time in each phase
is "$(value pmMachineLastResult.2) $(commands_of web02)" "none " "and nothing is done"
verb 2 reset ok "and the machine is not reserved"
lab_kill hanging
hanging
forget_commands web02
both &
set_pid=$!
in_a_set() { ! lab_snmpd_answers; } # snmpd queues every other request meanwhile
wait_until "$WAIT_S" in_a_set
lab_snmpd_kill
wait "$set_pid"
lab_kill hanging
lab_snmpd_start
wait_until "$WAIT_S" lab_agent_serves
verb 2 reset ok "master killed in the middle of a SET: the next one is accepted"
is "$(machine_count web02 'set reset')" 1 "and only that one was done"

# ---- a second agent at the same master; the agent is killed ----

conf other 'index = 2' | lab_agent_conf second
lab_agent --name second --no-wait
wait_until "$WAIT_S" lab_agent_logged 'does not register PMSTACK-MIB, another agent' second
ok $? "a second agent at the same master says why it is not served"
is "$(value pmMachineName.1)" web01 "the first is not disturbed"
lab_agent_kill
wait_until "$WAIT_S" lab_agent_serves
ok $? "when the first has gone, the second serves"
lab_agent_stop second
lab_agent
is "$(rows)" "$reference" "also when the second goes"
lab_agent_kill
snmp_as reader bulkwalk -On "$PM_ROOT_OID" >"$LAB/run/walk" 2>&1
is $? 0 "the agent is killed: a walk ends properly"
unlike "$(<"$LAB/run/walk")" 'Timeout|genErr|Error' "without an error"
lab_agent || bail_out "no agent"
is "$(rows)" "$reference" "started again, it serves the same rows"
lab_agent_stop

# ---- AgentX over TCP ----

lab_agent -x "$LAB_AGENTX_TCP"
ok $? "AgentX over TCP"
is "$(rows)" "$reference" "the same rows"
verb 2 powerOff ok "and verbs"
log_mark
lab_snmpd_kill
wait_until "$WAIT_S" logged 'has gone'
lab_snmpd_start
wait_until "$WAIT_S" lab_agent_serves
ok $? "and it comes back after the master's end"
lab_agent_stop
is "$LAB_STATUS" 0 "stops cleanly"
done_testing
