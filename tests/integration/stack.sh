# shellcheck shell=bash
# SPDX-License-Identifier: GPL-3.0-or-later
# What the tests of stacks share: one machine with VMs three levels deep, its rows, and what really became of the guests.
# Sourced after lab.sh, room.sh and jobs.sh.
#
#   machine 1  room01, QEMU behind ipmi_sim
#     db1      level 1, a hypervisor: mid
#       app1   level 2, a hypervisor: top
#         leaf1, leaf2          level 3
#       app2   level 2
#     web1     level 1

M=1
ALL_VMS="room01/db1 room01/web1 mid/app1 mid/app2 top/leaf1 top/leaf2"

# stack_room [LAB_STACK_MACHINE_OPTION...]: the machine and its VMs, described; all is off unless --on is given.
stack_room() {
    lab_stack_machine room01 --boot 0.1 "$@" || return
    lab_vm room01 db1 && lab_nested_libvirtd room01 db1 mid 0.1 && lab_vm room01 web1 || return
    lab_vm mid app1 && lab_nested_libvirtd mid app1 top 0.1 && lab_vm mid app2 || return
    lab_vm top leaf1 --delay "${LEAF_DELAY:-0.5}" && lab_vm top leaf2 --delay "${LEAF_DELAY:-0.5}"
} >>"$LAB/log/stack-room.log"

# stack_machine [KEY...]: of the configuration; keys of the machine, such as 'off-timeout = 5s'.
stack_machine() {
    cat <<END
credentials "lab" { username = "$LAB_BMC_USER"  password-file = "$LAB_BMC_PASSWORD_FILE"  cipher-suites = { 3 } }
machine "room01" {
  off-methods = { "bmc-soft" }
  bmc { address = "$(bmc_address room01)"  port = $(bmc_port room01)  credentials = "lab"  ${BMC_KEYS:-} }
  $(printf '%s\n' "$@")
  stack {
    uri = "$(libvirt_uri room01)"
    ${STACK_KEYS:-}
    guest "db1" {
      uri = "$(libvirt_uri mid)"
      ${STACK_KEYS:-}
      guest "app1" { uri = "$(libvirt_uri top)"  ${STACK_KEYS:-} }
    }
  }
}
END
}

# stack_up: behind the agent's back, by virsh: everything runs. Returns when the guests say so.
stack_up() {
    local hv vm
    machine_is_on room01 || machine_power room01 on
    for hv in room01 mid top; do
        libvirt_wait "$hv" && stack_up_on "$hv" >>"$LAB/log/stack-room.log" || return
    done
    for vm in $ALL_VMS; do wait_until 10 vm_up "${vm%/*}" "${vm#*/}" || return; done
}

# In one call of virsh.
stack_up_on() {
    local vm states commands=''
    states=$(libvirt "$1" list --all)
    for vm in $ALL_VMS; do
        [[ $vm == "$1"/* ]] || continue
        case $(sed -n "s/^ *[-0-9]* *${vm#*/}  *//p" <<<"$states") in
        running) ;;
        paused) commands+="resume ${vm#*/};" ;;
        *) commands+="start ${vm#*/};" ;;
        esac
    done
    [[ -z $commands ]] || libvirt "$1" "$commands"
}

# ---- rows of pmVmTable ----

# vm_row NAME: pmIndex.pmVmIndex of a VM of machine 1, which stays the same: what was found once is kept.
vm_row() {
    [[ -s $LAB/run/vm-rows ]] && sed -n "s/^\([0-9.]*\) $1\$/\1/p" "$LAB/run/vm-rows" | grep -m 1 . && return
    vm_rows >"$LAB/run/vm-rows"
    sed -n "s/^\([0-9.]*\) $1\$/\1/p" "$LAB/run/vm-rows" | head -n 1
}
vm_rows() { snmp_as reader walk "pmVmName.$M" 2>/dev/null | sed -n 's/^pmVmName\.\([0-9.]*\) \(.*\)/\1 \2/p'; }
vm_has_row() { vm_rows | grep -q " $1\$"; }
# vm_value NAME COLUMN: vm_value db1 State
vm_value() { value "pmVm$2.$(vm_row "$1")"; }
vm_shows() { [[ $(vm_value "$1" State) == "$2" ]]; }
# stack_shows NAME=STATE...: for wait_until; asks once for all.
stack_shows() {
    local wanted rows=()
    for wanted; do rows+=("pmVmState.$(vm_row "${wanted%%=*}")"); done
    [[ $(snmp_as reader get -OvU "${rows[@]}" 2>/dev/null | paste -sd' ') == "${*#*=}" ]]
}
ALL_RUNNING="db1=running web1=running app1=running app2=running leaf1=running leaf2=running"
# stack_is_known: everything runs, and the agent has seen it.
# shellcheck disable=SC2086 # words
stack_is_known() {
    wait_until "$WAIT_S" stack_shows $ALL_RUNNING && wait_until "$WAIT_S" state_is $M on ||
        fail "the stack is known" || diag "$(stack_table)"
}
stack_table() { snmp_as reader walk "pmVmState.$M"; }
# stack_again NAME: up and known, for the next part.
stack_again() {
    stack_up || fail "$1: the stack is up again"
    stack_is_known
    console_mark
    trap_mark
}

# vm_put NAME COLUMN VALUE: as the operator.
vm_put() { put "pmVm$2.$(vm_row "$1")" "$3"; }
vm_result() { vm_value "$1" LastResult; }
vm_has_result() { [[ $(vm_value "$1" LastResult) == "$2" ]]; }
# vm_verb NAME VERB RESULT TEXT: the verb is accepted, and ends so.
vm_verb() {
    local row
    row=$(vm_row "$1")
    trap_mark
    put "pmVmCommand.$row" "$2" >"$LAB/answer" || fail "$4: the SET is accepted" || diag "$(<"$LAB/answer")" || return
    wait_until "$WAIT_S" machine_rests
    is "$(value "pmVmLastResult.$row")" "$3" "$4" || diag "$(value "pmVmLastResultText.$row")"
}
# No job is at work.
machine_rests() { value_is "pmMachineActiveJob.$M" SNMPv2-SMI::zeroDotZero || value_is pmAgentJobsActive.1 0; }

# ---- what really happened ----

# gracefully VM...: HV/NAME; an assertion: each has gone down by itself since console_mark.
gracefully() {
    local name=$1 vm bad=()
    shift
    for vm; do vm_graceful "${vm%/*}" "${vm#*/}" || bad+=("$vm: $(vm_events "${vm%/*}" "${vm#*/}")"); done
    is "${bad[*]}" "" "$name"
}
# before GUEST... -- GUEST NAME: each of them has gone before the last one's power button was pressed.
before() {
    local early=() late name guest bad=() gone_at pressed_at
    while [[ $1 != -- ]]; do early+=("$1") && shift; done
    late=$2
    name=$3
    pressed_at=$(vm_time "${late%/*}" "${late#*/}" button)
    for guest in "${early[@]}"; do
        gone_at=$(vm_time "${guest%/*}" "${guest#*/}" gone)
        awk -v a="$gone_at" -v b="$pressed_at" 'BEGIN { exit !(a != "" && b != "" && a < b) }' ||
            bad+=("$guest gone at ${gone_at:-never}, $late asked at ${pressed_at:-never}")
    done
    is "${bad[*]}" "" "$name"
}
# has_said HV/NAME EVENT: since console_mark.
has_said() { [[ -n $(vm_time "${1%/*}" "${1#*/}" "$2") ]]; }
# untouched: no guest has said anything since console_mark.
untouched() { [[ $(wc -l <"$LAB/log/console.log") == "$LAB_CONSOLE_MARK" ]]; }

# steps_of ROW: `LEVEL ACTION TARGET` of each step, sorted within what may change places.
steps_of() { job_steps "$1" Level Action Target | sort -k1,1n -k2; }
