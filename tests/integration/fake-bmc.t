#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Verbs and settings on a BMC made for tests, which answers what ipmi_sim cannot: completion codes of the kind "it may
# have been done" (IPMI 2.0, table 5-2), and boot flags that are valid.
# shellcheck disable=SC2119 # functions of the lab have optional arguments
set -u
# shellcheck source=tests/lab/lab.sh
. "$(dirname "$0")/../lab/lab.sh"
# shellcheck source=tests/integration/room.sh
. "$(dirname "$0")/room.sh"
lab_begin "$@"

# ---- given: BMCs on 127.0.0.1, each with an answer of its own to Chassis Control ----

fake=${PM_TEST_BIN:-$LAB_ROOT/build/tests}/ipmi_fake
[[ -x $fake ]] || bail_out "$fake is missing: make programs"
{ lab_snmptrapd && lab_snmpd; } || bail_out "no master agent"
password=$(lab_agent_secret fake.password secret)
# fake NUMBER [OPTION...]: a BMC at port 9300 + NUMBER.
fake() {
    lab_spawn "fake-$1" "$fake" "$((9300 + $1))" 3 "${@:2}"
    wait_until "$WAIT_S" lab_log_has "fake-$1" listening || bail_out "no BMC"
}
# done_by NUMBER: what it was told, on one line.
done_by() { grep -E '^(control|boot)' "$LAB/log/fake-$1.log" | paste -sd,; }
forget() { : >"$LAB/log/fake-$1.log"; }

fake 1 on control-code=0xc3
fake 2 on control-code=0xce
fake 3 on control-code=0xd5
fake 4 control-code=0xc3
fake 5 on
{
    printf 'agent { name = "room"  poll-interval = 30s }\n'
    printf 'credentials "fake" { username = "admin"  password-file = "%s"  cipher-suites = { 3 } }\n' "$password"
    for number in 1 2 3 4 5; do
        printf 'machine "m%d" { bmc { address = "127.0.0.1"  port = %d  credentials = "fake"  timeout = 1s } }\n' \
            "$number" $((9300 + number))
    done
} | lab_agent_conf
lab_agent || bail_out "no agent"
for number in 1 2 3 5; do becomes "pmMachinePowerState.$number" on "m$number is on"; done
becomes pmMachinePowerState.4 off "m4 is off"

# ---- done, but the answer says only that there is none ----

momentary() {
    forget "$1"
    trap_mark
    verb "$1" "$2" timeout "$2, answered with $4"
    like "$(result_text "$1")" "may have been done and is not sent twice" "the result says that it may have been done"
    is "$(done_by "$1")" "control $3" "it was sent once"
    told "pmJobFailed.*pmNotifyJobAction.0 = $2" "and is told as failed"
}
momentary 1 reset 3 0xC3
momentary 1 cycle 2 0xC3
momentary 1 diagnosticInterrupt 4 0xC3
momentary 2 reset 3 0xCE
verb 3 reset rejected "reset, answered with 0xD5: a refusal, with which nothing was done"
like "$(result_text 3)" '0x[dD]5' "has the code in words"
unlike "$(result_text 3)" "may have been done" "and no more than it knows"

# A wish may be sent again: it is the same however often it is done.
put pmMachineCommand.4 powerOn >/dev/null
ok $? "powerOn, answered with 0xC3"
twice() { [[ $(done_by 4) == "control 1,control 1"* ]]; }
wait_until "$WAIT_S" twice
ok $? "is sent again"
lab_signal fake-4 USR1
job_end 4
is "$(value pmMachineLastResult.4) $(value pmMachinePowerState.4)" "ok on" "and succeeds when it is accepted"

# ---- boot flags: shown as they were read back, at once and not at some later poll ----

boot() { printf '%s %s %s' "$(value pmBmcBootDevice.5)" "$(value pmBmcBootPersistent.5)" "$(value pmBmcBootEfi.5)"; }
# set_boot WANTED NAME OBJECT VALUE...
set_boot() {
    put "${@:3}" >/dev/null || fail "$2: the SET is accepted"
    job_end 5
    is "$(value pmMachineLastResult.5): $(boot)" "ok: $1" "$2" || diag "$(result_text 5)"
}
becomes pmBmcBootDevice.5 noOverride "the boot flags are read"
forget 5
set_boot "pxe false false" "BootDevice pxe" pmBmcBootDevice.5 pxe
set_boot "disk false false" "and another, within the same poll interval" pmBmcBootDevice.5 disk
set_boot "disk true false" "BootPersistent alone leaves the device as it is" pmBmcBootPersistent.5 true
set_boot "disk true true" "BootEfi alone as well" pmBmcBootEfi.5 true
set_boot "cdrom false true" "two of them in one SET" pmBmcBootDevice.5 cdrom pmBmcBootPersistent.5 false
set_boot "noOverride false true" "and back" pmBmcBootDevice.5 noOverride
is "$(done_by 5)" "boot 80 04 00 00 00,boot 80 08 00 00 00,boot c0 08 00 00 00,boot e0 08 00 00 00,boot a0 14 00 00 00,boot a0 00 00 00 00" \
    "what the BMC was told, octet by octet"

# A BMC that has not told its flags yet cannot be told a part of them.
lab_agent_stop
is "$LAB_STATUS" 0 "the agent stops cleanly"
lab_signal fake-5 STOP
lab_agent || bail_out "no agent"
like "$(put pmBmcBootPersistent.5 true)" inconsistentValue "BootPersistent alone, the rest not yet known: refused"
lab_agent_logged 'has not told its boot device'
ok $? "the log says why"
lab_signal fake-5 CONT
lab_agent_stop
is "$LAB_STATUS" 0 "the agent stops cleanly"
done_testing
