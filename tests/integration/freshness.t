#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# An old state is never taken for a new one: neither a BMC's silence nor a probe beside it says that a machine is already
# as wanted, and StateAge grows until the BMC itself answers.
# shellcheck disable=SC2119 # functions of the lab have optional arguments
set -u
# shellcheck source=tests/lab/lab.sh
. "$(dirname "$0")/../lab/lab.sh"
# shellcheck source=tests/integration/room.sh
. "$(dirname "$0")/room.sh"
lab_begin "$@"

# ---- given: machines whose BMCs are polled seldom; what answers web02's probe is always there ----

{ lab_snmptrapd && lab_snmpd; } || bail_out "no master agent"
for machine in web01 web02 web04; do lab_bmc "$machine" --on || bail_out "no BMC"; done
lab_bmc web03 || bail_out "no BMC"
bmc() { printf 'bmc { address = "%s"  credentials = "lab"  timeout = %s  poll-interval = %s }' "$(bmc_address "$1")" "$2" "$3"; }
lab_agent_conf <<END
agent { name = "room"  poll-interval = 1s }
credentials "lab" { username = "$LAB_BMC_USER"  password-file = "$LAB_BMC_PASSWORD_FILE"  cipher-suites = { 3 } }
machine "web01" { $(bmc web01 1s 10m) }
machine "web02" { $(bmc web02 2s 10m)  probe { method = "icmp"  address = "127.0.0.1" } }
machine "web03" { $(bmc web03 1s 10m) }
machine "web04" { $(bmc web04 1s 1s) }
END
lab_agent || bail_out "no agent"
for index in 1 2 4; do becomes "pmMachinePowerState.$index" on "machine $index is seen on"; done
becomes pmMachinePowerState.3 off "machine 3 is seen off"
becomes pmMachineOsReachable.2 yes "machine 2 also answers its probe"
is "$(value pmMachineStateSource.2)" bmc "its state is what the BMC says"

# ---- a healthy BMC, and a probe that is faster than it ----

age_is_over() { [[ $(value "pmMachineStateAge.$1") -gt $2 ]]; }
wait_until "$WAIT_S" age_is_over 2 1
ok $? "StateAge is that of the BMC's answer, whatever the probe says"
machine_power web02 off
forget_commands web02
machine_slow web02 0.4
verb 2 powerOn ok "switched off by its panel since, but its probe's address answers: powerOn"
machine_slow web02 0
like "$(commands_of web02)" '^bmc set power 1' "was sent"

# ---- BMCs that hang: what they said last is not what is ----

wait_until "$WAIT_S" age_is_over 1 1
for machine in web01 web02 web03; do bmc_silence "$machine"; done
machine_power web01 off
machine_power web02 off
machine_power web03 on
for machine in web01 web02 web03; do forget_commands "$machine"; done
ages=$(value pmMachineStateAge.1)
put pmMachineCommand.1 powerOn pmMachineCommand.2 powerOn pmMachineCommand.3 powerOff >/dev/null
ok $? "verbs for machines last seen as wanted, whose BMCs hang"
one_job_less() {
    ages+=" $(value pmMachineStateAge.1)"
    job_has_ended "$1"
}
for index in 1 2 3; do wait_until "$WAIT_S" one_job_less "$index"; done
for index in 1 2 3; do
    like "$(value "pmMachineLastResult.$index")" '^(timeout|unreachable)$' "machine $index: not alreadyInState" ||
        diag "$(result_text "$index")"
done
is "$(tr ' ' '\n' <<<"$ages" | sort -nc 2>&1)" "" "StateAge of machine 1 has only grown" || diag "$ages"
is "$(trap_count 'alreadyInState')" 0 "and nobody was told anything else"
for machine in web01 web02 web03; do bmc_resume "$machine"; done
verb 1 powerOn ok "the BMC of machine 1 is back: powerOn"
is "$(commands_of web01 | sed 's/.*,//') $(value pmMachineStateSource.1)" "bmc set power 1 bmc" "was sent"
[[ $(value pmMachineStateAge.1) -le 3 ]]
ok $? "and its state is fresh"
machine_is_on web01
ok $? "it runs"
verb 1 powerOn alreadyInState "and only now powerOn has nothing to do"

# ---- StateAge over the misses of a BMC that is polled every second ----

bmc_silence web04
ages=$(value pmMachineStateAge.4)
known=$ages
lost() {
    local state
    ages+=" $(value pmMachineStateAge.4)"
    state=$(value pmMachinePowerState.4)
    [[ $state != on ]] || known=${ages##* }
    [[ $state == unknown ]]
}
wait_until "$WAIT_S" lost
ok $? "a BMC that is silent for three polls: unknown"
is "$(tr ' ' '\n' <<<"$ages" | sort -nc 2>&1)" "" "until then no miss has made the state younger" || diag "$ages"
[[ $known -ge 2 ]]
ok $? "it was $known s old at last"
bmc_resume web04
becomes pmMachinePowerState.4 on "it answers again"
[[ $(value pmMachineStateAge.4) -le 3 ]]
ok $? "and its state is fresh"
lab_agent_stop
is "$LAB_STATUS" 0 "the agent stops cleanly"
done_testing
