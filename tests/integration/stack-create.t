#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# To switch on what stands on something: a VM's machine, the VMs below it, their hypervisors, then it; by a BMC or by a
# magic packet. And a machine with the VMs that belong to it.
# shellcheck disable=SC2119 # functions of the lab have optional arguments
# shellcheck disable=SC2086 # lists of words
set -u
# shellcheck source=tests/lab/lab.sh
. "$(dirname "$0")/../lab/lab.sh"
# shellcheck source=tests/integration/room.sh
. "$(dirname "$0")/room.sh"
# shellcheck source=tests/integration/jobs.sh
. "$(dirname "$0")/jobs.sh"
lab_begin "$@"
# shellcheck source=tests/integration/stack.sh
. "$(dirname "$0")/stack.sh"
op=operator

# ---- given: a stack that was seen, and a machine that sleeps ----

lab_snmptrapd
lab_snmpd || bail_out "no master agent"
stack_room --on || bail_out "no machine"
BMC_KEYS='timeout = 1s'
lab_segment lan
lab_stack_machine nas1 --wake-on lan 02:00:00:00:00:31 || bail_out "no machine that sleeps"
lab_vm nas1 vault >/dev/null
STACK_KEYS='autostart = true  connect-timeout = 8s'
{
    echo 'agent { poll-interval = 1s }'
    stack_machine
    cat <<END
machine "nas1" {
  nic "eth0" { mac = "02:00:00:00:00:31"  interface = "$(segment_interface lan)" }
  stack { uri = "$(libvirt_uri nas1)" }
}
END
} | lab_agent_conf
stack_up || bail_out "the VMs do not come up"
machine_power nas1 on
libvirt_wait nas1 || bail_out "no hypervisor on the machine that sleeps"
lab_agent -v || bail_out "no agent"
stack_is_known
becomes pmVmName.2.1 vault "the machine that sleeps is seen with its VM"
machine_power nas1 off
machine_power room01 off
becomes pmMachinePowerState.$M off "the machine is off"
all_off() { stack_shows db1=shutdown web1=shutdown app1=shutdown app2=shutdown leaf1=shutdown leaf2=shutdown; }
wait_until "$WAIT_S" all_off
ok $? "and so is all that was on it" || diag "$(stack_table)"

lab_agent_kill
lab_agent -v
wait_until "$WAIT_S" all_off
ok $? "an agent that begins now knows them, too" || diag "$(stack_table)"

# ---- a VM three levels up, on a machine that is off ----

row=1/alice/plan
console_mark
leaf1=$(vm_row leaf1)
accepted "a dry run" $op $row RowStatus=createAndGo Action=powerOn Vm="${leaf1#*.}" DryRun=true
ends $row succeeded ok "it ends"
planned=$(job_steps $row Action Target)
is "$planned" "bmcPowerUp room01
hypervisorConnect $(libvirt_uri room01)
vmStart db1
hypervisorConnect $(libvirt_uri mid)
vmStart app1
hypervisorConnect $(libvirt_uri top)
vmStart leaf1" "the machine, and all that leaf1 stands on, in order"
untouched
ok $? "nobody was touched"

trap_mark
begin_ms=$(tap_now_ms)
put pmVmCommand.$leaf1 powerOn >/dev/null
ok $? "pmVmCommand powerOn"
wait_until "$WAIT_S" vm_shows leaf1 running
note "leaf1 runs $(($(tap_now_ms) - begin_ms)) ms after the SET"
wait_until "$WAIT_S" machine_rests
is "$(value pmVmLastResult.$leaf1)" ok "it runs" || diag "$(value pmVmLastResultText.$leaf1)"
wait_until 5 vm_up top leaf1
is "$(vm_order up)" "machine/room01 room01/db1 mid/app1 top/leaf1" "what it stands on came up first, and nothing else"
state_is $M on
ok $? "the machine is on"
is "$(stack_shows web1=shutdown app2=shutdown leaf2=shutdown; echo $?)" 0 "what it does not stand on is off"
told "pmVmStateChange.*pmVmState.$leaf1 = running" "and it is told"

console_mark
vm_verb leaf2 powerOn ok "its neighbour"
wait_until 5 vm_up top leaf2
is "$(vm_order begun)" "top/leaf2" "needs nothing else"

# ---- what it stands on is paused, or saved ----

console_mark
for vm in top/leaf2 top/leaf1 mid/app1 room01/db1; do libvirt ${vm%/*} suspend ${vm#*/} >/dev/null; done
wait_until "$WAIT_S" stack_shows leaf1=paused app1=paused db1=paused
ok $? "all of it is paused"
vm_verb leaf1 powerOn ok "powerOn"
is "$(vm_state room01 db1) $(vm_state mid app1) $(vm_state top leaf1) $(vm_state top leaf2)" "running running running paused" \
    "goes on, and what it stands on, and nothing else"
libvirt mid start app2 >/dev/null
wait_until 5 vm_up mid app2
libvirt mid managedsave app2 >/dev/null
wait_until "$WAIT_S" vm_shows app2 suspended
console_mark
vm_verb app2 powerOn ok "powerOn of a VM that is saved"
is "$(vm_events mid app2)" restored "restores it"

# ---- a machine and the VMs that belong to it ----

libvirt room01 autostart web1 >/dev/null
libvirt room01 autostart db1 >/dev/null
libvirt mid autostart app2 >/dev/null
autostart_is_known() { [[ "$(vm_value web1 AutoStart) $(vm_value db1 AutoStart) $(vm_value app2 AutoStart)" == "true true true" ]]; }
wait_until "$WAIT_S" autostart_is_known
ok $? "three VMs are marked autostart"
machine_power room01 off
becomes pmMachinePowerState.$M off "the machine is off"
console_mark
row=1/alice/room
accepted "powerOn of the machine" $op $row RowStatus=createAndGo Action=powerOn
ends $row succeeded ok "it is on, with them"
is "$(vm_state room01 web1) $(vm_state room01 db1) $(vm_state room01 web1)" "running running running" "those that are marked run"
wait_until 5 vm_up mid app2
ok $? "at each level of those with autostart"
is "$(vm_order begun | tr ' ' '\n' | sort | paste -sd' ')" "machine/room01 mid/app2 room01/db1 room01/web1" "and no other"

# Their hypervisor has started them by itself, as it is marked there; now it does not.
libvirt room01 shutdown web1 --mode acpi >/dev/null
libvirt mid shutdown app2 --mode acpi >/dev/null
wait_until "$WAIT_S" stack_shows web1=shutdown app2=shutdown
console_mark
row=1/alice/again
accepted "powerOn of a machine that is on" $op $row RowStatus=createAndGo Action=powerOn
ends $row succeeded ok "starts those of them that are off"
wait_until 5 vm_up mid app2
is "$(vm_order begun | tr ' ' '\n' | sort | paste -sd' ')" "mid/app2 room01/web1" "and no other"
put pmMachineCommand.$M powerOn >/dev/null
wait_until "$WAIT_S" machine_rests
is "$(value pmMachineLastResult.$M)" alreadyInState "once more there is nothing to do"

# ---- a VM on a machine that is woken by a magic packet ----

wait_until "$WAIT_S" value_isnt pmMachinePowerState.2 on
libvirt_is_silent nas1
ok $? "and sleeps"
console_mark
put pmVmCommand.2.1 powerOn >/dev/null
ok $? "powerOn of its VM"
wait_until "$WAIT_S" value_is pmVmState.2.1 running
is "$(value pmVmState.2.1)" running "it runs" || diag "$(value pmVmLastResultText.2.1)"
is "$(vm_order begun)" "machine/nas1 nas1/vault" "its machine came first"
sleeper_heard nas1 woken >/dev/null
ok $? "by a magic packet"
becomes pmMachinePowerState.2 on "the machine is on"
is "$(value pmMachineStateSource.2)" hypervisor "as its hypervisor says"

# ---- it does not come ----

machine_power room01 off
becomes pmMachinePowerState.$M off "the machine is off"
wait_until 5 libvirt_is_silent top
lab_signal hv-room01 STOP # its operating system does not come up
console_mark
vm_verb leaf1 powerOn unreachable "a hypervisor that does not come"
is "$(vm_value leaf1 LastResultText | grep -c "hv/room01/libvirt-sock")" 1 "and it is told which"
vm_up machine room01
ok $? "the machine is on"
is "$(vm_order begun)" "machine/room01" "and nothing else was begun"
lab_signal hv-room01 CONT
libvirt_wait room01
machine_power room01 off
becomes pmMachinePowerState.$M off "the machine is off"
bmc_kill room01
vm_put leaf1 Command powerOn >/dev/null
wait_until 60 machine_rests
like "$(vm_result leaf1)" "unreachable|timeout" "a BMC that does not answer" || diag "$(vm_value leaf1 LastResultText)"
like "$(vm_value leaf1 LastResultText)" "BMC" "and it is told who"

done_testing
