#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# The lab proves its hypervisors, VMs and machines of QEMU against virsh and ipmitool, without pmstackd: what the tests
# of stacks stand on.
# shellcheck disable=SC2119 # functions of the lab have optional arguments
set -u
# shellcheck source=tests/lab/lab.sh
. "$(dirname "$0")/../lab/lab.sh"
lab_begin "$@"
lab_need virsh ipmitool etherwake

# ---- a hypervisor, and guests that honour their power button or do not ----

lab_libvirtd hv
ok $? "a libvirtd of its own"
{ lab_vm hv good --start && lab_vm hv slow --delay 1 --start && lab_vm hv mad --panic --start && lab_vm hv deaf --ignore-acpi --start; } >/dev/null
ok $? "four guests"
for vm in good slow mad deaf; do wait_until 5 vm_up hv "$vm" || fail "$vm comes up"; done
is "$(vm_state hv good)" running "libvirt has them running"
is "$(vm_events hv good)" "begun,up" "and they say so themselves"
is "$(tr '\0' ' ' <"/proc/$(vm_pid hv good)/cmdline" | grep -c 'guest=good')" 1 "their process is known"
for vm in good slow mad deaf; do libvirt hv shutdown "$vm" --mode acpi >/dev/null; done
for vm in good slow mad; do wait_until 5 vm_is hv "$vm" "shut off" || fail "$vm goes down"; done
vm_graceful hv good
ok $? "on its power button a guest shuts down by itself"
is "$(vm_end hv good)" shutdown "which libvirt calls a shutdown"
is "$(vm_events hv slow)" "begun,up,button,off,gone" "another one, too"
ok "$(awk -v b="$(vm_time hv slow button)" -v o="$(vm_time hv slow off)" 'BEGIN { print !(o - b > 0.9 && o - b < 2) }')" \
    "and takes its second"
like "$(vm_order off)" "^hv/good hv/slow$" "the order in which they went is known"
is "$(vm_events hv mad)" "begun,up,button,panic,gone" "one panics"
like "$(vm_reason hv mad)" crashed "and has crashed"
is "$(vm_events hv deaf)" "begun,up,button" "one does not listen"
libvirt hv destroy deaf >/dev/null
wait_until 5 vm_down hv deaf
is "$(vm_events hv deaf) $(vm_end hv deaf)" "begun,up,button,gone destroyed" "destroyed, it has not said that it is off"
vm_graceful hv deaf
is $? 1 "which is not graceful"

console_mark
libvirt hv start good >/dev/null
wait_until 5 vm_up hv good
libvirt hv reboot good --mode acpi >/dev/null
rebooted() { [[ $(vm_events hv good) == begun,up,button,off,up ]]; }
wait_until 5 rebooted
is "$(vm_events hv good)" "begun,up,button,off,up" "rebooted it shuts down, and comes up in the same process"
libvirt hv reset good >/dev/null
twice_up() { [[ $(vm_events hv good) == *up,up ]]; }
wait_until 5 twice_up
is "$(vm_events hv good)" "begun,up,button,off,up,up" "reset it does not"
libvirt hv suspend good >/dev/null
is "$(vm_state hv good)" paused "paused"
libvirt hv resume good >/dev/null
is "$(vm_state hv good)" running "and resumed"
libvirt hv managedsave good >/dev/null
wait_until 5 vm_down hv good
is "$(vm_end hv good)" saved "saved"
console_mark
libvirt hv start good >/dev/null
is "$(vm_events hv good)" "restored" "and restored, which is no boot"
vm_kill hv good
wait_until 5 vm_is hv good "shut off"
like "$(vm_reason hv good)" "crashed" "killed, it has crashed"
lab_vm hv passing --transient >/dev/null
wait_until 5 vm_up hv passing
libvirt hv destroy passing >/dev/null
is "$(vm_state hv passing)" "" "a transient guest is gone when it is off"

# ---- another user, and libvirtd's own troubles ----

as_user() { timeout 20 setpriv --reuid "$LAB_AGENT_USER" --regid "$(id -g "$LAB_AGENT_USER")" --clear-groups virsh -q -c "$(libvirt_uri hv)" "$@"; }
as_user start good
ok $? "the agent's user starts a guest"
wait_until 5 vm_up hv good
as_user shutdown good --mode acpi
ok $? "and shuts it down"
wait_until 5 vm_is hv good "shut off"
vm_graceful hv good
ok $? "gracefully"

libvirt hv start good >/dev/null
wait_until 5 vm_up hv good
libvirt_silence hv
libvirt_is_silent hv
ok $? "a libvirtd that is stopped does not answer"
libvirt_resume hv
libvirt_answers hv
ok $? "until it goes on"
pid=$(libvirt_pid hv)
libvirt_restart hv
ok $? "libvirtd is restarted"
isnt "$(libvirt_pid hv)" "$pid" "as another process"
is "$(vm_state hv good) $(vm_last hv good)" "running up" "and the guest runs on"
libvirt_kill hv
libvirt_answers hv
is $? 1 "a libvirtd that was killed does not answer"
is "$(vm_last hv good)" "up" "and its guests run on"
libvirt_return hv
is "$(vm_state hv good)" running "which the next one finds"

# ---- three levels ----

lab_nested_libvirtd hv good inner 0
lab_vm inner middle --autostart
lab_nested_libvirtd inner middle innermost 0
lab_vm innermost leaf --autostart
libvirt_wait innermost 20
ok $? "a hypervisor in a guest in a guest, and guests that are started with it"
wait_until 5 vm_up innermost leaf
ok $? "three levels are up"
leaf_runs() { [[ $(ps -o state= -p "$(vm_pid innermost leaf)") != T ]]; }
leaf_stands_still() { ! leaf_runs; }
libvirt hv suspend good >/dev/null
wait_until 5 leaf_stands_still
ok $? "when the lowest one is paused, the highest one stands still"
libvirt_is_silent innermost
ok $? "and its hypervisor does not answer"
libvirt hv resume good >/dev/null
wait_until 5 leaf_runs
ok $? "until it goes on"
libvirt_answers innermost
ok $? "and answers"
console_mark
libvirt hv reset good >/dev/null
wait_until 5 vm_down innermost leaf
is "$(vm_events innermost leaf)" "gone" "when the lowest one is reset, the highest one dies"
libvirt_wait innermost 20
wait_until 5 vm_up innermost leaf
ok $? "and is started again"
libvirt hv shutdown good --mode acpi >/dev/null
wait_until 5 vm_is hv good "shut off"
wait_until 5 vm_down innermost leaf
like "$(vm_order off)" "^hv/good$" "shut down from below, only the lowest one goes gracefully"
ok "$(libvirt_is_silent inner && libvirt_is_silent innermost; echo $?)" "no hypervisor is left in it"
libvirt hv start good >/dev/null
libvirt_wait inner
ok $? "and there is one when it is started"
libvirt_power_off hv
wait_until 5 vm_down inner middle
ok $? "nothing is left when the lowest hypervisor loses its power"

# ---- a machine with a BMC ----

lab_stack_machine room01 --delay 0.5 --on
ok $? "a machine is switched on by its BMC, and its hypervisor is there"
machine_is_on room01
ok $? "it is on"
lab_vm room01 db1 --start >/dev/null
wait_until 5 vm_up room01 db1
ok $? "a guest on it"
console_mark
machine_power room01 shutdown
wait_until 10 machine_is_off room01
is "$(vm_events machine room01) $(vm_events room01 db1)" "button,off,gone gone" \
    "its power button shuts it down, and its guest is dead: whoever presses it has to think of that"
libvirt_answers room01
is $? 1 "no hypervisor on it"
machine_power room01 on
libvirt_wait room01
is "$(vm_state room01 db1)" "shut off" "switched on again, it knows its guest"
libvirt room01 start db1 >/dev/null
machine_power room01 off
wait_until 5 vm_down room01 db1
is "$(vm_events machine room01 | sed 's/.*up,//')" gone "switched off hard it does not say that it is off"
is "$(machine_boots room01)" 2 "two boots"

lab_segment lan
lab_stack_machine nas1 --wake-on lan 02:00:00:00:00:31
ok $? "a machine that sleeps"
machine_is_off nas1
ok $? "it is off"
etherwake -i "$(segment_interface lan)" 02:00:00:00:00:31
libvirt_wait nas1
ok $? "a magic packet wakes it, and its hypervisor comes up"
machine_power nas1 off
wait_until 5 libvirt_is_silent nas1
ok $? "and goes with it"

# ---- a guest that moves ----

lab_libvirtd here
lab_libvirtd there
lab_vm here rover --start >/dev/null
wait_until 5 vm_up here rover
vm_migrate here rover there
ok $? "a guest migrates to another hypervisor"
is "$(vm_state here rover)$(vm_state there rover)" running "and runs there"
libvirt there shutdown rover --mode acpi >/dev/null
wait_until 5 vm_is there rover "shut off"
is "$(vm_events here rover)" "begun,up,restored,gone,button,off,gone" "where it shuts down on its power button"

# ---- the test driver ----

lab_test_libvirtd many
ok $? "libvirt's test driver"
lab_test_vms many t 500
is "$(libvirt many list --all | grep -c 't[0-9]')" 500 "with 500 VMs, of which every client knows"
libvirt many start t7 >/dev/null
is "$(libvirt many list --name)" "test
t7" "one of them is started"

# ---- nothing of it is the system's ----

is "$(ls -d /run/libvirt /etc/libvirt/qemu /var/{lib,cache,log}/libvirt/qemu 2>/dev/null)" "" "the system's directories are as they were"

done_testing
