#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# What becomes of verbs and settings when the BMC answers them with a completion code: nothing lost, nothing twice, and
# words that say what to do.
# shellcheck disable=SC2119 # functions of the lab have optional arguments
set -u
# shellcheck source=tests/lab/lab.sh
. "$(dirname "$0")/../lab/lab.sh"
# shellcheck source=tests/integration/room.sh
. "$(dirname "$0")/room.sh"
lab_begin "$@"

# ---- given: a BMC with all rights, one that may only be watched ----

{ lab_snmptrapd && lab_snmpd && lab_farm --count 2 --boot-timeout 1; } || bail_out "no farm"
farm bmc all power on >/dev/null
lab_agent_conf <<END
agent { name = "room"  poll-interval = 1s }
credentials "lab" { username = "$LAB_BMC_USER"  password-file = "$LAB_BMC_PASSWORD_FILE" }
credentials "watch" { username = "$LAB_BMC_USER"  password-file = "$LAB_BMC_PASSWORD_FILE"  privilege = "user" }
machine "m1" { bmc { address = "127.1.0.1"  credentials = "lab"  timeout = 1s } }
machine "m2" { bmc { address = "127.1.0.2"  credentials = "watch"  timeout = 1s } }
END
lab_agent || bail_out "no agent"
becomes pmMachinePowerState.1 on "m1 is on"
becomes pmMachinePowerState.2 on "m2 is on"
asked() { farm_total chassis-control; }
# code CODE [OPTION...]: for Chassis Control from now on.
code() {
    farm bmc 1 code none >/dev/null
    farm bmc 1 code "chassis-control=$1" "${@:2}" >/dev/null
    farm totals reset >/dev/null
}
# Every text names machine, BMC, command, code.
named() { like "$(result_text 1)" "^m1: BMC 127.1.0.1:623 (answered|refused) Chassis Control \\($1\\): completion code $2: .+" "$3 in words"; }

# ---- a momentary verb: what may have been done is not done twice ----

for doubtful in 0xC3 0xCE 0xD0 0xD2; do
    code $doubtful done=yes
    verb 1 reset timeout "reset, answered with $doubtful"
    named "hard reset" $doubtful "$doubtful"
    like "$(result_text 1)" "may have been done and is not sent twice" "it says that it may have been done"
    is "$(asked)" 1 "it was sent once"
done
code 0xFF done=yes
verb 1 cycle rejected "cycle, answered with 0xFF"
named "power cycle" 0xFF "0xFF"
like "$(result_text 1)" "may have been done and is not sent twice" "it says that it may have been done"
is "$(asked)" 1 "it was sent once"
farm bmc 1 power on >/dev/null
becomes pmMachinePowerState.1 on "it is on"

# ---- and what was not done is done ----

code 0xC0 times=2
verb 1 reset ok "reset of a BMC that is busy twice"
is "$(farm_stat 1 power)" on "is done"
is "$(asked)" 3 "the third time"

# ---- a refusal ends it ----

for refusal in 0xC1 0xCC 0xD4 0xD5 0x80 0x23; do
    code $refusal
    verb 1 reset rejected "reset, refused with $refusal"
    named "hard reset" $refusal $refusal
    unlike "$(result_text 1)" "may have been done" "and no doubt about it"
done

# ---- a wish is sent until it is taken ----

for transient in 0xC3 0xCE 0xD1 0xD2 0xFF; do
    code $transient times=2
    verb 1 powerOff ok "powerOff, answered twice with $transient"
    farm bmc 1 power on >/dev/null
    wait_until "$WAIT_S" state_is 1 on
done
code 0xFF
verb 1 powerOff rejected "powerOff, always answered with 0xFF"
like "$(result_text 1)" '0xFF.*tried 3 times' "says how often it was tried"
is "$(asked)" 3 "three times"
farm bmc 1 code none >/dev/null

# ---- no free session, then one ----

farm bmc 1 expire >/dev/null
farm bmc 1 full on >/dev/null
becomes pmBmcStatus.1 sessionsExhausted "no free session"
put pmMachineCommand.1 reset >/dev/null
farm bmc 1 full off >/dev/null
job_end 1
is "$(value pmMachineLastResult.1)" ok "a reset that waited for one is done"

# ---- a privilege that is too low ends the verb, unsent ----

farm totals reset >/dev/null
verb 2 powerOff authFailed "a verb beyond the privilege"
like "$(result_text 2)" '^m2: .*privilege' "the text names the key"
is "$(asked)" 0 "nothing was sent"
is "$(value pmMachinePowerState.2)" on "it can be watched"

# ---- settings ----

farm bmc 1 code set-boot-options=0x82 >/dev/null
put pmBmcBootDevice.1 pxe >/dev/null
job_end 1
is "$(value pmMachineLastResult.1)" rejected "boot flags that can only be read"
like "$(result_text 1)" '^m1: BMC .*0x82' "in words"
farm bmc 1 code none >/dev/null
farm bmc 1 code set-boot-options=0x80 times=1 >/dev/null
put pmBmcBootDevice.1 pxe >/dev/null
job_end 1
like "$(result_text 1)" '^set, and read back from the BMC, which may forget it after 60 s' "a BMC that does not promise to keep them"
put pmBmcBootDevice.1 cdrom >/dev/null
job_end 1
is "$(result_text 1)" "set, and read back from the BMC" "one that does"
polled=$(farm_total get-chassis-status)
polls() { (($(farm_total get-chassis-status) >= polled + 3)); } # a second apart: its time-out for boot flags is over
wait_until "$WAIT_S" polls
like "$(farm stat 1)" 'boot=[^ ]*cdrom|boot=80,?14' "keeps them without a power command"
farm bmc 1 code get-boot-options=0xC9 >/dev/null
put pmBmcBootDevice.1 pxe >/dev/null
job_end 1
is "$(value pmMachineLastResult.1)" timeout "a BMC that takes boot flags and does not show them"
like "$(result_text 1)" '^accepted by the BMC, but it cannot be read back: ' "nobody says that it refused"
lab_agent_stop
is "$LAB_STATUS" 0 "the agent stops cleanly"
done_testing
