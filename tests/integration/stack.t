#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# A stack three levels deep, of real guests: it is shown, and it is brought down in the right order, by everything a
# manager may set. What became of the guests is told by themselves.
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

# ---- given ----

lab_snmptrapd
lab_snmpd || bail_out "no master agent"
stack_room --on || bail_out "no machine"
{
    echo 'agent { poll-interval = 1s }'
    stack_machine 'vm-timeout = 20s' 'stack-timeout = 60s'
} | lab_agent_conf
stack_up || bail_out "the VMs do not come up"
lab_agent -v || bail_out "no agent"
stack_is_known

# ---- the table ----

is "$(snmp_as reader walk -OvU "pmVmName.$M" | sort | paste -sd' ')" "app1 app2 db1 leaf1 leaf2 web1" "all VMs, at every depth"
is "$(for vm in db1 web1 app1 app2 leaf1 leaf2; do vm_value $vm Depth; done | paste -sd' ')" "1 1 2 2 3 3" "how deep they are"
parents() { for vm in db1 web1 app1 app2 leaf1 leaf2; do vm_value $vm Parent; done | paste -sd' '; }
index_of() { vm_row "$1" | cut -d. -f2; }
is "$(parents)" "0 0 $(index_of db1) $(index_of db1) $(index_of app1) $(index_of app1)" "and what they stand on"
is "$(vm_value leaf1 Uuid)" "$(libvirt top domuuid leaf1)" "its UUID is libvirt's"
is "$(vm_value db1 CpuCount) $(vm_value db1 MemoryMegabytes) $(vm_value db1 Id)" "1 8 $(libvirt room01 domid db1)" "processors, memory and number"
is "$(vm_value db1 Hypervisor)" "$(libvirt_uri room01)" "where it runs"
is "$(vm_value db1 Command) $(vm_value db1 AutoStart)" "none false" "no command, no autostart"
is "$(value pmMachineVmCount.$M) $(value pmMachineVmRunning.$M)" "6 6" "the machine counts them"
is "$(value pmAgentVms.1) $(value pmAgentVmsRunning.1)" "6 6" "and the agent"
is "$(value pmMachineStackAdminState.$M)" running "the stack is wanted up"

# ---- what happens behind the agent's back is seen at once ----

# follows HV NAME STATE WHAT VIRSH_COMMAND...: in table and notification, within a second of what virsh did.
follows() {
    local hv=$1 name=$2 state=$3 what=$4 row begin_ms table_ms trap_ms
    shift 4
    row=$(vm_row "$name")
    trap_mark
    libvirt "$hv" "$@" >/dev/null || fail "$what: virsh" || return
    begin_ms=$(tap_now_ms)
    wait_until 5 value_is "pmVmState.$row" "$state"
    table_ms=$(($(tap_now_ms) - begin_ms))
    wait_until 5 trap_seen "pmVmStateChange.*pmVmState.$row = $state"
    trap_ms=$(($(tap_now_ms) - begin_ms))
    note "$what: table after $table_ms ms, notification after $trap_ms ms"
    ok $((table_ms >= 1000 || trap_ms >= 1000)) "$what is seen within a second" || diag "$table_ms ms, $trap_ms ms"
}
follows top leaf1 paused "a VM that is paused" suspend leaf1
like "$(trap_wait 0 pmVmStateChange)" "pmMachineName.$M = room01.*pmVmName.$(vm_row leaf1) = leaf1.*pmVmState.* = paused.*pmNotifyOldVmState.* = running" \
    "and told with what it was"
follows top leaf1 running "one that goes on" resume leaf1
follows room01 web1 shutdown "one that is switched off" destroy web1
is "$(value pmMachineVmRunning.$M) $(value pmMachineVmCount.$M)" "5 6" "it runs no more, and is there"
follows room01 web1 running "one that is started" start web1
follows mid app2 suspended "one that is saved" managedsave app2
follows mid app2 running "one that is restored" start app2
vm_kill top leaf2
becomes "pmVmState.$(vm_row leaf2)" crashed "one whose process was killed has crashed"
trap_mark
lab_vm room01 new1 --start >/dev/null
wait_until 5 vm_shows new1 running
ok $? "a new one is there"
told 'pmVmStateChange.* = new1.*pmNotifyOldVmState.0 = unknown' "which is told: nothing was known of it"
is "$(trap_count "pmVmStateChange.* = new1.*pmNotifyOldVmState.0 = unknown")" 1 "once" || trap_lines
libvirt room01 destroy new1 >/dev/null
wait_until 5 vm_has_row new1
libvirt room01 undefine new1 >/dev/null
gone() { ! vm_has_row new1; }
wait_until 5 gone
ok $? "and gone when it is undefined"
stack_again "after that"

# ---- a dry run ----

plan=1/alice/plan
accepted "a dry run of a cancel of the stack" $op $plan RowStatus=createAndGo Action=shutdown DryRun=true
ends $plan succeeded ok "it ends"
is "$(steps_of $plan)" "1 vmShutdown app2
1 vmShutdown leaf1
1 vmShutdown leaf2
1 vmShutdown web1
2 vmShutdown app1
3 vmShutdown db1" "what would be done, leaf first"
untouched
ok $? "and nobody was touched"

# ---- cancel of the stack ----

trap_mark
put pmMachineStackAdminState.$M off >/dev/null
ok $? "pmMachineStackAdminState off is accepted"
wait_until 5 value_is pmMachinePowerState.$M draining
ok $? "the machine is draining"
job_end $M
is "$(value pmMachineLastResult.$M)" ok "the stack is down" || diag "$(result_text $M)"
gracefully "each VM has shut down by itself" $ALL_VMS
before top/leaf1 top/leaf2 -- mid/app1 "app1 was asked when leaf1 and leaf2 were down"
before mid/app1 mid/app2 -- room01/db1 "db1 when app1 and app2 were down"
awk -v a="$(vm_time top leaf1 button)" -v b="$(vm_time top leaf2 off)" -v c="$(vm_time top leaf2 button)" \
    -v d="$(vm_time top leaf1 off)" 'BEGIN { exit !(a < b && c < d) }'
ok $? "leaf1 and leaf2 have shut down at the same time"
is "$(vm_events machine room01)" "" "the machine was not asked"
wait_until 5 state_is $M on
ok $? "it is on"
wait_until 5 stack_shows db1=shutdown web1=shutdown app1=shutdown app2=shutdown leaf1=shutdown leaf2=shutdown
ok $? "the table has them all down" || diag "$(stack_table)"
is "$(value pmMachineVmRunning.$M)" 0 "none runs"
told 'pmJobFinished' "its end is told"
is "$(trap_count 'pmVmStateChange.*pmVmState[.0-9]* = shutdown')" 6 "each VM's end is told once"
put pmMachineStackAdminState.$M off >/dev/null
ok $? "once more it is accepted"
wait_until "$WAIT_S" machine_rests
like "$(value pmMachineLastResult.$M)" "^(ok|alreadyInState)$" "there is nothing to do"

# ---- with SELF ----

stack_again "before SELF"
row=1/alice/self
accepted "shutdown with stackAndMachine" $op $row RowStatus=createAndGo Action=shutdown Scope=stackAndMachine Label="Wartung"
halfway() { [[ $(job_get $row StepsDone Progress Remaining) =~ ^[1-6]\ [1-9][0-9]\ [1-9] ]]; }
wait_until 10 halfway
ok $? "its progress is told" || diag "$(job_get $row State StepsDone Progress Remaining ResultText)"
is "$(job_get $row StepsTotal)" 7 "of seven steps"
ends $row succeeded ok "it succeeds"
is "$(steps_of $row | tail -n 1)" "4 bmcSoftShutdown room01" "last the machine"
gracefully "each VM has shut down by itself, and the machine" $ALL_VMS machine/room01
before $ALL_VMS -- machine/room01 "the machine was asked when all of them were down"
is "$(job_get $row Progress Remaining Label)" "100 0 Wartung" "done"
becomes pmMachinePowerState.$M off "the machine is off"

# ---- with FORCE ----

stack_again "before FORCE"
row=1/alice/force
accepted "shutdown with force immediately" $op $row RowStatus=createAndGo Action=shutdown Force=immediately
ends $row succeeded ok "it succeeds"
is "$(steps_of $row)" "1 vmDestroy db1
1 vmDestroy web1" "only VMs on the machine itself are switched off"
is "$(for vm in $ALL_VMS; do vm_events ${vm%/*} ${vm#*/}; done | sort -u)" gone "nobody was asked"
is "$(vm_end room01 db1) $(vm_end room01 web1)" "destroyed destroyed" "libvirt has destroyed the lowest"
wait_until 5 stack_shows app1=shutdown leaf1=shutdown leaf2=shutdown db1=shutdown
ok $? "and the table knows that nothing is left on them" || diag "$(stack_table)"

# ---- seconds, then the kill ----

libvirt room01 start db1 >/dev/null
libvirt_wait mid
lab_vm mid deaf --ignore-acpi --start >/dev/null
stack_again "before afterTimeout"
wait_until "$WAIT_S" vm_shows deaf running
row=1/alice/patience
accepted "shutdown, and a kill after three seconds" $op $row RowStatus=createAndGo Action=shutdown Force=afterTimeout VmTimeout=3
ends $row succeeded ok "it succeeds"
gracefully "who listens has shut down by itself" $ALL_VMS
is "$(vm_events mid deaf) $(vm_end mid deaf)" "button,gone destroyed" "who does not was killed"
elapsed=$(awk -v a="$(vm_time mid deaf button)" -v b="$(vm_time mid deaf gone)" 'BEGIN { printf "%d", (b - a) * 1000 }')
note "killed $elapsed ms after its button"
ok $((elapsed < 2900 || elapsed > 5000)) "after three seconds, not before" || diag "$elapsed ms"
before top/leaf1 mid/app1 mid/app2 -- room01/db1 "its parent was asked afterwards"
awk -v a="$(vm_time mid deaf gone)" -v b="$(vm_time room01 db1 button)" 'BEGIN { exit !(a < b) }'
ok $? "when it was gone, too"

libvirt room01 start db1 >/dev/null
libvirt_wait mid && libvirt mid start deaf >/dev/null
stack_again "before never"
wait_until "$WAIT_S" vm_shows deaf running
row=1/alice/never
accepted "shutdown without any force, four seconds" $op $row RowStatus=createAndGo Action=shutdown Force=never Timeout=4 VmTimeout=1
wait_until "$WAIT_S" job_ended $row
like "$(job_get $row State Result)" "^(timedOut|failed) (timeout|guestRefused)$" "it does not succeed"
like "$(job_get $row ResultText)" "deaf" "and says who has not listened"
is "$(vm_events mid deaf)" "button" "who was not killed"
is "$(vm_events room01 db1)" "" "what it stands on was not asked"
gracefully "all the others are down" room01/web1 mid/app1 mid/app2 top/leaf1 top/leaf2
is "$(vm_state mid deaf)" running "it runs"
becomes "pmVmState.$(vm_row deaf)" running "as the table says"

# ---- at once, the machine ----

refused inconsistentValue "shutdown of the machine alone, with VMs on it" $op 1/alice/alone RowStatus=createAndGo Action=shutdown Scope=machine
stack_again "before powerOff"
put pmMachineCommand.$M powerOff >/dev/null
ok $? "powerOff is at once"
job_end $M
is "$(vm_events machine room01) $(vm_events room01 db1) $(vm_events top leaf1)" "gone gone gone" "and asks nobody"
wait_until 5 vm_shows db1 shutdown
wait_until 5 vm_shows leaf1 shutdown
ok $? "what stood on it is down, as the table says" || diag "$(stack_table)"

done_testing
