#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Verbs and settings on simulated BMCs, which answer what ipmi_sim cannot: completion codes of the kind "it may
# have been done" (IPMI 2.0, table 5-2), and boot flags that are valid.
# shellcheck disable=SC2119 # functions of the lab have optional arguments
set -u
# shellcheck source=tests/lab/lab.sh
. "$(dirname "$0")/../lab/lab.sh"
# shellcheck source=tests/integration/room.sh
. "$(dirname "$0")/room.sh"
lab_begin "$@"

# ---- given: simulated BMCs, each with an answer of its own to Chassis Control ----

{ lab_snmptrapd && lab_snmpd; } || bail_out "no master agent"
lab_farm --count 5 || bail_out "no BMCs"
farm bmc 1-3,5 power on
farm bmc 1 set cycle-time=0
farm bmc 1,4 code chassis-control=0xc3 done=yes
farm bmc 2 code chassis-control=0xce done=yes
farm bmc 3 code chassis-control=0xd5
# done_by NUMBER: what it was told since `forget`, on one line.
done_by() {
    tail -n +$((mark + 1)) "$LAB/log/farm.log" | grep -oE "bmc=$1 (chassis-control|set-boot-options)=[^ ]+" |
        cut -d= -f3 | paste -sd,
}
forget() { mark=$(wc -l <"$LAB/log/farm.log"); }
forget
{
    printf 'agent { name = "room"  poll-interval = 30s }\n'
    printf 'credentials "farm" { username = "%s"  password-file = "%s"  cipher-suites = { 3 } }\n' \
        "$LAB_BMC_USER" "$LAB_BMC_PASSWORD_FILE"
    for number in 1 2 3 4 5; do
        printf 'machine "m%d" { bmc { address = "127.1.0.%d"  port = %d  credentials = "farm"  timeout = 1s } }\n' \
            "$number" "$number" "$LAB_FARM_PORT"
    done
} | lab_agent_conf
lab_agent || bail_out "no agent"
for number in 1 2 3 5; do becomes "pmMachinePowerState.$number" on "m$number is on"; done
becomes pmMachinePowerState.4 off "m4 is off"

# ---- done, but the answer says only that there is none ----

momentary() {
    forget
    trap_mark
    verb "$1" "$2" timeout "$2, answered with $4"
    like "$(result_text "$1")" "may have been done and is not sent twice" "the result says that it may have been done"
    is "$(done_by "$1")" "$3" "it was sent once"
    told "pmJobFailed.*pmNotifyJobAction.0 = $2" "and is told as failed"
}
momentary 1 reset hard-reset 0xC3
momentary 1 cycle power-cycle 0xC3
momentary 1 diagnosticInterrupt diagnostic-interrupt 0xC3
momentary 2 reset hard-reset 0xCE
verb 3 reset rejected "reset, answered with 0xD5: a refusal, with which nothing was done"
like "$(result_text 3)" '0x[dD]5' "has the code in words"
unlike "$(result_text 3)" "may have been done" "and no more than it knows"

# Whether a wish came true can be seen: then it is not sent again.
put pmMachineCommand.4 powerOn >/dev/null
ok $? "powerOn, answered with 0xC3"
job_end 4
is "$(value pmMachineLastResult.4) $(value pmMachinePowerState.4)" "ok on" "what is observed counts"
is "$(done_by 4)" power-up "it was sent once"

# ---- boot flags: shown as they were read back, at once and not at some later poll ----

boot() { printf '%s %s %s' "$(value pmBmcBootDevice.5)" "$(value pmBmcBootPersistent.5)" "$(value pmBmcBootEfi.5)"; }
# set_boot WANTED NAME OBJECT VALUE...
set_boot() {
    put "${@:3}" >/dev/null || fail "$2: the SET is accepted"
    job_end 5
    is "$(value pmMachineLastResult.5): $(boot)" "ok: $1" "$2" || diag "$(result_text 5)"
}
becomes pmBmcBootDevice.5 noOverride "the boot flags are read"
forget
set_boot "pxe false false" "BootDevice pxe" pmBmcBootDevice.5 pxe
set_boot "disk false false" "and another, within the same poll interval" pmBmcBootDevice.5 disk
set_boot "disk true false" "BootPersistent alone leaves the device as it is" pmBmcBootPersistent.5 true
set_boot "disk true true" "BootEfi alone as well" pmBmcBootEfi.5 true
set_boot "cdrom false true" "two of them in one SET" pmBmcBootDevice.5 cdrom pmBmcBootPersistent.5 false
set_boot "noOverride false true" "and back" pmBmcBootDevice.5 noOverride
is "$(done_by 5)" "3:08,5:8004000000,3:08,5:8008000000,3:08,5:c008000000,3:08,5:e008000000,3:08,5:a014000000,5:a000000000" \
    "what the BMC was told, octet by octet"

# A BMC that has not told its flags yet cannot be told a part of them.
lab_agent_stop
is "$LAB_STATUS" 0 "the agent stops cleanly"
farm bmc 5 dead on
lab_agent || bail_out "no agent"
like "$(put pmBmcBootPersistent.5 true)" inconsistentValue "BootPersistent alone, the rest not yet known: refused"
lab_agent_logged 'has not told its boot device'
ok $? "the log says why"
farm bmc 5 dead off
lab_agent_stop
is "$LAB_STATUS" 0 "the agent stops cleanly"
done_testing
