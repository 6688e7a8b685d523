#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Hypervisors that are lost in the middle of a cancel: hung, disconnected, restarted, dead; and a QEMU that hangs. Nobody is
# killed for it, and the table never says what is not known.
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

LEAF_DELAY=1.5
lab_snmptrapd
lab_snmpd || bail_out "no master agent"
stack_room --on || bail_out "no machine"
STACK_KEYS='connect-timeout = 5s'
{
    echo 'agent { poll-interval = 1s }'
    stack_machine 'vm-timeout = 20s' 'stack-timeout = 60s'
} | lab_agent_conf
stack_up || bail_out "the VMs do not come up"
lab_agent -v || bail_out "no agent"
stack_is_known

# cancel_with WHAT LOSE COME_BACK: while leaf1 shuts down its hypervisor is lost, and comes back after that.
cancel_with() {
    local row=1/alice/$2
    stack_again "$1"
    accepted "$1: a cancel begins" $op "$row" RowStatus=createAndGo Action=shutdown
    wait_until "$WAIT_S" has_said top/leaf1 button
    "$2" top
    # QEMU stays until a libvirtd has heard of it
    wait_until "$WAIT_S" has_said top/leaf1 off
    [[ $3 == nothing ]] || "$3" top || fail "$1: it comes back"
    ends "$row" succeeded ok "$1: it succeeds"
    gracefully "$1: everybody has gone gracefully" $ALL_VMS
    before top/leaf1 top/leaf2 -- mid/app1 "$1: in order"
    wait_until 5 stack_shows db1=shutdown web1=shutdown app1=shutdown app2=shutdown leaf1=shutdown leaf2=shutdown
    ok $? "$1: and the table shows it" || diag "$(stack_table)"
}
cancel_with "libvirtd disconnects everybody" libvirt_reset nothing
cancel_with "libvirtd hangs" libvirt_silence libvirt_resume
cancel_with "libvirtd is killed, and comes back" libvirt_kill libvirt_return
cancel_with "libvirtd is restarted" libvirt_stop libvirt_return

# ---- a hypervisor that does not come back ----

stack_again "before one is lost"
lost_count() { snmp_as reader walk -OvU "pmEventText.$M" | grep -c "hv/top.*2 VMs unknown"; }
lost_before=$(lost_count)
libvirt_kill top
wait_until "$WAIT_S" vm_shows leaf1 unknown
ok $? "of VMs whose hypervisor does not answer nothing is known" || diag "$(stack_table)"
vm_up top leaf1
ok $? "they run"
is "$(trap_count 'pmVmStateChange.*pmVmState[.0-9]* = unknown')" 0 "not a notification for each"
console_mark
row=1/alice/blind
accepted "a cancel" $op $row RowStatus=createAndGo Action=shutdown
wait_until "$WAIT_S" job_ended $row
is "$(job_get $row State Result)" "failed unreachable" "fails"
is "$(job_get $row ResultText | grep -c "hv/top/libvirt-sock: .*Connection refused")" 1 "and says who is not reached"
is "$(vm_events mid app1)$(vm_events room01 db1)$(vm_events top leaf1)" "" "what they stand on is not asked"
gracefully "the others are down" room01/web1 mid/app2
refused inconsistentValue "shutdown of the machine alone" $op 1/alice/alone RowStatus=createAndGo Action=shutdown Scope=machine
told_in_history() { (($(lost_count) == lost_before + 1)); }
# not at once: it may only be restarted
wait_until "$WAIT_S" told_in_history
ok $? "but one event of the machine, after a while" || diag "$(snmp_as reader walk -OvU "pmEventText.$M" | tail -n 4)"
libvirt_return top
wait_until "$WAIT_S" stack_shows leaf1=running leaf2=running app1=running db1=running
ok $? "it comes back, and all is known" || diag "$(stack_table)"
row=1/alice/seeing
accepted "another cancel" $op $row RowStatus=createAndGo Action=shutdown
ends $row succeeded ok "succeeds"
gracefully "gracefully" $ALL_VMS

# ---- a QEMU that hangs ----

stack_again "before one hangs"
vm_silence mid app2
row=1/alice/hung
accepted "a cancel, of seven seconds" $op $row RowStatus=createAndGo Action=shutdown Timeout=7
wait_until "$WAIT_S" job_ended $row
like "$(job_get $row State Result)" "^(timedOut|failed) (timeout|guestRefused)$" "does not succeed"
like "$(job_get $row ResultText)" "app2" "and says who does not answer"
gracefully "the others on its hypervisor are down nevertheless" top/leaf1 top/leaf2 mid/app1 room01/web1
is "$(vm_events room01 db1)" "" "what it stands on was not asked"
vm_resume mid app2
wait_until 60 machine_rests
row=1/alice/awake
accepted "when it is awake, another cancel" $op $row RowStatus=createAndGo Action=shutdown
ends $row succeeded ok "succeeds" || diag "$(job_steps $row Target State Text)"
is "$(vm_last mid app2) $(vm_last room01 db1)" "gone gone" "all are down"

done_testing
