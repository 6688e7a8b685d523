#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# The agent beside the MIB: every object that it serves, parsed with smidump, is compared with what it answers, and the
# tables and enumerations of its sources with what the MIB says.
# shellcheck disable=SC2119 # functions of the lab have optional arguments
set -u
# shellcheck source=tests/lab/lab.sh
. "$(dirname "$0")/../lab/lab.sh"
lab_begin "$@"
lab_need smidump perl
perl -MNet::SNMP -e 1 2>/dev/null || bail_out "Net::SNMP for Perl is not installed: make deps"

here=$LAB_ROOT/tests/integration
columns=${PM_TEST_BIN:-$LAB_ROOT/build/tests}/mib-columns
[[ -x $columns ]] || bail_out "$columns is missing: make programs"
SMIPATH=$(lab_mib_directories)
export SMIPATH

# report FILE: the outcomes that a Perl script has written, as this test's own.
report() {
    local outcome name detail
    while IFS=$'\t' read -r outcome name detail; do
        case $outcome in
        PASS) pass "$name" ;;
        FAIL) fail "$name" || diag "$detail" ;;
        esac
    done <"$1"
}

# ---- the sources ----

"$columns" | perl "$here/mib-columns.pl" "$LAB_ROOT" >"$LAB/columns"
ok $? "the sources were compared with the MIB"
report "$LAB/columns"

# ---- given: machines of every kind, more than a block of the state map holds ----

community=$(lab_random 8)
lab_secret "$LAB/etc/more.conf" "rwcommunity $community 127.0.0.1"
long_name=$(printf 'n%.0s' {1..64})
long_group=$(printf 'g%.0s' {1..32}) # the longest that the MIB allows

lab_snmptrapd
lab_snmpd --conf "$LAB/etc/more.conf" || bail_out "no master agent"
lab_bmc bmc-on --on
lab_bmc bmc-off
lab_bmc bmc-kg --kg kgkey123
lab_bmc wrong
lab_segment lan
lab_sleeper lan nas1 02:00:00:00:00:11
lab_test_libvirtd outer || bail_out "no hypervisor"
lab_test_libvirtd inner || bail_out "no hypervisor"
lab_test_vms outer web 20
wrong=$(lab_agent_secret wrong.password "not the password")
kg=$(lab_agent_secret bmc.kg kgkey123)
secureon=$(lab_agent_secret nic.secureon 01:02:03:04:05:06)
port=$(bmc_port bmc-on)

lab_agent_conf <<END
agent { name = "lab"  index = 1  poll-interval = 1h }
credentials "lab"   { username = "$LAB_BMC_USER"  password-file = "$LAB_BMC_PASSWORD_FILE"  cipher-suites = { 3 } }
credentials "kg"    { username = "$LAB_BMC_USER"  password-file = "$LAB_BMC_PASSWORD_FILE"  cipher-suites = { 3 }
                      kg-file = "$kg" }
credentials "wrong" { username = "$LAB_BMC_USER"  password-file = "$wrong"  cipher-suites = { 3 } }
machine "bmc-on" {
  location = "Straße 1, 機房"
  uuid     = "00112233-4455-6677-8899-aabbccddeeff"
  bmc   { address = "127.0.1.1"  port = $port  credentials = "lab" }
  probe { method = "icmp"  address = "127.0.0.1" }
}
machine "nas1" {
  nic "eth0" { mac = "02:00:00:00:00:11"  interface = "$(segment_interface lan)" }
  probe { method = "icmp"  address = "$(machine_address nas1)" }
}
machine "bmc-off" { bmc { address = "127.0.1.2"  port = $port  credentials = "lab" } }
machine "bmc-kg"  { bmc { address = "127.0.1.3"  port = $port  credentials = "kg" } }
machine "wrong"   { bmc { address = "127.0.1.4"  port = $port  credentials = "wrong" } }
machine "x" {
  nic "a" { }
  nic "eth1" {
    mac = "02:00:00:00:00:21"  wol = "udp"  address = "192.0.2.255"  port = 7  secureon-file = "$secureon"
  }
}
machine "$long_name" { nic "eth0" { mac = "02:00:00:00:00:22"  wol = "udp"  address = "2001:db8::1" } }
machine "dead" { bmc { address = "127.0.9.1"  port = $port  credentials = "lab"  timeout = 1s } }
machine "filler[001-300]" { location = "row 2" }
machine "room" { stack { uri = "$(libvirt_uri outer)"  guest "test" { uri = "$(libvirt_uri inner)" } } }
group "g"           { members = { "x" } }
group "$long_group" { members = { "bmc-on", "$long_name" } }
group "rack-1"      { members = { "bmc-on", "bmc-off", "filler[001-009]" } }
END
lab_agent || bail_out "no agent"

# ---- and at rest: the first round of polls is over, and nothing waits ----

state_now() {
    snmp_as reader get -OvU pmMachinePowerState.{1,2,3,4,5} pmBmcStatus.{5,8} pmAgentVms.1 pmBmcBootDevice.1 pmAgentNotifyPending.1 \
        2>/dev/null | tr '\n' ' '
}
at_rest() { [[ $(state_now) == "on unknown off off unknown authFailed unreachable 22 "*" 0 " ]]; }
wait_until 60 at_rest
ok $? "all machines have been asked"
snmp_as operator set pmMachineCommand.3 = powerOn pmMachineInhibit.6 = true >/dev/null
wait_until 30 snmp_is reader pmMachineLastResult.3 ok
ok $? "a job has run"
wait_until 30 snmp_is reader pmAgentNotifyPending.1 0


# ---- what it serves ----

perl "$here/mib-conformance.pl" "$LAB_ROOT/mib/PMSTACK-MIB.txt" "$LAB_SNMPD_ADDRESS" <<<"$community" >"$LAB/served"
ok $? "what is served was compared with the MIB"
report "$LAB/served"

lab_agent_stop
is "$LAB_STATUS" 0 "the agent ends well"
done_testing
