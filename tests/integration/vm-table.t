#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# pmVmTable as managers see it: what libvirt says, in every column; rows that come, change and go; what a SET is refused
# for, with its reason in the log; rights on the VMs of a machine and on a single one, with the lines that
# docs/security.md shows; and two thousand rows, walked by every kind of request.
# shellcheck disable=SC2119 # functions of the lab have optional arguments
set -u
# shellcheck source=tests/lab/lab.sh
. "$(dirname "$0")/../lab/lab.sh"
# shellcheck source=tests/integration/room.sh
. "$(dirname "$0")/room.sh"
lab_begin "$@"
check_snmp=/usr/lib/nagios/plugins/check_snmp

# ---- given: a machine with a hypervisor, another one "in" its VM test, and one without any ----

LAB_USERS+=(vince wanda)
grep -E '^(view|group|access) +(vince|wanda)' "$LAB_ROOT/docs/security.md" >"$LAB/etc/more.conf"
is "$(wc -l <"$LAB/etc/more.conf")" 6 "the page has lines for two operators"
lab_snmptrapd
lab_snmpd --conf "$LAB/etc/more.conf" || bail_out "no master agent"
lab_raw_user operator
for hypervisor in outer inner other; do lab_test_libvirtd "$hypervisor" || bail_out "no hypervisor"; done
lab_test_vms outer web 4
lab_test_vms inner build 2
outer=$(libvirt_uri outer)
lab_agent_conf <<END
agent { poll-interval = 2s }
machine "room1" {
  vm-timeout = 77s
  stack { uri = "$outer"  guest "test" { uri = "$(libvirt_uri inner)" } }
}
machine "room2" { stack { uri = "$(libvirt_uri other)" } }
machine "room3" { nic "eth0" { } }
END
lab_agent -v || bail_out "no agent"
counts_are() { [[ "$(value pmMachineVmCount.1) $(value pmMachineVmCount.2) $(value pmMachineVmRunning.1)" == "$1" ]]; }
wait_until "$WAIT_S" counts_are "8 1 2"
is "$(value pmMachineVmCount.1) $(value pmMachineVmCount.2) $(value pmMachineVmCount.3)" "8 1 0" "each machine counts its VMs"
is "$(value pmMachineVmRunning.1) $(value pmMachineVmRunning.3)" "2 0" "and those that run"
is "$(value pmAgentVms.1) $(value pmAgentVmsRunning.1)" "9 3" "the agent counts all of them"
becomes pmMachinePowerState.1 on "a machine whose hypervisor answers is on"
is "$(value pmMachineStateSource.1)" hypervisor "as the hypervisor says"

# vm_index MACHINE URI NAME: the row with this name on that hypervisor, as pmIndex.pmVmIndex.
vm_index() {
    local row
    while read -r row _; do
        row=${row#pmVmName.}
        [[ $row == "$1".* && $(value "pmVmHypervisor.$row") == "$2" ]] && printf '%s' "$row"
    done < <(snmp_as reader walk pmVmName | grep " $3\$")
}
test_vm=$(vm_index 1 "$outer" test)
# One that can go without missing it below.
for goes in web1 web2 web3; do
    web1=$(vm_index 1 "$outer" "$goes")
    [[ $web1 == 1.[67] ]] || break
done
build1=$(vm_index 1 "$(libvirt_uri inner)" build1)
nested=$(vm_index 1 "$(libvirt_uri inner)" test)
like "$test_vm $web1 $build1 $nested" '^1\.[0-9]+ 1\.[0-9]+ 1\.[0-9]+ 1\.[0-9]+$' "each VM has a row"
isnt "$test_vm" "$nested" "two VMs with the same name and UUID on two hypervisors have a row each"

# ---- what the columns say ----

# columns ROW COLUMN...: values without units, parted by blanks.
columns() {
    local row=$1 column arguments=()
    shift
    for column; do arguments+=("pmVm$column.$row"); done
    snmp_as reader get -OvU "${arguments[@]}" 2>&1 | paste -sd' '
}
is "$(columns "$test_vm" Parent Depth State AdminState Command AutoStart)" "0 1 running running none false" "a VM on the machine"
is "$(columns "$nested" Parent Depth State)" "${test_vm#1.} 2 running" "a VM on a VM"
is "$(columns "$web1" State AdminState Id)" "shutdown shutdown " "one that is off"
is "$(columns "$build1" Parent Depth)" "${test_vm#1.} 2" "and one on that VM"
is "$(columns "$test_vm" Uuid)" "$(libvirt outer domuuid test | head -n 1)" "its UUID is libvirt's"
is "$(columns "$test_vm" Id)" "$(libvirt outer domid test)" "so is its id"
is "$(columns "$test_vm" CpuCount MemoryMegabytes)" \
    "$(libvirt outer dominfo test | awk '/^CPU\(s\)/ { c = $2 } /^Max memory/ { m = $3 } END { print c, m / 1024 }')" \
    "so are its CPUs and its memory"
is "$(columns "$test_vm" Hypervisor)" "$outer" "its hypervisor is the one that is configured"
is "$(columns "$test_vm" ShutdownTimeout LastResult LastResultText)" "77 none " "its time is the machine's, and no job has acted on it"
like "$(columns "$test_vm" LastChange)" '^20[0-9][0-9]-' "its last change has a date"
is "$(snmp_as reader walk pmVmTable | grep -c '^pmVmState\.')" 9 "a walk finds all rows"
is "$(snmp_as reader bulkwalk pmVmTable | cut -d' ' -f1 | sort | md5sum)" \
    "$(snmp_as reader walk pmVmTable | cut -d' ' -f1 | sort | md5sum)" "and a bulkwalk the same instances"
is "$(SNMPCONFPATH=$LAB/snmp/reader snmptable -CH "$LAB_SNMPD_ADDRESS" pmVmTable | grep -c .)" 9 "snmptable prints nine lines"

# ---- changes, as they come ----

trap_mark
libvirt outer start "$goes" >/dev/null
becomes "pmVmState.$web1" running "a VM that somebody starts runs"
told "pmVmState\.$web1 = running" "which is told"
is "$(trap_names "$told")" "pmMachineName.1 pmVmName.$web1 pmVmState.$web1 pmNotifyOldVmState.0 pmNotifyEventIndex.0" \
    "with these objects and instances"
is "$(trap_objects "$told")" "$(mib_objects pmVmStateChange) pmNotifyEventIndex" "those of the MIB, and one more"
is "$(trap_value "$told" "pmVmName.$web1") $(trap_value "$told" pmNotifyOldVmState.0)" "$goes shutdown" "and these values"
like "$(value "pmEventText.1.$(trap_value "$told" pmNotifyEventIndex.0)")" "VM $goes: running, was shutdown" "the event has the same"
is "$(value pmMachineVmRunning.1)" 3 "one more runs"
libvirt outer suspend "$goes" >/dev/null
becomes "pmVmState.$web1" paused "paused"
libvirt outer destroy "$goes" >/dev/null
becomes "pmVmState.$web1" shutdown "and off again"
libvirt outer undefine "$goes" >/dev/null
no_row() { [[ $(value "pmVmName.$1") == *"No Such Instance"* ]]; }
wait_until "$WAIT_S" no_row "$web1"
ok $? "a VM that is undefined has no row any more"
libvirt outer define "$LAB/hv/outer/disk/$goes.xml" >/dev/null
wait_until "$WAIT_S" counts_are "8 1 2"
isnt "$(vm_index 1 "$outer" "$goes")" "$web1" "another VM of that name, with another UUID, has another index"

# ---- what is refused ----

# refused ERROR WHY ROW-OBJECT VALUE...: that error, with WHY in its line of the log.
refused() {
    local error=$1 why=$2 answer
    shift 2
    log_mark
    answer=$(put "$@")
    if [[ $answer =~ Reason:\ $error ]] && logged "SET of .* refused with $error: .*$why"; then
        pass "$*: $error, $why"
    else
        fail "$*: $error, and the log says $why" || diag "$answer"$'\n'"$(log_lines | tail -n 2)"
    fi
}
raw() { SNMPCONFPATH=$LAB/snmp/raw-operator snmpset -Oqs "${LAB_SNMP_OPTIONS[@]}" "$LAB_SNMPD_ADDRESS" "$@" 2>&1; }
column_oid() { printf '%s.1.5.1.%d.%s' "$PM_ROOT_OID" "$1" "$2"; }

before=$(snmp_as reader walk pmVmTable; value pmAgentJobsStarted.1)
refused inconsistentName 'nothing with this index' pmVmCommand.1.999 reset
refused inconsistentName 'nothing with this index' pmVmAdminState.3.1 running
refused noCreation 'nothing with this index' pmVmCommand.9.1 reset
for verb in wake diagnosticInterrupt init armWol identify; do
    refused wrongValue "$verb is for machines" "pmVmCommand.$test_vm" "$verb"
done
refused wrongValue "can be read, and not be set" "pmVmCommand.$test_vm" none
refused inconsistentValue "one verb at a time" "pmVmCommand.$test_vm" reset "pmVmAdminState.$test_vm" shutdown
refused inconsistentValue "one verb at a time" pmMachineCommand.1 shutdown pmMachineStackAdminState.1 off
refused inconsistentValue "no hypervisor" pmMachineStackAdminState.3 off
like "$(raw "$(column_oid 6 "$test_vm")" i 5)" wrongValue "a wish that is none: wrongValue"
like "$(raw "$(column_oid 6 "$test_vm")" i -1)" wrongValue "a negative one: wrongValue"
like "$(raw "$(column_oid 6 "$test_vm")" s running)" wrongType "a wish as text: wrongType"
like "$(raw "$(column_oid 9 "$test_vm")" u 0)" wrongValue "no time at all: wrongValue"
like "$(raw "$(column_oid 9 "$test_vm")" u 86401)" wrongValue "more than a day: wrongValue"
for column in 2 3 4 5 7 10 11 12 13 14 15 16 17; do
    like "$(raw "$(column_oid "$column" "$test_vm")" i 1)" notWritable "column $column: notWritable"
done
put pmMachineInhibit.1 true >/dev/null
refused inconsistentValue 'is inhibited' "pmVmCommand.$test_vm" shutdown
refused inconsistentValue 'is inhibited' "pmVmAdminState.$test_vm" shutdown
refused inconsistentValue 'is inhibited' pmMachineStackAdminState.1 off
put pmMachineInhibit.1 false >/dev/null
is "$(snmp_as reader walk pmVmTable; value pmAgentJobsStarted.1)" "$before" "and nothing has changed"

# ---- wishes and times ----

put "pmVmAdminState.$test_vm" running >/dev/null
ok $? "a wish that holds is accepted"
is "$(value pmAgentJobsStarted.1) $(value "pmVmAdminState.$test_vm")" "0 running" "and starts no job"
put "pmVmShutdownTimeout.$test_vm" 5 "pmVmShutdownTimeout.$nested" 6 >/dev/null
ok $? "two times in one SET"
is "$(columns "$test_vm" ShutdownTimeout) $(columns "$nested" ShutdownTimeout)" "5 6" "hold"
put pmMachineVmTimeout.1 90 >/dev/null
is "$(columns "$test_vm" ShutdownTimeout) $(columns "$build1" ShutdownTimeout)" "5 90" "the machine's is for those that have none"

# ---- rights ----

off=$(vm_index 1 "$outer" web4)
is "$(snmp_as vince walk pmVmState | wc -l) $(snmp_as wanda walk pmVmState | wc -l)" "8 1" "each sees what the page says"
like "$(snmp_as vince get pmVmState.2.1 2>&1)" "No Such" "vince does not see machine 2"
like "$(snmp_as wanda set pmVmShutdownTimeout.1.6 = 9 2>&1)" noAccess "wanda cannot touch VM 6"
like "$(snmp_as vince set pmVmShutdownTimeout.2.1 = 9 2>&1)" noAccess "nor vince machine 2"
like "$(snmp_as vince set pmMachineCommand.1 = shutdown 2>&1)" noAccess "nor switch the machine itself"
snmp_as vince set pmVmShutdownTimeout.1.6 = 9 >/dev/null
ok $? "vince may set VM 6"
snmp_as wanda set pmVmShutdownTimeout.1.7 = 10 >/dev/null
ok $? "wanda may set VM 7"
is "$(value pmVmShutdownTimeout.1.6) $(value pmVmShutdownTimeout.1.7)" "9 10" "which holds"

# ---- jobs ----

# wish ROW WISH STATE: set, and what becomes of it.
wish() {
    put "pmVmAdminState.$1" "$2" >/dev/null || fail "$1 = $2 is accepted"
    becomes "pmVmState.$1" "$3" "the wish $2: $3"
    becomes "pmVmLastResult.$1" ok "and its result: ok" || diag "$(value "pmVmLastResultText.$1")"
    job_end 1
}
wish "$off" running running
wish "$off" paused paused
wish "$off" running running
wish "$off" suspended suspended
wish "$off" running running
wish "$off" shutdown shutdown
is "$(value pmMachineLastResult.1)" ok "the machine says so, too"
put pmMachineStackAdminState.1 off >/dev/null
ok $? "the stack is cancelled"
becomes pmMachineVmRunning.1 0 "no VM is up any more"
job_end 1
is "$(value pmMachineLastResult.1) $(value pmMachineStackAdminState.1)" "ok off" "and the wish stays" || diag "$(result_text 1)"
becomes pmMachinePowerState.1 on "the machine is still on"
# the steps of the newest job: targets, VMs and what was done, in the order of the plan
job=$(snmp_as reader walk -On pmJobStepAction.1 | sed -E 's/^(.*)\.[0-9]+ .*/\1/' | sort -V | tail -n 1)
job=${job#*.1.7.1.4.}
steps() { snmp_as reader walk -OvU "pmJobStep$1.$job" 2>/dev/null | paste -sd' '; }
is "$(steps Target)" "test test" "it had two steps, one for each VM named test"
is "$(steps Vm)" "${nested#1.} ${test_vm#1.}" "the one on top first"
is "$(steps Action) $(steps Level)" "vmShutdown vmShutdown 1 2" "both were asked, one after the other"
libvirt outer start test >/dev/null && libvirt inner start test >/dev/null
becomes pmMachineVmRunning.1 2 "both are started by somebody else"

# ---- a hypervisor that does not answer; a restart ----

put "pmVmAdminState.$off" shutdown >/dev/null
rows=$(snmp_as reader walk pmVmUuid; snmp_as reader walk pmVmName)
libvirt_kill other
becomes pmVmState.2.1 unknown "the VMs of a hypervisor that does not answer are unknown"
is "$(value pmVmName.2.1) $(value pmVmAdminState.2.1)" "test running" "their rows stay, and the wish as it was"
lab_agent_stop
is "$LAB_STATUS" 0 "the agent ends well"
lab_agent -v || bail_out "no agent"
wait_until "$WAIT_S" counts_are "8 1 2"
is "$(snmp_as reader walk pmVmUuid; snmp_as reader walk pmVmName)" "$rows" "after a restart each VM has its index, also where nobody answers"
is "$(value pmVmState.2.1)" unknown "and is unknown there"
is "$(value "pmVmAdminState.$off") $(columns "$test_vm" ShutdownTimeout)" "shutdown 90" "wishes stay, times set by SNMP do not"

# ---- two thousand rows ----

if [[ -x $check_snmp ]]; then
    printf 'mibdirs %s\n' "$(lab_mib_directories)" >"$LAB/etc/snmp.conf"
    mkdir -p /etc/snmp && touch /etc/snmp/snmp.conf && mount --bind "$LAB/etc/snmp.conf" /etc/snmp/snmp.conf
    checked=$("$check_snmp" -H "${LAB_SNMPD_ADDRESS%:*}" -p "${LAB_SNMPD_ADDRESS#*:}" -P 3 -L authPriv -U reader -a SHA-256 \
        -A "$(lab_passphrase reader)" -x AES -X "$(lab_passphrase reader)" -t 10 -m PMSTACK-MIB \
        -o "PMSTACK-MIB::pmVmState.$test_vm,PMSTACK-MIB::pmVmState.$off" -w 4:4,4:4 -c 4:4,4:4 2>&1)
    is "$?" 2 "check_snmp: a VM that is off is CRITICAL"
    like "$checked" 'CRITICAL - 4 \*11\*' "and says which"
else
    fail "$check_snmp is not installed: make deps"
fi
lab_test_vms outer mass 2000
wait_until "$WAIT_S" counts_are "2008 1 2"
is "$(value pmMachineVmCount.1)" 2008 "two thousand VMs more"
# walked NAME COMMAND...: every instance of pmVmName; notes how long it took.
walked() {
    local name=$1 begin_ms=$EPOCHREALTIME rows
    shift
    begin_ms=$(tap_now_ms)
    rows=$("$@" 2>/dev/null | grep -c 'pmVmName')
    note "$name: $rows rows in $(($(tap_now_ms) - begin_ms)) ms"
    is "$rows" 2009 "$name finds them all"
}
walked "snmpwalk of one column" snmp_as reader walk pmVmName
walked "snmpbulkwalk of one column" snmp_as reader bulkwalk -Cr50 pmVmName
walked "snmpbulkwalk of the table" snmp_as reader bulkwalk -Cr20 pmVmTable
begin_ms=$(tap_now_ms)
is "$(SNMPCONFPATH=$LAB/snmp/reader snmptable -CH "$LAB_SNMPD_ADDRESS" pmVmTable | grep -c .)" 2009 "snmptable, too"
note "snmptable: $(($(tap_now_ms) - begin_ms)) ms"

lab_agent_stop
is "$LAB_STATUS" 0 "the agent ends well"
done_testing
