#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# What restarts a stack, or puts it to sleep: reboot, reset, cycle, suspend and hibernate, of the VMs, and with the machine;
# gracefully and at once. What became of the guests is told by themselves.
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

LEAF_DELAY=0.2
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
console_mark

all_up() {
    local vm
    for vm in $ALL_VMS; do vm_up "${vm%/*}" "${vm#*/}" || return; done
}
# job_does NAME ACTION [COLUMN=VALUE...]: accepted, and it succeeds; its row is 1/alice/$job.
job=0
job_does() {
    local name=$1 action=$2
    job=$((job + 1))
    shift 2
    accepted "$name" $op "1/alice/$job" RowStatus=createAndGo Action="$action" "$@"
    wait_until 60 job_ended "1/alice/$job"
    is "$(job_get "1/alice/$job" State Result)" "succeeded ok" "it succeeds" || diag "$(job_get "1/alice/$job" ResultText)"
}
events_of() { for vm; do printf '%s=%s ' "$vm" "$(vm_events ${vm%/*} ${vm#*/})"; done; }

# ---- reboot ----

job_does "reboot of the stack" reboot
wait_until 10 all_up
ok $? "all are up again" || diag "$(stack_table)"
is "$(events_of room01/web1 room01/db1)" "room01/web1=button,off,up room01/db1=button,off,up " "those on the machine itself have rebooted"
is "$(events_of mid/app1 mid/app2 top/leaf1 top/leaf2 | tr ' ' '\n' | cut -d= -f2 | sort -u | grep . | paste -sd" ")" "button,off,gone,begun,up" \
    "the others have shut down, and were started"
before top/leaf1 top/leaf2 -- mid/app1 "app1 was asked when leaf1 and leaf2 were down"
before mid/app1 mid/app2 -- room01/db1 "db1 when app1 and app2 were down"
is "$(vm_events machine room01)" "" "the machine was not asked"

libvirt mid shutdown app2 --mode acpi >/dev/null
wait_until "$WAIT_S" vm_shows app2 shutdown
console_mark
job_does "reboot with the machine" reboot Scope=stackAndMachine
is "$(vm_events machine room01)" "button,off,gone,begun,up" "it has shut down, and was switched on"
before room01/db1 room01/web1 mid/app1 top/leaf1 top/leaf2 -- machine/room01 "when all VMs were down"
five_up() { vm_up room01 web1 && vm_up top leaf1 && vm_up top leaf2; }
wait_until 10 five_up
ok $? "those that were up are up again"
is "$(vm_order begun)" "$(vm_order begun | tr ' ' '\n' | grep -v app2 | paste -sd' ')" "what was off stays off"
like "$(vm_order up)" "^machine/room01 .*room01/db1 .*mid/app1 .*top/leaf" "each after what it stands on"

stack_again "before a reboot at once"
job_does "reboot at once" reboot Force=immediately
both_up() { has_said room01/db1 up && has_said room01/web1 up; }
wait_until 10 both_up
is "$(events_of room01/db1 room01/web1)" "room01/db1=up room01/web1=up " "those on the machine itself were reset, and not asked"
is "$(events_of mid/app1 top/leaf1)" "mid/app1=gone top/leaf1=gone " "what stood on them is gone"

stack_again "before a reboot at once, with the machine"
boots=$(vm_events machine room01)
job_does "reboot at once with the machine" reboot Force=immediately Scope=stackAndMachine
wait_until 10 has_said machine/room01 up
is "$boots$(vm_events machine room01)" up "it was reset"
is "$(vm_order button)" "" "nobody was asked"

# ---- reset and cycle ----

stack_again "before reset"
job_does "reset of the stack" reset
wait_until 10 both_up
is "$(events_of room01/db1 room01/web1)" "room01/db1=up room01/web1=up " "those on the machine itself were reset"
stack_again "before cycle"
job_does "cycle of the stack" cycle
wait_until 10 both_up
is "$(events_of room01/db1 room01/web1)" "room01/db1=gone,begun,up room01/web1=gone,begun,up " "those on the machine itself were off and on"
is "$(vm_order button)" "" "nobody was asked"

# ---- suspend and hibernate ----

stack_again "before suspend"
trap_mark
job_does "suspend of the stack" suspend
wait_until 5 stack_shows db1=paused web1=paused app1=paused app2=paused leaf1=paused leaf2=paused
ok $? "all are paused" || diag "$(stack_table)"
paused_order() { trap_lines | sed -n 's/.*pmVmName[.0-9]* = \([a-z0-9]*\).*pmVmState[.0-9]* = paused.*/\1/p' | paste -sd' '; }
like "$(paused_order)" "leaf.*app1.*db1" "leaf first"
is "$(vm_state room01 db1) $(vm_state room01 web1)" "paused paused" "so says libvirt"
vm_verb leaf1 powerOn ok "powerOn of the highest"
vm_verb leaf2 powerOn ok "and of the other"
is "$(vm_state room01 db1) $(vm_state mid app1) $(vm_state top leaf1)" "running running running" "bring back what they stand on"
untouched
ok $? "nobody has booted, or was asked"

stack_again "before hibernate"
job_does "hibernate of the stack" hibernate
wait_until 5 stack_shows db1=suspended web1=suspended app1=suspended app2=suspended leaf1=suspended leaf2=suspended
ok $? "all are saved" || diag "$(stack_table)"
is "$(vm_end top leaf1) $(vm_end mid app1) $(vm_end room01 db1)" "saved saved saved" "so says libvirt"
like "$(vm_order gone)" "top/leaf.*mid/app1.*room01/db1" "leaf first"
is "$(vm_order button)" "" "nobody was asked"
vm_verb leaf1 powerOn ok "powerOn of the highest"
is "$(events_of room01/db1 mid/app1 top/leaf1)" "room01/db1=gone,restored mid/app1=gone,restored top/leaf1=gone,restored " \
    "restores it, and what it stands on"
refused inconsistentValue "suspend of the machine, which needs its operating system" $op 1/alice/no RowStatus=createAndGo \
    Action=suspend Scope=stackAndMachine

done_testing
