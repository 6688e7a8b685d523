#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# The agent on BMCs of another make: pyghmi's, on which VirtualBMC and sushy-tools stand. It knows cipher suite 3 alone,
# has neither identify nor power-on hours nor restore policy, and is silent where others refuse.
# shellcheck disable=SC2119 # functions of the lab have optional arguments
set -u
# shellcheck source=tests/lab/lab.sh
. "$(dirname "$0")/../lab/lab.sh"
# shellcheck source=tests/integration/room.sh
. "$(dirname "$0")/room.sh"
lab_begin "$@"
/usr/bin/python3 -c 'import pyghmi' 2>/dev/null || bail_out "python3-pyghmi is not installed: make deps"

# ---- given: five of them on 127.0.0.1, and an agent ----

{ lab_snmptrapd && lab_snmpd; } || bail_out "no master agent"
password=$(lab_agent_secret bmc.password secret)
wrong=$(lab_agent_secret wrong.password not-it)
kg=$(lab_agent_secret bmc.kg kgkey123)
# bmc NUMBER [KG]: at port 9500 + NUMBER.
bmc() {
    : >"$LAB/log/bmc-$1.log"
    lab_spawn "bmc-$1" /usr/bin/python3 "$LAB_ROOT/tests/integration/pyghmi_bmc.py" 127.0.0.1 $((9500 + $1)) "$password" "${@:2}"
}
bmc_listens() { wait_until "$WAIT_S" lab_log_has "bmc-$1" listening || bail_out "no BMC"; }
# told_to NUMBER: what it was told, on one line.
told_to() { grep -E '^(control|boot)' "$LAB/log/bmc-$1.log" | paste -sd,; }
forget() { : >"$LAB/log/bmc-$1.log"; }

for number in 1 2 3 5; do bmc "$number"; done
bmc 4 kgkey123
for number in 1 2 3 4 5; do bmc_listens "$number"; done
# conf PASSWORD-FILE: what machine 2 has for a password.
conf() {
    cat <<END
agent { name = "room"  poll-interval = 1s }
credentials "right" { username = "admin"  password-file = "$password"  cipher-suites = { 3 } }
credentials "doubtful" { username = "admin"  password-file = "$1"  cipher-suites = { 3 } }
credentials "nobody" { username = "nobody"  password-file = "$password"  cipher-suites = { 3 } }
credentials "kg" { username = "admin"  password-file = "$password"  kg-file = "$kg"  cipher-suites = { 3 } }
credentials "default" { username = "admin"  password-file = "$password" }
machine "m1" { bmc { address = "127.0.0.1"  port = 9501  credentials = "right"  timeout = 1s } }
machine "m2" { bmc { address = "127.0.0.1"  port = 9502  credentials = "doubtful"  timeout = 3s } }
machine "m3" { bmc { address = "127.0.0.1"  port = 9503  credentials = "nobody"  timeout = 2s } }
machine "m4" { bmc { address = "127.0.0.1"  port = 9504  credentials = "kg"  timeout = 3s } }
machine "m5" { bmc { address = "127.0.0.1"  port = 9505  credentials = "default"  timeout = 3s } }
END
}
conf "$wrong" | lab_agent_conf
lab_agent || bail_out "no agent"

# ---- what it says ----

becomes pmMachinePowerState.1 off "its power state"
is "$(value pmMachineStateSource.1)" bmc "by the BMC"
becomes pmMachinePowerState.4 off "with K_g too"
becomes pmMachinePowerState.5 off "asked for suite 17 it answers with the algorithms of 3: that is tried next"
is "$(value pmBmcCipherSuite.5)" 3 "and used"
becomes pmBmcBootDevice.1 noOverride "its boot device"
becomes pmBmcStatus.2 authFailed "a wrong password is known"
becomes pmBmcStatus.3 unreachable "silence to an unknown user"
told 'pmBmcDown.*pmMachineName.3 ' "and is told"
like "$(trap_value "$told" pmNotifyText.0)" 'did not answer RAKP Message 1' "with the message that met it"

# ---- every verb ----

verb 1 powerOn ok "powerOn"
verb 1 reset ok "reset"
verb 1 cycle ok "cycle"
verb 1 diagnosticInterrupt ok "diagnosticInterrupt"
verb 1 powerOff ok "powerOff"
is "$(told_to 1)" "control 1,control 3,control 2,control 4,control 0" "each was sent once"
is "$(value pmMachinePowerState.1)" off "and off is what it says"
verb 4 powerOn ok "powerOn, with K_g"

# ---- boot device: flags that other than the device this BMC does not keep ----

forget 1
put pmBmcBootDevice.1 pxe >/dev/null
ok $? "BootDevice pxe"
job_end 1
becomes pmBmcBootDevice.1 pxe "is read back"
put pmBmcBootDevice.1 cdrom >/dev/null
ok $? "BootDevice cdrom"
becomes pmBmcBootDevice.1 cdrom "is read back"
is "$(told_to 1)" "boot network,boot optical" "each was sent once"

# ---- a BMC that restarts in the middle of a session, and one that is away for longer ----

forget 1
trap_mark
lab_kill bmc-1
bmc 1
bmc_listens 1
verb 1 powerOn ok "powerOn just after a restart of the BMC"
is "$(told_to 1)" "control 1" "was sent once"
lab_signal bmc-1 STOP
becomes pmBmcStatus.1 unreachable "a BMC that hangs"
told 'pmBmcDown.*pmMachineName.1 ' "is told as down"
lab_kill bmc-1
bmc 1
bmc_listens 1
becomes pmBmcStatus.1 ok "started again, it is asked again"
told 'pmBmcUp.*pmMachineName.1 ' "and told as up"

# ---- what was wrong is put right: a second session from the same address and port ----

conf "$password" | lab_agent_conf
lab_agent_reload
becomes pmBmcStatus.2 ok "the password is corrected"
verb 2 powerOn ok "and powerOn works there"

lab_agent_stop
is "$LAB_STATUS" 0 "the agent stops cleanly"
done_testing
