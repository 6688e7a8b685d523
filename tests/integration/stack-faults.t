#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# What may go wrong while a stack goes down: guests crash, panic, appear, move away, are known twice; a BMC that says off
# while VMs run; jobs that contradict each other; an abort at any step.
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

# ---- given: the stack, a machine whose BMC is another's, and a hypervisor of which the agent does not know ----

lab_snmptrapd
lab_snmpd || bail_out "no master agent"
stack_room --on || bail_out "no machine"
lab_bmc liar || bail_out "no BMC"
{ lab_libvirtd liar && lab_vm liar truth --start && lab_libvirtd elsewhere; } >/dev/null || bail_out "no hypervisor"
{
    echo 'agent { poll-interval = 1s }'
    stack_machine 'vm-timeout = 20s' 'stack-timeout = 60s'
    cat <<END
machine "liar" {
  bmc { address = "$(bmc_address liar)"  port = $(bmc_port liar)  credentials = "lab" }
  stack { uri = "$(libvirt_uri liar)" }
}
END
} | lab_agent_conf
stack_up || bail_out "the VMs do not come up"

# ---- one cancel, in which all of it happens ----

#   crashes  on mid, is killed while it shuts down        mad     on mid, panics when its button is pressed
#   rover    on mid, does not listen, and moves away      late    on mid, is started in the middle
#   web1     on mid, as another one on room01             twin    on mid, with the UUID of room01's web1
{
    lab_vm mid crashes --delay 60 --start && lab_vm mid mad --panic --start &&
        lab_vm mid rover --ignore-acpi --start && lab_vm mid late && lab_vm mid web1 --start &&
        lab_vm mid twin --uuid "$(libvirt room01 domuuid web1)" --start
} >/dev/null || bail_out "no guests"
lab_agent -v || bail_out "no agent"
stack_is_known
all_there() { [[ $(value pmMachineVmCount.$M) == 12 && $(value pmMachineVmRunning.$M) == 11 ]]; }
wait_until "$WAIT_S" all_there
ok $? "all of them are in the table" || diag "$(snmp_as reader walk pmVmName)"
is "$(snmp_as reader walk -OvU "pmVmName.$M" | grep -c web1)" 2 "two of the same name"
is "$(snmp_as reader walk -OvU "pmVmUuid.$M" | grep -c "$(libvirt room01 domuuid web1)")" 2 "two of the same UUID"
console_mark
trap_mark
row=1/alice/everything
accepted "shutdown of the stack" $op $row RowStatus=createAndGo Action=shutdown
wait_until "$WAIT_S" has_said mid/crashes button
ok $? "one shuts down, and takes its time"
wait_until "$WAIT_S" has_said mid/rover button
vm_migrate mid rover elsewhere
ok $? "another one moves away meanwhile"
libvirt mid start late >/dev/null
ok $? "one is started"
wait_until 10 vm_up mid late
vm_kill mid crashes
ok $? "and one crashes"
ends $row succeeded ok "it succeeds"
gracefully "who could has shut down by itself, each of a pair, too" $ALL_VMS mid/web1 mid/twin
gracefully "and who was started in the middle" mid/late
before mid/late mid/web1 mid/twin mid/app1 -- room01/db1 "before what they stand on"
is "$(vm_events mid mad)" "button,panic,gone" "who panics is down"
is "$(vm_events mid crashes)" "button,gone" "who crashes is down"
is "$(vm_end mid mad) $(vm_end mid crashes)" "crashed crashed" "nobody was killed by libvirt"
is "$(vm_state elsewhere rover)" running "who has moved away runs"
vm_has_row rover
is $? 1 "and is not in the table any more"
wait_until 5 stack_shows mad=crashed crashes=crashed late=shutdown
ok $? "the table knows who has crashed" || diag "$(stack_table)"
libvirt elsewhere destroy rover >/dev/null
for vm in crashes mad late web1 twin; do
    libvirt_answers mid || { libvirt room01 start db1 >/dev/null && libvirt_wait mid; }
    libvirt mid undefine $vm >/dev/null
done
all_gone() { [[ $(value pmMachineVmCount.$M) == 6 ]]; }
wait_until "$WAIT_S" all_gone
ok $? "who is undefined leaves the table" || diag "$(snmp_as reader walk pmVmName)"
rm "$LAB/run/vm-rows" # its web1 may be that of mid

# ---- the BMC says off, and VMs run ----

becomes pmVmState.2.1 running "a VM runs on a machine"
event_texts() { snmp_as reader walk -OvU "pmEventText.$1"; }
lies() { [[ $(event_texts 2 | grep -c 'BMC.* off') != 0 ]]; }
wait_until "$WAIT_S" lies
ok $? "that its BMC says off is an event of the machine" || diag "$(event_texts 2)"
console_mark
put pmMachineStackAdminState.2 off >/dev/null
job_end 2
is "$(value pmMachineLastResult.2)" ok "its stack can be brought down" || diag "$(result_text 2)"
gracefully "gracefully" liar/truth

# ---- jobs that contradict each other ----

stack_again "before contradictions"
put pmMachineStackAdminState.$M off >/dev/null
wait_until "$WAIT_S" has_said top/leaf1 button
vm_silence top leaf1 # it goes on, in a moment, when everything has been asked
why=''
log_mark
like "$(vm_put leaf1 Command powerOn)" inconsistentValue "powerOn of a VM that is on its way down"
like "$(put pmMachineCommand.$M powerOff)" inconsistentValue "powerOff of the machine meanwhile"
like "$(put pmMachineStackAdminState.$M running)" "inconsistentValue|running" "another wish for the stack"
ok $(($(logged_count 'refused with inconsistentValue: .') < 2)) "and the log says why"
jobs=$(value pmAgentJobsStarted.1)
put pmMachineStackAdminState.$M off >/dev/null
ok $? "the same again is accepted"
is "$(value pmAgentJobsStarted.1)" "$jobs" "and is no second job"
vm_resume top leaf1
job_end $M
is "$(value pmMachineLastResult.$M)" ok "the first one is done" || diag "$(result_text $M)"
gracefully "gracefully" $ALL_VMS

# ---- abort, when so many steps are done ----

# aborted_after STEPS: what was asked goes down, what was not is left alone.
aborted_after() {
    local row=1/alice/abort$1 steps=$1 asked vm bad=()
    stack_again "before an abort after $steps steps"
    accepted "shutdown, aborted after $steps steps" $op "$row" RowStatus=createAndGo Action=shutdown Scope=stackAndMachine
    wait_until "$WAIT_S" steps_are_done "$row" "$steps"
    job_set $op "$row" AdminStatus=disabled >/dev/null || diag "$answer"
    ends "$row" aborted aborted "it is aborted"
    asked=$(vm_order button)
    for vm in $asked; do wait_until 10 vm_down "${vm%/*}" "${vm#*/}" || bad+=("$vm does not go down"); done
    # Each step is a matter of a second: what nobody asks by then is not asked.
    wait_until 2 more_asked "$asked"
    is "$(vm_order button)" "$asked" "nobody is asked after that"
    for vm in $ALL_VMS; do
        [[ " $asked " == *" $vm "* ]] || vm_up "${vm%/*}" "${vm#*/}" || bad+=("$vm was not asked, and is down")
        [[ " $asked " != *" $vm "* ]] || vm_graceful "${vm%/*}" "${vm#*/}" || bad+=("$vm was asked, and did not go gracefully")
    done
    is "${bad[*]}" "" "who was asked is down, who was not runs"
    agrees "the table agrees with libvirt"
}
steps_are_done() { [[ $(job_get "$1" StepsDone) =~ ^[$2-7]$ ]]; }
more_asked() { [[ $(vm_order button) != "$1" ]]; }
# agrees NAME: each row has what libvirt says.
agrees() {
    local vm
    for vm in $ALL_VMS; do
        # a hypervisor that does not answer has gone with what it ran on
        [[ $(vm_state "${vm%/*}" "${vm#*/}") == running ]] && wanted=running || wanted=shutdown
        wait_until 5 vm_shows "${vm#*/}" $wanted
        is "$(vm_value "${vm#*/}" State)" $wanted "$1: ${vm#*/}"
    done
}
for steps in 0 2 5; do aborted_after $steps; done

done_testing
