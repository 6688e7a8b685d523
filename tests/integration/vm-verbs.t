#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# pmVmAdminState and pmVmCommand: every wish and every verb on VMs that carry others, or do not, and what is refused.
# What became of the guests is told by themselves.
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

# events_are HV/NAME EVENTS NAME: since console_mark.
events_are() { is "$(vm_events "${1%/*}" "${1#*/}")" "$2" "$3"; }
# wish NAME STATE WANTED TEXT: pmVmAdminState leads to that pmVmState.
wish() {
    vm_put "$1" AdminState "$2" >"$LAB/answer" || fail "$4: the SET is accepted" || diag "$(<"$LAB/answer")"
    wait_until "$WAIT_S" vm_shows "$1" "$3"
    is "$(vm_value "$1" State)" "$3" "$4" || diag "$(vm_value "$1" LastResultText)"
    wait_until "$WAIT_S" machine_rests
    is "$(vm_value "$1" AdminState)" "$2" "and the wish can be read"
}

# ---- wishes ----

console_mark
wish leaf1 paused paused "paused"
is "$(vm_state top leaf1)" paused "so says libvirt"
wish leaf1 running running "running: it goes on"
is "$(vm_state top leaf1)" running "so says libvirt"
events_are top/leaf1 "" "without a boot"
wish leaf1 suspended suspended "suspended"
is "$(vm_end top leaf1)" saved "it was saved"
wish leaf1 running running "running: it is restored"
events_are top/leaf1 "gone,restored" "with what it had in memory"
console_mark
wish leaf1 shutdown shutdown "shutdown"
gracefully "it has shut down by itself" top/leaf1
wish leaf1 running running "running: it is started"
wait_until 5 vm_up top leaf1
events_are top/leaf1 "button,off,gone,begun,up" "which is a boot"
jobs=$(value pmAgentJobsStarted.1)
vm_put leaf1 AdminState running >/dev/null
ok $? "what is there already is accepted"
is "$(value pmAgentJobsStarted.1)" "$jobs" "and no job is begun"
is "$(vm_events room01 db1)$(vm_events mid app1)$(vm_events top leaf2)" "" "nobody else was touched"

# ---- a cancel of a VM propagates through its own stack ----

console_mark
wish app1 shutdown shutdown "shutdown of a VM that carries others"
gracefully "they have shut down by themselves" top/leaf1 top/leaf2 mid/app1
before top/leaf1 top/leaf2 -- mid/app1 "before it was asked"
is "$(vm_events room01 db1)$(vm_events mid app2)$(vm_events room01 web1)" "" "nobody else was asked"
is "$(vm_state mid app2)" running "and runs"
stack_again "for verbs"

# ---- verbs ----

vm_verb app2 shutdown ok "shutdown"
gracefully "by itself" mid/app2
vm_verb app2 shutdown alreadyInState "once more there is nothing to do"
vm_verb app2 powerOn ok "powerOn"
wait_until 5 vm_up mid app2
events_are mid/app2 "button,off,gone,begun,up" "it has booted"
vm_verb app2 powerOn alreadyInState "once more there is nothing to do"
console_mark
vm_verb app2 reboot ok "reboot"
wait_until 5 has_said mid/app2 up
events_are mid/app2 "button,off,up" "it has shut down and come up"
console_mark
vm_verb app2 reset ok "reset"
wait_until 5 has_said mid/app2 up
events_are mid/app2 "up" "it has come up, and was not asked"
console_mark
vm_verb app2 cycle ok "cycle"
wait_until 5 vm_up mid app2
events_are mid/app2 "gone,begun,up" "it was off in between"
console_mark
vm_verb app2 suspend ok "suspend"
is "$(vm_state mid app2)" paused "it is paused"
vm_verb app2 powerOn ok "powerOn of one that is paused"
is "$(vm_state mid app2)" running "it goes on"
vm_verb app2 hibernate ok "hibernate"
is "$(vm_end mid app2)" saved "it is saved"
vm_verb app2 powerOn ok "powerOn of one that is saved"
events_are mid/app2 "gone,restored" "it is restored"
console_mark
vm_verb app2 powerOff ok "powerOff"
is "$(vm_events mid app2) $(vm_end mid app2)" "gone destroyed" "at once"
vm_verb app2 powerOn ok "and on again"
is "$(vm_value app2 Command)" none "a command always reads none"
told 'pmJobFinished' "an end was told"

# ---- verbs on a VM that carries others ----

stack_again "before reboot"
vm_verb app1 reboot ok "reboot of a VM that carries others"
wait_until 10 vm_up top leaf1
wait_until 10 vm_up top leaf2
before top/leaf1 top/leaf2 -- mid/app1 "they were down first"
wait_until 5 has_said mid/app1 up
events_are mid/app1 "button,off,up" "it has rebooted"
events_are top/leaf1 "button,off,gone,begun,up" "what was up on it is up again"
events_are top/leaf2 "button,off,gone,begun,up" "all of it"
libvirt top shutdown leaf2 --mode acpi >/dev/null
wait_until "$WAIT_S" vm_shows leaf2 shutdown
stack_now() { console_mark && trap_mark; }
stack_now
vm_verb app1 suspend ok "suspend of a VM that carries others"
is "$(vm_state mid app1)" paused "it is paused"
wait_until 5 vm_shows leaf1 paused
ok $? "what is on it is paused"
vm_verb leaf1 powerOn ok "powerOn of what is on it"
is "$(vm_state mid app1) $(vm_state top leaf1)" "running running" "brings both back"
events_are top/leaf2 "" "and what was off stays off"
stack_again "before softOff"
vm_verb app1 softOff ok "softOff"
events_are mid/app1 "button,off,gone" "presses its button"
events_are top/leaf1 "gone" "and asks nobody on it"

# ---- seconds before the kill, of one VM ----

stack_again "before a VM's own time"
lab_vm room01 deaf --ignore-acpi --start >/dev/null
wait_until "$WAIT_S" vm_shows deaf running
vm_put deaf ShutdownTimeout 2 >/dev/null
is "$(vm_value deaf ShutdownTimeout)" "2" "pmVmShutdownTimeout"
console_mark
row=1/alice/own
accepted "afterTimeout, with a longer time for all" operator $row RowStatus=createAndGo Action=shutdown \
    Vm="$(vm_row deaf | cut -d. -f2)" Force=afterTimeout VmTimeout=30
ends $row succeeded ok "it ends"
elapsed=$(awk -v a="$(vm_time room01 deaf button)" -v b="$(vm_time room01 deaf gone)" 'BEGIN { printf "%d", (b - a) * 1000 }')
ok $((elapsed < 1900 || elapsed > 4000)) "the VM's own time counts" || diag "$elapsed ms"
is "$(vm_end room01 deaf)" destroyed "it was killed"
is "$(vm_events room01 db1)" "" "nobody else was asked"

# ---- what is refused ----

# refused_verb ERROR NAME VERB TEXT
refused_verb() {
    log_mark
    vm_put "$2" Command "$3" >"$LAB/answer"
    like "$(<"$LAB/answer")" "$1" "$4"
    logged "SET of .* refused with ($1): ." || fail "$4: and the log says why" || diag "$(log_lines)"
}
stack_again "before what is refused"
for verb in wake init armWol identify diagnosticInterrupt none; do refused_verb wrongValue leaf1 $verb "$verb is nothing for a VM"; done
refused_verb 'inconsistentValue|wrongValue' deaf reboot "reboot of a VM that is off"
refused_verb 'inconsistentValue|wrongValue' deaf suspend "suspend of a VM that is off"
like "$(put pmVmCommand.$M.9999 powerOn)" "inconsistentName|noCreation" "a VM that is not there"
like "$(put "pmVmState.$(vm_row leaf1)" running)" "notWritable" "a state cannot be written"
like "$(snmp_as reader set "pmVmCommand.$(vm_row leaf1)" = powerOff 2>&1)" "noAccess|authorizationError" "the reader may not"
put pmMachineInhibit.$M true >/dev/null
refused_verb inconsistentValue leaf1 powerOff "while the machine is inhibited"
put pmMachineInhibit.$M false >/dev/null
untouched
ok $? "and nobody was touched"

# ---- the wish outlives a restart ----

vm_put leaf2 AdminState paused >/dev/null
wait_until "$WAIT_S" vm_shows leaf2 paused
wait_until "$WAIT_S" machine_rests
names=$(snmp_as reader walk "pmVmName.$M")
lab_agent_kill
lab_agent -v
wait_until "$WAIT_S" vm_shows leaf2 paused
is "$(vm_value leaf2 AdminState)" paused "the wish is kept over a restart"
is "$(snmp_as reader walk "pmVmName.$M")" "$names" "and every pmVmIndex"

done_testing
