#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Credentials for old and new BMCs: IPMI 1.5 and 2.0, cipher suites, privileges, and what is said of the weak ones.
# shellcheck disable=SC2119 # functions of the lab have optional arguments
set -u
# shellcheck source=tests/lab/lab.sh
. "$(dirname "$0")/../lab/lab.sh"
# shellcheck source=tests/integration/room.sh
. "$(dirname "$0")/room.sh"
lab_begin "$@"

# ---- given: a BMC that speaks 1.5 alone, one that speaks 2.0 alone, one of both that also takes suite 0 ----

{ lab_snmptrapd && lab_snmpd; } || bail_out "no master agent"
{ lab_farm --name old --count 1 --port 9001 --suites none &&
    lab_farm --name new --count 1 --port 9002 --lan15 off &&
    lab_farm --name any --count 3 --port 9003 --suites 0,3,8,17; } || bail_out "no farms"
conf() {
    cat <<END
agent { name = "room"  poll-interval = 1s }
credentials "old" { username = "$LAB_BMC_USER"  password-file = "$LAB_BMC_PASSWORD_FILE"  ipmi-version = "1.5" }
credentials "new" { username = "$LAB_BMC_USER"  password-file = "$LAB_BMC_PASSWORD_FILE" }
credentials "eight" { username = "$LAB_BMC_USER"  password-file = "$LAB_BMC_PASSWORD_FILE"  cipher-suites = { 8, 3 } }
credentials "none" { username = "$LAB_BMC_USER"  password-file = "$LAB_BMC_PASSWORD_FILE"
  cipher-suites = { 0 } }
machine "old" { bmc { address = "127.1.0.1"  port = 9001  credentials = "old"  timeout = 2s } }
machine "new" { bmc { address = "127.1.0.1"  port = 9002  credentials = "new"  timeout = 2s } }
machine "eight" { bmc { address = "127.1.0.1"  port = 9003  credentials = "eight"  timeout = 2s } }
machine "none[1-2]" { bmc { address = "127.1.0.[2-3]"  port = 9003  credentials = "none"  timeout = 2s } }
${1:-}
END
}
conf | lab_agent_conf
lab_agent || bail_out "no agent"

# ---- each is spoken to as its credentials say ----

# spoken INDEX VERSION SUITE NAME
spoken() {
    becomes "pmMachinePowerState.$1" off "$4: its state"
    is "$(value "pmBmcIpmiVersion.$1")" "$2" "$4: IPMI $2"
    like "$(value "pmBmcCipherSuite.$1")" "$3" "$4: cipher suite"
    verb "$1" powerOn ok "$4: powerOn"
    becomes "pmMachinePowerState.$1" on "$4: is on"
}
spoken 1 1.5 'No Such Instance' "credentials of version 1.5"
spoken 2 2.0 '^17$' "credentials of version 2.0"
spoken 3 2.0 '^8$' "cipher suites 8, 3"
spoken 4 2.0 '^0$' "cipher suite 0"
for verb in reset cycle softOff; do verb 1 $verb ok "$verb by IPMI 1.5"; done
put pmBmcBootDevice.1 pxe >/dev/null
job_end 1
is "$(value pmMachineLastResult.1) $(value pmBmcBootDevice.1)" "ok pxe" "the boot device by IPMI 1.5"
becomes pmMachinePowerWatts.1 "$(farm_stat 1 watts old)" "watts by IPMI 1.5"

# ---- the wrong version says so ----

{ conf | sed 's/port = 9001/port = 9004/; s/port = 9002/port = 9001/; s/port = 9004/port = 9002/'; } | lab_agent_conf
lab_agent_reload
for index in 1 2; do
    becomes "pmBmcStatus.$index" error "the BMC of machine $index does not speak the version of its credentials"
    wait_until "$WAIT_S" trap_seen "pmBmcDown.*pmMachineName.$index "
    like "$(trap_value "$(trap_lines | grep -m 1 "pmBmcDown.*pmMachineName.$index ")" pmNotifyText.0)" 'IPMI|1\.5|2\.0' "pmBmcDown says which"
done

# ---- warnings at every start and every reload ----

weak='credentials "none" allow cipher suite 0, which authenticates nobody: .* 2 machines \(none1, none2\)'
is "$(log_count "pmstackd.conf:6: $weak")" 2 "cipher suite 0 is warned of at the start and at the reload, with its line"
conf 'credentials "watch" { username = "x"  password-file = "'"$LAB_BMC_PASSWORD_FILE"'"  privilege = "user" }
machine "seen" { bmc { address = "127.1.0.9"  credentials = "watch" } }' | lab_agent_conf
output=$(setpriv --reuid "$LAB_AGENT_USER" --regid "$(id -g "$LAB_AGENT_USER")" --clear-groups \
    "$(lab_agent_program "$LAB_AGENT_USER")" -t -c "$LAB/etc/pmstackd.conf" 2>&1)
is "$?" 0 "pmstackd -t: such a configuration is good"
like "$output" "$weak" "and warned of"
like "$output" 'credentials "watch" have privilege = "user": 1 machine \(seen\) can only be watched.*power control.*will be refused' \
    "as are credentials that are not enough to switch"
lab_agent_stop
is "$LAB_STATUS" 0 "the agent stops cleanly"
done_testing
