#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# A SET that cannot be: each line of "Answers to bad input" in docs/mib.md, on every object to which it applies. The error
# is the right one, the log says why, and the machines, by the chassis commands that reach them, are left alone.
# shellcheck disable=SC2119 # functions of the lab have optional arguments
set -u
# shellcheck source=tests/lab/lab.sh
. "$(dirname "$0")/../lab/lab.sh"
lab_begin "$@"
lab_need smidump perl sqlite3

# ---- what may be written: name => object identifier ----

SMIPATH=$(lab_mib_directories)
export SMIPATH
perl "$LAB_ROOT/tests/integration/mib-writable.pl" "$LAB_ROOT/mib/PMSTACK-MIB.txt" \
    pmAgentTable pmMachineTable pmNicTable pmBmcTable pmVmTable pmGroupTable >"$LAB/writable" || bail_out "the MIB cannot be read"
declare -A oid=()
while read -r name number _; do oid[$name]=$number; done <"$LAB/writable"
while read -r module name _ number; do
    [[ $module != PMSTACK-MIB || -z $number ]] || oid[$name]=.$number
done < <(smidump -f identifiers "$LAB_ROOT/mib/PMSTACK-MIB.txt")

# set_raw OBJECT.INDEX TYPE VALUE...: OBJECT is a name, or empty for an object identifier with a dot before it.
set_raw() {
    local arguments=() object
    while (($#)); do
        object=${1%%.*}
        arguments+=("${object:+${oid[$object]}}${1#"$object"}" "$2" "$3")
        shift 3
    done
    answer=$(snmp_as raw-operator set "${arguments[@]}" 2>&1)
}

# refused ERROR NAME OBJECT.INDEX TYPE VALUE...: that error, and one line in the log with it and a reason.
refused() {
    local error=$1 name=$2 before lines reason=''
    shift 2
    before=$(wc -l <"$LAB/log/pmstackd.log")
    set_raw "$@"
    [[ $answer =~ Reason:\ ([A-Za-z]+) ]] && reason=${BASH_REMATCH[1]}
    lines=$(tail -n +$((before + 1)) "$LAB/log/pmstackd.log" | grep "SET of .* refused with $error")
    if [[ $reason != "$error" ]]; then
        fail "$name: $error"
        diag "$*: $answer"
    elif [[ ! $lines =~ refused\ with\ $error.*:\ .+ ]]; then
        fail "$name: $error is explained in the log"
        diag "$*: $(tail -n 1 "$LAB/log/pmstackd.log")"
    else
        pass "$name: $error${why:+, $why}"
        [[ -z ${why:-} || $lines == *"$why"* ]] || { fail "the log says \"$why\"" || diag "$lines"; }
    fi
}

accepted() {
    local name=$1
    shift
    set_raw "$@"
    unlike "$answer" "Reason|Timeout" "$name"
}

# commands MACHINE: how many chassis commands have reached it.
commands() { machine_count "$1"; }
no_job() { is "$(snmp_value reader pmAgentJobsActive.1 | cut -d' ' -f1)" 0 "$1: no job"; }
idle() { [[ $(snmp_value reader pmAgentJobsActive.1) == 0* ]]; }
wait_idle() { wait_until 30 idle || fail "the jobs end"; }

# ---- given ----
# 1 web01  BMC; takes ten minutes to shut down softly          4 nas1   NIC that sleeps, no BMC
# 2 web02  BMC                                                 5 nomac  NIC without a MAC address
# 3 web03  BMC                                               6 room   no BMC; a hypervisor with one VM, which runs

lab_snmptrapd
lab_snmpd || bail_out "no master agent"
lab_raw_user operator
lab_bmc web01 --on -- -t 600000
lab_bmc web02
lab_bmc web03
lab_segment lan
lab_sleeper lan nas1 02:00:00:00:00:11 --deaf 100000
lab_test_libvirtd hv || bail_out "no hypervisor"
port=$(bmc_port web01)
lab_agent_conf <<END
agent { poll-interval = 2s }
credentials "lab" { username = "$LAB_BMC_USER"  password-file = "$LAB_BMC_PASSWORD_FILE"  cipher-suites = { 3 } }
machine "web[01-03]" {
  off-methods = { "bmc-soft" }  off-timeout = 10m
  bmc { address = "127.0.1.[1-3]"  port = $port  credentials = "lab" }
}
machine "nas1" {
  on-timeout = 10m
  nic "eth0" { mac = "02:00:00:00:00:11"  interface = "$(segment_interface lan)" }
  probe { method = "icmp"  address = "$(machine_address nas1)" }
}
machine "nomac" { nic "eth0" { } }
machine "room"  { stack { uri = "$(libvirt_uri hv)" } }
group "rack"  { members = { "web[01-03]", "nomac" }  stagger = 1ms }
group "lame"  { members = { "nomac" } }
group "empty" { }
END
rack=4.114.97.99.107 lame=4.108.97.109.101 empty=5.101.109.112.116.121
# A small file system of its own, to be filled up below.
mkdir -p "$LAB/state/pmstackd"
mount -t tmpfs -o size=2m tmpfs "$LAB/state/pmstackd"
trap 'status=$?; umount --lazy "$LAB/state/pmstackd"; lab_end "$status"' EXIT
lab_agent -v || bail_out "no agent"
wait_until 30 snmp_is reader pmMachinePowerState.1 on && wait_until 30 snmp_is reader pmMachinePowerState.3 off &&
    wait_until 30 snmp_is reader pmVmState.6.1 running
ok $? "the machines are known"
before_commands="$(commands web01) $(commands web02) $(commands web03)"

# ---- the value does not fit: every read-write object ----

instance_of() {
    case $1 in
    pmNic*) printf '4.1' ;;
    pmVm*) printf '6.1' ;;
    pmGroup*) printf '%s' "$rack" ;;
    *) printf '1' ;;
    esac
}

octets() { printf 'x%.0s' $(seq "$1"); }

# Values as snmpset takes them; an object identifier is neither number nor text.
declare -A wrong_types=([i]='u:2 s:on o:.1.3' [u]='i:2 s:9 o:.1.3' [s]='i:2 u:2 o:.1.3')

while read -r name _ type values lengths; do
    object=$name.$(instance_of "$name")
    before_value=$(snmp_as reader get -OveU "$object" 2>&1)
    for wrong in ${wrong_types[$type]}; do refused wrongType "$object with $wrong" "$object" "${wrong%%:*}" "${wrong#*:}"; done
    [[ $values == - ]] || for value in ${values//,/ }; do refused wrongValue "$object = $value" "$object" "$type" "$value"; done
    [[ $lengths == - ]] || for length in ${lengths//,/ }; do
        refused wrongLength "$object of $length octets" "$object" s "$(octets "$length")"
    done
    is "$(snmp_as reader get -OveU "$object" 2>&1)" "$before_value" "$object is as before"
done <"$LAB/writable"

refused wrongValue "a text with a zero octet" pmMachineInhibitReason.1 x 610062
refused wrongValue "a text that is not UTF-8" pmMachineInhibitReason.1 x c328
refused wrongValue "an interface name with a slash" pmNicInterface.4.1 s ../eth0
no_job "values that do not fit"

# ---- what is not there ----

for name in pmMachineCommand pmMachineAdminState pmMachineInhibit pmBmcChassisControl pmBmcIdentify; do
    for index in 99 0 4294967295 1.1; do refused noCreation "$name.$index" "$name.$index" i 2; done
done
refused noCreation "a NIC of a machine that is not there" pmNicWake.99.1 i 2
refused noCreation "another agent" pmAgentInhibit.2 i 1
for index in 1.1 4.2 4.0; do
    refused inconsistentName "no NIC $index" "pmNicWake.$index" i 2
    refused inconsistentName "no NIC $index" "pmNicPort.$index" u 7
done
for index in 6.2 6.0 1.1; do
    refused inconsistentName "no VM $index" "pmVmCommand.$index" i 8
    refused inconsistentName "no VM $index" "pmVmAdminState.$index" i 4
    refused inconsistentName "no VM $index" "pmVmShutdownTimeout.$index" u 7
done
for index in 99.1 6 6.1.1 6.1.0; do refused noCreation "an index that no VM can have" "pmVmCommand.$index" i 8; done
for index in 4.1.1 4; do refused noCreation "an index that no NIC can have" "pmNicWake.$index" i 2; done
while read -r name _ type _; do
    [[ $name != pmBmc* ]] || refused inconsistentValue "$name of a machine without a BMC" "$name.4" "$type" 2
done <"$LAB/writable"

for index in 4.114.97.99.108 3.114.97.99 4.114.97.99 "$rack.0" 114.97.99.107 0 99; do
    refused noCreation "a group that is not there" "pmGroupCommand.$index" i 2
    refused noCreation "its stagger" "pmGroupStagger.$index" u 2
done

# ---- a machine lacks what the verb needs ----

for verb in shutdown:4 powerOff:5 reboot:6 cycle:7 reset:8 softOff:11 diagnosticInterrupt:12 identify:15; do
    why=bmc refused inconsistentValue "${verb%:*} without a BMC" pmMachineCommand.4 i "${verb#*:}"
done
for verb in suspend:9 hibernate:10 init:13 armWol:14; do
    refused inconsistentValue "${verb%:*} without a host" pmMachineCommand.1 i "${verb#*:}"
done
why=bmc refused inconsistentValue "the wish off without BMC and host" pmMachineAdminState.4 i 3
why=MAC refused inconsistentValue "a magic packet without a MAC address" pmNicWake.5.1 i 2
why=MAC refused inconsistentValue "wake without a MAC address" pmMachineCommand.5 i 3
refused inconsistentValue "powerOn with neither BMC nor MAC address" pmMachineCommand.5 i 2
refused inconsistentValue "the wish on with neither" pmMachineAdminState.5 i 2
refused inconsistentValue "wake without a NIC" pmMachineCommand.1 i 3
refused inconsistentValue "the method ipmi without a BMC" pmMachinePowerOnMethod.4 i 2
refused inconsistentValue "the method wol without a NIC" pmMachinePowerOnMethod.1 i 3
refused inconsistentValue "the method wol without a MAC address" pmMachinePowerOnMethod.5 i 3
why="no hypervisor" refused inconsistentValue "a stack that is not there" pmMachineStackAdminState.1 i 2
for verb in 3 12 13 14 15; do why="is for machines" refused wrongValue "verb $verb to a VM" pmVmCommand.6.1 i "$verb"; done
why="no members" refused inconsistentValue "a group without members" "pmGroupCommand.$empty" i 2
why=MAC refused inconsistentValue "a group of which no member can" "pmGroupCommand.$lame" i 2
why=suspend refused inconsistentValue "a verb that no member can do" "pmGroupCommand.$rack" i 9
no_job "what cannot be done"

# ---- read-only ----

refused notWritable "pmMachinePowerState" pmMachinePowerState.1 i 2
refused notWritable "pmMachineName" pmMachineName.1 s other
refused notWritable "pmIndex" pmIndex.1 u 1
refused notWritable "a column that the MIB does not have" "${oid[pmMachineEntry]}.26.1" i 1
refused notWritable "pmNicMacAddress" pmNicMacAddress.4.1 x 020000000012
refused notWritable "pmBmcAddress" pmBmcAddress.1 s 127.0.0.1
refused notWritable "pmVmState" pmVmState.6.1 i 11
refused notWritable "pmVmIndex" pmVmIndex.6.1 u 2
refused notWritable "pmGroupMembers" "pmGroupMembers.$rack" u 9
refused notWritable "pmGroupName" pmGroupName.1 s rack
refused notWritable "pmNameIndex" pmNameIndex.5.119.101.98.48.49 u 2
refused notWritable "pmEventText" pmEventText.1.1 s nothing
refused notWritable "pmStateMapStates" pmStateMapStates.1 s x

# ---- inhibited ----

# Whatever would start a job on machine 2, on the NIC of machine 4, and on the VM of machine 6.
each_verb() {
    refused inconsistentValue "$1: Command" pmMachineCommand.2 i 2
    refused inconsistentValue "$1: AdminState" pmMachineAdminState.2 i 2
    refused inconsistentValue "$1: ChassisControl" pmBmcChassisControl.2 i 3
    refused inconsistentValue "$1: RestorePolicy" pmBmcRestorePolicy.2 i 4
    refused inconsistentValue "$1: Identify" pmBmcIdentify.2 i 2
    refused inconsistentValue "$1: BootDevice" pmBmcBootDevice.2 i 2
    refused inconsistentValue "$1: Wake" pmNicWake.4.1 i 2
    refused inconsistentValue "$1: VmCommand" pmVmCommand.6.1 i 5
    refused inconsistentValue "$1: VmAdminState" pmVmAdminState.6.1 i 4
    refused inconsistentValue "$1: StackAdminState" pmMachineStackAdminState.6 i 2
    no_job "$1"
}
accepted "machines are inhibited, with a reason" pmMachineInhibit.2 i 1 pmMachineInhibitReason.2 s "fan exchange" \
    pmMachineInhibit.4 i 1 pmMachineInhibitReason.4 s "fan exchange" \
    pmMachineInhibit.6 i 1 pmMachineInhibitReason.6 s "fan exchange"
why="fan exchange" each_verb "machine inhibited"
accepted "allowed again" pmMachineInhibit.2 i 2 pmMachineInhibit.4 i 2 pmMachineInhibit.6 i 2
accepted "the agent is inhibited" pmAgentInhibit.1 i 1
why=pmAgentInhibit each_verb "agent inhibited"
why=pmAgentInhibit refused inconsistentValue "agent inhibited: a group" "pmGroupCommand.$rack" i 2
accepted "a setting is written nevertheless" pmMachineVmTimeout.2 u 60
accepted "and a wish withdrawn" pmMachineAdminState.2 i 1
accepted "allowed again" pmAgentInhibit.1 i 2

# ---- several in one SET: all or nothing ----

refused wrongValue "a bad one in the same row" pmMachineInhibit.1 i 1 pmMachineVmTimeout.1 u 0
is "$(snmp_value reader pmMachineInhibit.1)" false "the good one did not happen"
refused wrongValue "a bad one in another table" pmMachineCommand.2 i 2 pmNicPort.4.1 u 0
refused inconsistentName "one that is not there" pmMachineCommand.2 i 2 pmNicPort.4.7 u 7
refused inconsistentValue "one that cannot be now" pmMachineCommand.2 i 2 pmBmcChassisControl.4 i 3
refused inconsistentValue "the other way round" pmBmcChassisControl.4 i 3 pmMachineCommand.2 i 2
refused notWritable "one that is read-only" pmMachineCommand.2 i 2 pmMachineName.2 s other
refused inconsistentValue "the same object twice" pmMachineCommand.2 i 2 pmMachineCommand.2 i 2
refused inconsistentValue "the same object twice, differently" pmMachineVmTimeout.2 u 61 pmMachineVmTimeout.2 u 62
is "$(snmp_value reader pmMachineVmTimeout.2 | cut -d' ' -f1)" 60 "neither happened"
refused inconsistentValue "a verb and a wish" pmMachineCommand.2 i 2 pmMachineAdminState.2 i 3
refused inconsistentValue "a verb and a wish of a VM" pmVmCommand.6.1 i 8 pmVmAdminState.6.1 i 4
refused inconsistentValue "a VM, and the stack that it is in" pmVmCommand.6.1 i 5 pmMachineStackAdminState.6 i 2
refused inconsistentName "a VM, and one that is not there" pmVmCommand.6.1 i 5 pmVmCommand.6.2 i 5
refused inconsistentValue "two verbs for one machine, from two tables" pmMachineCommand.2 i 2 pmBmcChassisControl.2 i 2
refused inconsistentValue "two settings of one BMC" pmBmcIdentify.2 i 2 pmBmcRestorePolicy.2 i 4
refused inconsistentValue "a group of which no member can, beside one that could" "pmGroupCommand.$rack" i 2 "pmGroupCommand.$lame" i 2
refused inconsistentName "a group and a NIC that is not there" "pmGroupCommand.$rack" i 2 pmNicPort.4.7 u 7
refused inconsistentValue "a group, and a magic packet without a MAC address" "pmGroupCommand.$rack" i 2 pmNicWake.5.1 i 2
refused wrongValue "a stagger that is too long, with a verb" "pmGroupCommand.$rack" i 2 "pmGroupStagger.$rack" u 3600001
is "$(snmp_value reader "pmGroupStagger.$rack" | cut -d' ' -f1)" 1 "the stagger is as before"
lock=$(snmp_value reader pmAgentSetLock.1)
refused inconsistentValue "a lock that another manager has moved" pmAgentSetLock.1 i $((lock + 1)) pmMachineCommand.2 i 2
is "$(snmp_value reader pmAgentSetLock.1)" "$lock" "the lock did not move"
no_job "all or nothing"
is "$(commands web01) $(commands web02) $(commands web03)" "$before_commands" "no chassis command has reached any BMC"
is "$(vm_state hv test)" running "nor anything the VM"

accepted "the lock as it was read" pmAgentSetLock.1 i "$lock" pmMachineCommand.2 i 2
wait_until 30 machine_is_on web02
ok $? "lets the verb happen"
is "$(snmp_value reader pmAgentSetLock.1)" $((lock + 1)) "and has moved"
wait_idle
accepted "one verb twice, in the words of two tables" pmMachineCommand.2 i 7 pmBmcChassisControl.2 i 4
wait_idle
is "$(machine_boots web02)" 2 "is one job"

# ---- busy ----

accepted "a soft shutdown begins" pmMachineCommand.1 i 11
wait_until 30 snmp_is reader pmMachinePowerState.1 poweringOff
ok $? "and goes on for a while"
why=softOff
refused inconsistentValue "busy: another verb" pmMachineCommand.1 i 7
refused inconsistentValue "busy: a wish" pmMachineAdminState.1 i 2
refused inconsistentValue "busy: chassis control" pmBmcChassisControl.1 i 2
refused inconsistentValue "busy: a setting of the BMC" pmBmcIdentify.1 i 2
refused inconsistentValue "busy: together with a machine that is free" pmMachineCommand.3 i 2 pmMachineCommand.1 i 7
unset why
accepted "the same verb again" pmMachineCommand.1 i 11
accepted "and again" pmMachineCommand.1 i 11
accepted "and by the other name for it" pmBmcChassisControl.1 i 7
is "$(machine_count web01 'bmc set')" 1 "one command has reached the BMC"
is "$(snmp_value reader pmAgentJobsActive.1 | cut -d' ' -f1)" 1 "there is one job"
accepted "inhibited in the middle" pmMachineInhibit.1 i 1
accepted "the same verb is still what is being done" pmMachineCommand.1 i 11
is "$(snmp_value reader pmMachinePowerState.1)" poweringOff "the job goes on"
accepted "allowed again" pmMachineInhibit.1 i 2
machine_is_off web03
ok $? "the machine that was free has not been touched"

accepted "a wake begins" pmNicWake.4.1 i 2
accepted "the same again" pmNicWake.4.1 i 2
is "$(snmp_value reader pmAgentJobsActive.1 | cut -d' ' -f1)" 2 "is one job"
refused inconsistentValue "busy: a machine that is being woken" pmMachineAdminState.4 i 3

# A machine that is switched off ends the soft shutdown of machine 1.
machine_power web01 off
wait_until 30 snmp_is reader pmMachineLastResult.1 ok
ok $? "the soft shutdown has ended"
wait_until 30 machine_power nas1 on
wait_idle

# ---- the limit of jobs ----

accepted "one job at a time" pmAgentJobMaxConcurrent.1 u 1
trap_mark
accepted "three verbs in one SET" pmMachineCommand.1 i 2 pmMachineCommand.2 i 5 pmMachineCommand.3 i 2
wait_idle
ended() { (($(trap_lines | grep -c pmJobFinished) >= 3)); }
wait_until 30 ended
is "$(trap_lines | grep -oE 'pmJob(Started|Finished|Failed)' | tr '\n' ' ')" \
    "pmJobStarted pmJobFinished pmJobStarted pmJobFinished pmJobStarted pmJobFinished " "are three jobs, one after the other"
machine_is_on web01 && machine_is_off web02 && machine_is_on web03
ok $? "and all of them are done"
accepted "as many as before" pmAgentJobMaxConcurrent.1 u 64

# ---- the journal cannot be written ----

untouched="$(commands web01) $(commands web02) $(commands web03)"
not_written() {
    refused commitFailed "$1: a verb" pmMachineCommand.2 i 2
    refused commitFailed "$1: chassis control" pmBmcChassisControl.3 i 2
    refused commitFailed "$1: a setting" pmMachineVmTimeout.2 u 99
    refused commitFailed "$1: a wish" pmMachineAdminState.3 i 3
    refused commitFailed "$1: a VM" pmVmCommand.6.1 i 5
    refused commitFailed "$1: its wish" pmVmAdminState.6.1 i 4
    refused commitFailed "$1: a group" "pmGroupCommand.$rack" i 2
    refused commitFailed "$1: the stagger of a group" "pmGroupStagger.$rack" u 99
    refused commitFailed "$1: two machines" pmMachineCommand.2 i 2 pmMachineCommand.3 i 5
    no_job "$1"
    is "$(snmp_value reader pmMachineVmTimeout.2 | cut -d' ' -f1)" 60 "$1: the setting is as before"
    is "$(snmp_value reader "pmGroupStagger.$rack" | cut -d' ' -f1)" 1 "$1: so is that of the group"
    is "$(snmp_value reader pmMachineAdminState.3)" unmanaged "$1: so is the wish"
    is "$(snmp_value reader pmVmAdminState.6.1) $(vm_state hv test)" "running running" "$1: so is the VM"
    is "$(commands web01) $(commands web02) $(commands web03)" "$untouched" "$1: nothing has been done"
}
database=$(find "$LAB/state/pmstackd" -name '*.db' -o -name '*.sqlite*' | head -n 1)
coproc sqlite3 "$database" 2>&1
sqlite_pid=$COPROC_PID
printf 'BEGIN IMMEDIATE; SELECT "locked";\n' >&"${COPROC[1]}"
read -r -t 10 locked <&"${COPROC[0]}"
is "${locked:-}" locked "another program has locked the database"
not_written "database locked"
printf 'ROLLBACK; SELECT "free";\n' >&"${COPROC[1]}"
read -r -t 10 _ <&"${COPROC[0]}"
eval "exec ${COPROC[1]}>&-"
wait "$sqlite_pid"
accepted "with the database free again" pmMachineCommand.2 i 5
wait_until 30 machine_is_off web02
ok $? "it is done"

lab_agent_stop
is "$LAB_STATUS" 0 "the agent ends well"
done_testing
