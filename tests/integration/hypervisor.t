#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# The libvirt driver alone against a real libvirtd with QEMU guests: what it tells of VMs, whoever changes them, how fast,
# and what each command really does.
# shellcheck disable=SC2119 # functions of the lab have optional arguments
set -u
# shellcheck source=tests/lab/lab.sh
. "$(dirname "$0")/../lab/lab.sh"
lab_begin "$@"
# shellcheck source=tests/integration/hypervisor.sh
. "$(dirname "$0")/hypervisor.sh"

lab_libvirtd hv || bail_out "no libvirtd"
{ lab_vm hv good --start && lab_vm hv deaf --ignore-acpi --start && lab_vm hv mad --panic --start && lab_vm hv idle; } >/dev/null
libvirt hv autostart idle >/dev/null
for vm in good deaf mad; do wait_until 15 vm_up hv "$vm" || bail_out "$vm does not come up"; done
client_start client "$(libvirt_uri hv)"

# ---- what there is ----

client_expect 10 '1 up' "connected"
client_expect 10 '1 vm mad running active cpus=1 memory=8192 id=[0-9]+' "and told of the VMs"
client_saw '1 list 4' "all of them with one list"
client_saw '1 vm idle shutdown autostart cpus=1 memory=8192 id=-1' "one is off, and marked autostart"

# ---- what others do ----

# others_do TEXT REGEX VIRSH_ARGUMENT...: told within a second of the command's end
others_do() {
    local text=$1 regex=$2 ended
    shift 2
    client_mark
    libvirt hv "$@" >/dev/null
    ended=$(date +%s%3N)
    client_expect 10 "$regex" "$text"
    if (($(client_ms "$regex") > ended + 1000)); then late=$((late + 1)); fi
    times=$((times + 1))
}
times=0 late=0
others_do "paused by somebody" '1 vm good paused active .*' suspend good
others_do "resumed" '1 vm good running active .*' resume good
others_do "asked to shut down: it does" '1 vm good shuttingDown active .*' shutdown good --mode acpi
client_expect 10 '1 vm good shutdown cpus.* id=-1' "and is off"
others_do "started" '1 vm good running active .*' start good
wait_until 15 vm_up hv good
others_do "reset" '1 rebooted good' reset good
twice_up() { [[ $(vm_events hv good) == *up,up ]]; }
wait_until 15 twice_up
is "$(client_count '1 rebooted good')" 1 "which is one reboot"
others_do "saved" '1 vm good suspended saved cpus.* id=-1' managedsave good
others_do "restored" '1 vm good running active cpus.*' start good
is "$(client_told | grep -cE '1 vm good .*migrating')" 0 "not taken for one that migrates"
others_do "destroyed" '1 vm good shutdown killed cpus.*' destroy good
others_do "undefined" '1 gone good' undefine good
others_do "defined again" '1 vm good shutdown cpus.*' define "$LAB/hv/hv/disk/good.xml"
libvirt hv start good >/dev/null
others_do "undefined while it runs, it stays as long as that" '1 vm good running active transient .*' undefine good
others_do "then it is off" '1 vm good shutdown killed transient .*' destroy good
client_expect 10 '1 gone good' "and gone"
libvirt hv define "$LAB/hv/hv/disk/good.xml" >/dev/null
libvirt hv start good >/dev/null
wait_until 15 vm_up hv good
client_mark
vm_kill hv good
client_expect 10 '1 vm good crashed cpus.* id=-1' "its QEMU killed, it has crashed"
client_mark
libvirt hv autostart --disable idle
client look
client_expect 10 '1 reply look - OK unsent ' "what no event tells is looked for"
client_saw '1 vm idle shutdown cpus.*' "and found"

ok $((late > 1)) "all that was told within a second, but for one hiccup of a busy test machine" || diag "$late of $times late"

# ---- what the driver does ----

# does COMMAND VM REPLY REGEX TEXT
does() {
    client_mark
    client "$1 $2"
    client_expect 10 "1 reply $1 $2 $3" "$5"
    [[ -z $4 ]] || client_expect 10 "$4" "and it is told"
}
console_mark
does start good 'OK sent started' '1 vm good running active .*' "start"
does start good 'ALREADY sent .*' '' "start of one that runs"
wait_until 15 vm_up hv good
does pause good 'OK sent paused' '1 vm good paused active .*' "pause"
does wakeup good 'OK sent woken up' '1 vm good running active .*' "wake up, from whatever it is"
does reboot good 'OK sent asked by the ACPI power button' '1 rebooted good' "reboot"
rebooted() { [[ $(vm_events hv good) == begun,up,button,off,up ]]; }
wait_until 15 rebooted
is "$(vm_events hv good)" "begun,up,button,off,up" "which was the guest's own"
sleep 0.5 # reboots that follow each other faster are one
does reset good 'OK sent reset' '1 rebooted good' "reset"
wait_until 15 twice_up
does save good 'OK sent saved' '1 vm good suspended saved .*' "save"
does shutdown good 'ALREADY sent .*' '' "shutdown of one that is off"
does destroy good 'ALREADY sent .*' '' "destroy of one that is off"
does resume good 'REFUSED sent .*not running.*' '' "resume of one that is off"
does start good 'OK sent started' '1 vm good running active .*' "start of one that is saved"
like "$(vm_events hv good)" ",gone,restored" "resumes its image"
does pm-suspend good '(REFUSED|UNSUPPORTED) sent .*' '' "sleep without an agent in the guest"
does agent-shutdown good 'OK sent asked by the ACPI power button' '1 vm good shutdown .*' "shutdown through an agent that is not there: the button"
vm_graceful hv good
ok $? "which the guest obeyed"
does shutdown deaf 'OK sent asked by the ACPI power button' '' "shutdown of one that does not listen"
does shutdown mad 'OK sent asked by the ACPI power button' '1 vm mad crashed .*' "of one that panics"
does destroy deaf 'OK sent switched off' '1 vm deaf shutdown killed .*' "destroy"
is "$(vm_end hv deaf)" destroyed "as libvirt has it"
does start 11111111-2222-3333-4444-555555555555 'NO_VM unsent .*' '' "start of what is not there"

# ---- a transient one ----

client_mark
lab_vm hv brief --transient >/dev/null
client_expect 10 '1 vm brief running active transient .*' "a transient VM appears"
wait_until 15 vm_up hv brief
does shutdown brief 'OK sent .*' '1 gone brief' "shut down it is gone"
client_saw '1 vm brief shutdown transient .*' "after it was off"

client_stop
ok $? "the driver ends"
is "$CLIENT_LEFT" 1 "without threads"
is "$(cat "$LAB/log/client.stderr.log")" "" "libvirt printed nothing"

# ---- from one hypervisor to another ----

lab_libvirtd two || bail_out "no second libvirtd"
libvirt hv start good >/dev/null
wait_until 15 vm_up hv good
client_start movers "$(libvirt_uri hv)" "$(libvirt_uri two)"
client_expect 15 '2 list 0' "two hypervisors"
client_expect 15 '1 list 4' "with VMs on one"
client_mark
vm_migrate hv good two
client_expect 15 '1 gone good migrated' "a VM that migrates has gone here"
client_expect 15 '2 vm good running active cpus.*' "and runs there"
is "$(client_told | grep -cE '1 vm good .*running')" 0 "and not here any more"
client_stop
ok $? "the end of both"
done_testing
