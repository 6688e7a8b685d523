#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# BMCs at IPv6 addresses: literal ones, link-local ones that only the interface tells apart, and names with addresses of
# both families of which one is dead.
# shellcheck disable=SC2119 # functions of the lab have optional arguments
set -u
# shellcheck source=tests/lab/lab.sh
. "$(dirname "$0")/../lab/lab.sh"
# shellcheck source=tests/integration/room.sh
. "$(dirname "$0")/room.sh"
lab_begin "$@"

# ---- given: two links with the same address on each, and on one of them neighbours that never answer ----

# link NAME: the interface NAME is ours, NAME-far the BMC's.
link() {
    ip link add "$1" type veth peer name "$1-far" && ip link set "$1" up && ip link set "$1-far" up &&
        ip -6 address add fe80::50/64 dev "$1-far" nodad
}
# silent ADDRESS: what is sent there leaves, and nothing comes back, not even an error.
silent() { ip neigh replace "$1" lladdr 02:00:00:00:00:99 nud permanent dev left; }
{ link left && link right && ip -6 address add 2001:db8:6::1/64 dev left nodad &&
    ip address add 10.6.0.1/24 dev left && silent 2001:db8:6::dead && silent 10.6.0.99; } || bail_out "no links"

cat >"$LAB/etc/hosts" <<END
127.0.0.1 localhost
2001:db8:6::dead four-lives
10.6.0.1 four-lives
2001:db8:6::1 six-lives
10.6.0.99 six-lives
END
# prefer_ipv4 PRECEDENCE: which family comes first for a name that has both; that of IPv6 is 40 (gai.conf(5)).
prefer_ipv4() { printf 'precedence ::/0 40\nprecedence ::ffff:0:0/96 %d\n' "$1" >"$LAB/etc/gai.conf"; }
prefer_ipv4 10
{ mount --bind "$LAB/etc/hosts" /etc/hosts && mount --bind "$LAB/etc/gai.conf" /etc/gai.conf; } || bail_out "no hosts file"

{ lab_snmptrapd && lab_snmpd; } || bail_out "no master agent"
{ lab_bmc loop ::1:9601 --on && lab_bmc left fe80::50%left-far:9602 && lab_bmc right fe80::50%right-far:9602 &&
    lab_bmc global 2001:db8:6::1:9603 && lab_bmc four 10.6.0.1:9604 --on && lab_bmc six 2001:db8:6::1:9604 --on; } ||
    bail_out "no BMC"

# machine NAME ADDRESS PORT
machine() {
    printf 'machine "%s" { bmc { address = "%s"  port = %d  credentials = "lab"  timeout = 2s } }\n' "$@"
}
{
    printf 'agent { name = "room"  poll-interval = 1s }\n'
    printf 'credentials "lab" { username = "%s"  password-file = "%s"  cipher-suites = { 3 } }\n' \
        "$LAB_BMC_USER" "$LAB_BMC_PASSWORD_FILE"
    machine loop ::1 9601
    machine left fe80::50%left 9602
    machine right fe80::50%right 9602
    machine global 2001:db8:6::1 9603
    machine four four-lives 9604
    machine six six-lives 9604
    machine dead 2001:db8:6::dead 623
} | lab_agent_conf
lab_agent || bail_out "no agent"

# ---- all that live are seen, and told apart ----

becomes pmMachinePowerState.1 on "the loopback address"
becomes pmMachinePowerState.2 off "a link-local address"
becomes pmMachinePowerState.3 off "the same on another link"
becomes pmMachinePowerState.4 off "a global address"
is "$(value pmBmcAddress.1) $(value pmBmcAddress.2)" "[::1]:9601 [fe80::50%left]:9602" "shown with brackets, and the interface"

verb 3 powerOn ok "powerOn on one link"
machine_is_on right && machine_is_off left
ok $? "switches the machine there, and not the one with the same address"
becomes pmMachinePowerState.2 off "which is seen off"
verb 2 powerOn ok "powerOn on the other"
machine_is_on left
ok $? "switches that one"
verb 1 powerOff ok "powerOff"
machine_is_off loop
ok $? "at the loopback address"
verb 4 powerOn ok "powerOn at the global address"
bmc_kill global
bmc_start global
verb 4 powerOff ok "and powerOff after a restart of the BMC"
is "$(commands_of global)" "bmc set power 1,bmc set power 0" "each was sent once"

# ---- nobody there ----

becomes pmBmcStatus.7 unreachable "a dead address"
told 'pmBmcDown.*pmMachineName.7 ' "is told"
like "$(trap_value "$told" pmNotifyText.0)" 'BMC \[2001:db8:6::dead\]:623 did not answer' "with brackets, so that the port is seen"

# ---- one of two addresses is dead: the other is found, whichever comes first ----

first_address() { getent ahosts "$1" | sed -n '1s/ .*//p'; }
is "$(first_address four-lives) $(first_address six-lives)" "2001:db8:6::dead 2001:db8:6::1" "IPv6 is preferred"
becomes pmMachinePowerState.5 on "the IPv6 address, the first, is dead"
becomes pmMachinePowerState.6 on "the IPv4 address, the second, is dead"
verb 5 powerOff ok "powerOff at the living address"
machine_is_off four && machine_is_on six
ok $? "switches the right machine"
lab_agent_stop
is "$LAB_STATUS" 0 "the agent stops cleanly"
prefer_ipv4 100
rm -r "$LAB/state/pmstackd" # what it knew
is "$(first_address four-lives) $(first_address six-lives)" "10.6.0.1 10.6.0.99" "IPv4 is preferred"
lab_agent || bail_out "no agent"
becomes pmMachinePowerState.6 on "the IPv4 address, the first, is dead"
becomes pmMachinePowerState.5 off "the IPv6 address, the second, is dead"
verb 6 powerOff ok "powerOff at the living address"
machine_is_off six
ok $? "switches the machine"

lab_agent_stop
is "$LAB_STATUS" 0 "the agent stops cleanly"
done_testing
