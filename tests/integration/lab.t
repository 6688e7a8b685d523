#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# The lab proves its own parts against independent tools, without pmstackd: what the other tests stand on.
# shellcheck disable=SC2119 # functions of the lab have optional arguments
set -u
# shellcheck source=tests/lab/lab.sh
. "$(dirname "$0")/../lab/lab.sh"
lab_begin "$@"
lab_need ipmitool ipmipower etherwake wakeonlan nc

# ---- given: a master with users, two BMCs, a segment with sleeping machines ----

machine1=$PM_ROOT_OID.1.2.1.12.1 # pmMachineInhibit of pmIndex 1
machine2=$PM_ROOT_OID.1.2.1.12.2
agent1=$PM_ROOT_OID.1.1.1.15.1 # pmAgentInhibit of pmAgentIndex 1
for oid in "$machine1" "$machine2" "$agent1"; do
    printf 'override -rw %s integer 2\n' "$oid"
done >"$LAB/etc/override.conf"

lab_snmptrapd
ok $? "snmptrapd is up"
lab_snmpd --bench --agentx-tcp --conf "$LAB/etc/override.conf"
ok $? "snmpd is up"
lab_bmc web01
ok $? "a BMC with a machine that is off"
lab_bmc web02 --kg kgkey123 --user boss --password other --on -- -l 127.0.1.2:8080 -t 300
ok $? "a BMC with K_g, its own user, a machine that is on and shuts down in 300 ms"
lab_segment lan
ok $? "a segment"
lab_sleeper lan nas1 02:00:00:00:00:11
ok $? "a machine that sleeps"
lab_secret "$LAB/etc/secureon" 01:02:03:04:05:06
lab_sleeper lan nas2 02:00:00:00:00:12 --secureon "$LAB/etc/secureon" --deaf 1
ok $? "a machine that sleeps, with a SecureOn password, deaf to the first packet"

# ---- SNMP: users and their rights ----

set_as() { snmp_as "$1" set "$2" i "$3" 2>&1; }
number_as() { snmp_as "$1" get -Ove "$2" 2>&1; }

is "$(snmp_value reader sysName.0)" lab "the reader reads"
like "$(set_as reader "$machine1" 1)" "noAccess|authorizationError" "the reader cannot write"
is "$(number_as reader "$machine1")" 2 "and has changed nothing"
set_as operator "$machine1" 1 >/dev/null
is "$(number_as reader "$machine1")" 1 "the operator writes machine 1"
like "$(snmp_as operator set sysName.0 s x 2>&1)" "noAccess|authorizationError" "but nothing outside PMSTACK-MIB"
set_as operator1 "$machine1" 2 >/dev/null
is "$(number_as operator1 "$machine1")" 2 "operator1 writes and reads machine 1"
like "$(set_as operator1 "$machine2" 1)" "noAccess|authorizationError" "operator1 cannot write machine 2"
like "$(snmp_value operator1 "$machine2" 2>&1)" "No Such" "operator1 does not see machine 2"
like "$(set_as operator1 "$agent1" 1)" "noAccess|authorizationError" "operator1 cannot write the agent's row"
is "$(number_as reader "$agent1")" 2 "and has not changed it"
like "$(snmp_value blind sysName.0 2>&1)" "authorizationError" "blind may nothing"
like "$(snmp_value stranger sysName.0 2>&1)" "Unknown user name" "a stranger is not known"
like "$(snmpget -v 2c -c "$LAB_COMMUNITY" -Oqv "$LAB_SNMPD_ADDRESS" .1.3.6.1.2.1.1.5.0)" lab "the bench community reads"
like "$(snmpset -v 2c -c "$LAB_COMMUNITY" "$LAB_SNMPD_ADDRESS" "$machine1" i 1 2>&1)" noAccess "and does not write"
is "$(snmp_as reader get sysName.0 2>&1 >/dev/null)" "" "no warnings from the MIB parser"
is "$(grep -lf "$LAB/snmp/operator.passphrase" /proc/[0-9]*/cmdline)" "" "no passphrase is in an argument list"
is "$(find "$LAB" -type f -perm /077 -exec grep -lf "$LAB/snmp/operator.passphrase" {} +)" "" "nor in a file that others can read"
is "$(stat -c '%A %G' "$LAB/agentx/master")" "srw-rw---- nogroup" "the AgentX socket is open to the agent's group"

# ---- notifications ----

like "$(trap_wait 5 coldStart)" 'snmpTrapOID.0 = coldStart' "snmpd's coldStart arrived as an SNMPv3 inform"
trap_mark
address=$LAB_SNMPD_ADDRESS
lab_snmpd_restart
ok $? "snmpd restarts"
is "$LAB_SNMPD_ADDRESS" "$address" "at the same address"
trap_wait 5 coldStart >/dev/null
ok $? "and says so"
trap_wait 0 pmWakeSeen
is $? 1 "trap_wait fails at its deadline"
lab_snmpd_kill
lab_is_running snmpd
is $? 1 "snmpd can be killed"
lab_snmpd_start
ok $? "and started again"
lab_snmpd_stop
trap_mark
lab_snmpd --traps --bench --agentx-tcp
trap_wait 5 coldStart >/dev/null
ok $? "unacknowledged traps arrive as well"
endpoint=${LAB_AGENTX_TCP#tcp:}
nc -z -w 1 "${endpoint%:*}" "${endpoint##*:}"
ok $? "AgentX over TCP is open when asked for"

# ---- BMC: each command takes effect on a real process, exactly once ----

tool() { ipmitool -I lanplus -C 3 -H "$(bmc_address web01)" -p "$(bmc_port web01)" -U "$LAB_BMC_USER" -f "$LAB_BMC_PASSWORD_FILE" "$@" 2>&1; }

is "$(tool chassis power status)" "Chassis Power is off" "ipmitool: off"
machine_is_off web01
ok $? "no process"
tool chassis power on >/dev/null
machine_is_on web01
ok $? "ipmitool power on starts the process"
is "$(tool chassis power status)" "Chassis Power is on" "ipmitool: on"
pid=$(machine_pid web01)
tool chassis power cycle >/dev/null
wait_until 5 machine_is_on web01
isnt "$(machine_pid web01)" "$pid" "cycle: another process"
is "$(machine_boots web01)" 2 "and the second boot"
tool chassis power reset >/dev/null
is "$(machine_boots web01)" 3 "reset: the third boot"
tool chassis power soft >/dev/null
wait_until 5 machine_is_off web01
ok $? "soft: the process honours SIGTERM"
is "$(machine_commands web01 | cut -d' ' -f2-)" "bmc set power 1
bmc set power 0
bmc set power 1
bmc set reset 1
bmc set shutdown 1" "each command has arrived once"

machine_refuse web01 yes
tool chassis power on >/dev/null
machine_is_off web01
ok $? "a chassis that refuses stays off"
machine_refuse web01 no
machine_power web01 on
is "$(tool chassis power status)" "Chassis Power is on" "the front panel's doing is seen by the BMC"
machine_slow web01 1
before=$(tap_now_ms)
tool chassis power status >/dev/null
machine_slow web01 0
ok $(($(tap_now_ms) - before < 1000)) "a slow chassis is slow"
like "$(tool -U nobody chassis power status)" "Unable to establish|unauthorized|Error" "a wrong user is refused"

bmc_silence web01
like "$(tool -N 1 -R 1 chassis power status)" "Unable to establish" "a silent BMC does not answer"
bmc_resume web01
is "$(tool chassis power status)" "Chassis Power is on" "and is back"
bmc_kill web01
lab_udp_bound "$(bmc_address web01):$(bmc_port web01)"
is $? 1 "a dead BMC's port is closed"
machine_is_on web01
ok $? "its machine lives on"
bmc_start web01
is "$(tool chassis power status)" "Chassis Power is on" "and is found again"

# Looking at a machine must not be in the way of its start.
while :; do machine_is_on web01; done &
watcher=$!
boots=$(machine_boots web01)
for _ in {1..20}; do
    machine_power web01 off
    machine_power web01 on
done
kill "$watcher"
wait "$watcher" 2>/dev/null
is "$(machine_boots web01)" $((boots + 20)) "twenty more boots while it is being watched"

# ---- BMC through FreeIPMI ----

printf '%s\n' 'username boss' 'password other' 'k_g kgkey123' 'workaround-flags opensesspriv' \
    'driver-type LAN_2_0' 'cipher-suite-id 3' >"$LAB/etc/freeipmi.conf"
chmod 600 "$LAB/etc/freeipmi.conf"
power() { ipmipower --config-file "$LAB/etc/freeipmi.conf" -h "$(bmc_address web02):$(bmc_port web02)" "$@" 2>&1; }

like "$(power --stat)" ": on$" "ipmipower with K_g: on"
nc -z -w 1 127.0.1.2 8080
ok $? "its machine accepts TCP connections"
power --cycle >/dev/null
wait_until 5 machine_is_on web02
is "$(machine_boots web02)" 2 "ipmipower --cycle: the second boot"
before=$(tap_now_ms)
power --soft >/dev/null
wait_until 5 machine_is_off web02
ok $(($(tap_now_ms) - before < 300)) "ipmipower --soft: off after the machine's delay"
power --on --wait-until-on >/dev/null
machine_is_on web02
ok $? "ipmipower --on"
power --off --wait-until-off >/dev/null
like "$(power --stat)" ": off$" "ipmipower --off"
nc -z -w 1 127.0.1.2 8080
is $? 1 "no TCP connections any more"

# ---- sleepers ----

machine_answers nas1
is $? 1 "a sleeping machine does not answer"
etherwake -i "$(segment_interface lan)" 02:00:00:00:00:11
wait_until 5 machine_answers nas1
ok $? "etherwake's frame wakes it: ICMP echo"
nc -z -w 1 "$(machine_address nas1)" 22
ok $? "and TCP"
like "$(sleeper_heard nas1)" "ethernet 02:00:00:00:00:11 secureon=0 .* woken" "the packet is in the log"
lab_sleeper_down nas1
machine_answers nas1
is $? 1 "put to sleep it does not answer"
wakeonlan -i "$(segment_broadcast lan)" -p 7 02:00:00:00:00:11 >/dev/null
wait_until 5 machine_answers nas1
ok $? "wakeonlan's datagram wakes it"
like "$(sleeper_heard nas1)" "udp 02:00:00:00:00:11 secureon=0 .*port=7 woken" "the datagram is in the log"
is "$(machine_count nas1 nic)" 2 "the NIC has switched it on twice"
like "$(sleeper_heard nas2)" "not-mine" "the other machine heard it and slept on"

wake2() { etherwake -b -i "$(segment_interface lan)" "$@" 02:00:00:00:00:12; }
wake2
wait_until 5 sleeper_heard nas2 'secureon=0 .*wrong-password' >/dev/null
ok $? "SecureOn: not without the password"
wake2 -p 06:05:04:03:02:01
wait_until 5 sleeper_heard nas2 'secureon=6 .*wrong-password' >/dev/null
ok $? "nor with another one"
wake2 -p 01:02:03:04:05:06
wait_until 5 sleeper_heard nas2 'secureon=6 .*deaf' >/dev/null
ok $? "the right one falls on a deaf ear"
machine_is_off nas2
ok $? "so far it sleeps"
wake2 -p 01:02:03:04:05:06
wait_until 5 machine_answers nas2
ok $? "the second right one wakes it"
kill -KILL "$(machine_pid nas2)"
wait_until 5 machine_is_off nas2
machine_answers nas2
is $? 1 "a killed machine takes its address with it"

# ---- the agent's place, with a program that tells where it runs ----

# shellcheck disable=SC2016 # the program expands them
printf '%s\n' '#!/bin/sh' 'id -un; id -gn; grep -E "Cap(Eff|Bnd)" /proc/self/status; echo "$@"; cat "$2"; cat "$6/x"' \
    'trap "exit 3" TERM; while :; do sleep 0.1; done' >"$LAB/program"
chmod 755 "$LAB/program"
PMSTACKD=$LAB/program
lab_agent_conf <<<'agent { }'
lab_agent --no-wait -v
wait_until 5 lab_agent_logged 'x: No such file'
like "$(<"$LAB/log/pmstackd.log")" "^nobody.nogroup.CapEff:.0000000000002000.CapBnd:.0000000000002000" \
    "the agent is an ordinary user with CAP_NET_RAW alone"
like "$(<"$LAB/log/pmstackd.log")" "-x $LAB_AGENTX -s $LAB/state/pmstackd -L err -v.agent \{ \}" "its arguments; it reads its file"
lab_agent_stop
ok $? "it ends when asked to"
is "$LAB_STATUS" 3 "and its exit status is known"
lab_agent --name second --no-cap --no-wait </dev/null 2>&1
wait_until 5 lab_agent_logged 'No such file' second
like "$(<"$LAB/log/second.log")" "CapEff:.0000000000000000" "without the capability when told so"
lab_agent_kill second
lab_is_running second
is $? 1 "and can be killed"

# ---- the assertions can fail ----

failing=$(bash -c '. "$1"; is a b "not equal"; wait_until 0 false; echo "rc $?"; done_testing' - "$LAB_ROOT/tests/lab/tap.sh" 2>&1)
is $? 1 "a failed assertion fails the test"
like "$failing" "not ok 1 - not equal.*got: a.*expected: b.*rc 1.*1\.\.1" "and says what was got and expected"

# ---- nothing is left ----

cat >"$LAB/inner" <<END
. "$LAB_ROOT/tests/lab/lab.sh"
lab_begin "\$@"
lab_snmptrapd && lab_snmpd && lab_bmc b1 --on && lab_segment s1 && lab_sleeper s1 n1 02:00:00:00:00:21 &&
    machine_power n1 on && touch "$LAB/inner.up"
wait_until 30 test -e "$LAB/inner.end"
END

# network_objects: what a lab could leave in this network.
network_objects() { ip -o link show | cut -d: -f2 && ls /run/netns; }
# Listed before anything is piped: a shell that is about to become sort may still be a shell.
processes() {
    local all
    all=$(ps -e -o comm=)
    grep -Ev '^(sleep|ps)$' <<<"$all" | sort
}
daemon_count() { processes | grep -Ec '^(snmpd|snmptrapd|ipmi_sim|sleeper|machine)$'; }
processes_as_before() { [[ $(processes) == "$before_processes" ]]; }

# inner_lab SIGNAL [OPTION]: a lab that is ended by that signal, or by itself (0).
inner_lab() {
    rm -f "$LAB/inner.up" "$LAB/inner.end"
    bash "$LAB/inner" "${@:2}" >"$LAB/log/inner.log" 2>&1 &
    wait_until 20 test -e "$LAB/inner.up" || return 1
    inner_count=$(daemon_count)
    if [[ $1 == 0 ]]; then touch "$LAB/inner.end"; else kill -"$1" $!; fi
    wait $! 2>/dev/null
    wait_until 10 processes_as_before
}

mkdir "$LAB/inner.tmp"
export TMPDIR=$LAB/inner.tmp
before=$(network_objects)
before_processes=$(processes)
before_count=$(daemon_count)
for how in "0" "KILL" "0 --host-net" "TERM --host-net"; do
    # shellcheck disable=SC2086 # the option, when there is one
    inner_lab $how
    ok $? "lab ended by $how: no process is left"
    is $((inner_count - before_count)) 6 "of the six daemons there were"
    is "$(network_objects)" "$before" "no interface and no namespace"
    [[ $how == KILL ]] || is "$(ls "$TMPDIR")" "" "and no directory"
    rm -rf "${TMPDIR:?}"/*
done

done_testing
