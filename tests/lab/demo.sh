#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# make demo: a machine room on this host. Four servers with BMCs and a storage server that wakes on a magic packet are
# watched and switched by SNMP, and so are a host of VMs with what runs on it, and a machine that only its own operating
# system can switch off; every step shows its command, and what really happened is checked.
#
#   demo.sh                the demo; it leaves nothing behind. KEEP=1: it leaves everything up
#   demo.sh --stop LAB     ends what KEEP=1 left; build/demo/stop calls it
# Exit status: 0 when every step had the outcome that it should have, else 1.
# shellcheck disable=SC2119 # functions of the lab have optional arguments
set -u
# shellcheck source=tests/lab/lab.sh
. "$(dirname "$0")/lab.sh"

DEMO=build/demo
TIMEOUT_S=20
failures=0
kept=
if [[ -t 1 ]]; then
    BOLD=$'\e[1m' GREEN=$'\e[32m' RED=$'\e[31m' PLAIN=$'\e[0m'
else
    BOLD='' GREEN='' RED='' PLAIN=''
fi

# ---- telling ----

title() { printf '\n%s== %s%s\n' "$BOLD" "$*" "$PLAIN"; }
explain() { printf '   %s\n' "$@"; }
indent() { sed 's/^/     /'; }

# verdict RC TEXT
verdict() {
    if [[ $1 == 0 ]]; then
        printf '   %s✓%s %s\n' "$GREEN" "$PLAIN" "$2"
    else
        failures=$((failures + 1))
        printf '   %s✗ NOT SO:%s %s\n' "$RED" "$PLAIN" "$2"
    fi
}

# command USER COMMAND REGEX WHY: the command as it is printed, run in the repository's directory; its output must match.
command_as() {
    local line="SNMPCONFPATH=$DEMO/$1 $2" output
    printf '\n   %s$ %s%s\n' "$BOLD" "$line" "$PLAIN"
    output=$(cd "$LAB_ROOT" && bash -c "$line" 2>&1)
    indent <<<"$output"
    [[ $output =~ $3 ]]
    verdict $? "$4"
}

# observe TEXT COMMAND...: becomes true within the time limit.
observe() {
    local text=$1
    shift
    wait_until "$TIMEOUT_S" "$@"
    verdict $? "$text"
}

# notified REGEX: a notification since the last trap_mark, printed without what every notification has.
notified() {
    local line
    line=$(trap_wait "$TIMEOUT_S" "$1")
    verdict $? "snmptrapd received:"
    tr '\t' '\n' <<<"${line#*snmpTrapOID.0 = }" | indent
}

state_is() { snmp_is reader "pmMachinePowerState.$1" "$2"; }
result_is() { snmp_is reader "pmMachineLastResult.$1" "$2"; }
heard() { sleeper_heard "$@" >/dev/null; }
booted() { [[ $(machine_boots "$1") == "$2" ]]; }

# ---- the lab ----

demo_begin() {
    [[ -x $PMSTACKD ]] || bail_out "$PMSTACKD is missing: make"
    lab_begin --host-net
    trap 'demo_end $?' EXIT
    [[ ! -x $LAB_ROOT/$DEMO/stop ]] || "$LAB_ROOT/$DEMO/stop" # an earlier KEEP=1
    [[ ! -e $LAB_ROOT/$DEMO/log/. ]] || bail_out "another demo is running; if not, remove $DEMO"
    rm -rf "${LAB_ROOT:?}/$DEMO" && mkdir -p "$LAB_ROOT/$DEMO"
}

demo_end() {
    [[ -z $kept ]] || return
    rm -rf "${LAB_ROOT:?}/$DEMO"
    KEEP='' lab_end "$1"
}

demo_network() {
    lab_snmptrapd && lab_snmpd || return 1
    for machine in web01 web02 web03 web04; do lab_bmc "$machine" || return 1; done
    machine_power web03 on && lab_segment storage && lab_sleeper storage nas1 02:00:5e:10:00:01 || return 1
    lab_guest mail storage --user pmstack && guest_push mail && demo_stack || return 1
    ln -s "$LAB/snmp/reader" "$LAB/snmp/operator" "$LAB/log" "$LAB_ROOT/$DEMO/"
    [[ -z ${SUDO_UID:-} ]] || chown -R "$SUDO_UID" "$LAB"/snmp/{reader,operator}
}

# db1 carries app1, as if it ran a hypervisor: a VM in a VM
demo_stack() {
    {
        lab_stack_machine vmhost --on && lab_vm vmhost db1 --delay 1 --start && lab_vm vmhost web1 --delay 1 --start &&
            lab_nested_libvirtd vmhost db1 db1-inside && lab_vm db1-inside app1 --delay 1 && libvirt_wait db1-inside &&
            libvirt db1-inside start app1
    } >/dev/null
}

demo_agent() {
    lab_agent_conf <<END
agent {
  name          = "demo"
  poll-interval = 2s
  $(guest_conf_agent)
}
credentials "lab" {
  username      = "$LAB_BMC_USER"
  password-file = "$LAB_BMC_PASSWORD_FILE"
  cipher-suites = { 3 }
}
machine "web[01-04]" {
  location = "rack 1"
  bmc { address = "127.0.1.[1-4]"  port = $(bmc_port web01)  credentials = "lab" }
}
machine "nas1" {
  location = "rack 2"
  nic "eth0" { mac = "02:00:5e:10:00:01"  wol = "ethernet"  interface = "$(segment_interface storage)" }
  probe { method = "icmp"  address = "$(machine_address nas1)" }
}
machine "vmhost" {
  location    = "rack 2"
  off-methods = { "bmc-soft" }
  bmc { address = "$(bmc_address vmhost)"  port = $(bmc_port vmhost)  credentials = "lab" }
  stack {
    uri = "$(libvirt_uri vmhost)"
    guest "db1" { uri = "$(libvirt_uri db1-inside)" }
  }
}
machine "mail" {
  location = "rack 2"
  nic "lan0" { mac = "$(guest_mac mail)"  interface = "$(segment_interface storage)" }
  probe { method = "icmp"  address = "$(machine_address mail)"  timeout = 500ms }
  $(guest_conf_host mail)
}
group "rack1" { members = { "web[01-04]" }  stagger = 200ms }
END
    lab_agent
}

all_states_known() {
    [[ $(snmp_as reader walk -Ov pmMachinePowerState 2>/dev/null | tr '\n' ' ') == "off off on off unknown on "* ]]
}

demo_introduce() {
    title "A machine room in this host"
    explain "snmpd     SNMPv3 on $LAB_SNMPD_ADDRESS; users: reader (reads), operator (also writes PMSTACK-MIB)" \
        "pmstackd  its AgentX subagent, run by $LAB_AGENT_USER with CAP_NET_RAW and nothing else" \
        "web01-04  servers, each a BMC (ipmi_sim, IPMI 2.0) in front of a process: running is on" \
        "vmhost    a server of QEMU with a BMC; libvirt runs VMs on it, one of them in another VM" \
        "nas1      sleeps in an Ethernet segment of its own until a magic packet reaches its NIC" \
        "mail      Debian's kernel in QEMU, without a BMC: the agent comes by ssh, to pmstack-host and to nothing else"
}

# ---- the steps ----

step_look() {
    title "What is in the room?"
    wait_until "$TIMEOUT_S" all_states_known
    command_as reader "snmpwalk 127.0.0.1 pmMachineName" 'web01.*web02.*web03.*web04.*nas1.*vmhost.*mail' "seven machines"
    command_as reader "snmpwalk 127.0.0.1 pmMachinePowerState" \
        '\.1 = INTEGER: off.*\.2 = INTEGER: off.*\.3 = INTEGER: on' "their power states, as their BMCs report them"
    explain "nas1 has no BMC. That it does not answer a ping does not prove that it is off: its state is unknown."
}

step_find() {
    title "Which index has web02?"
    command_as reader "snmpget 127.0.0.1 'pmNameIndex.\"web02\"'" ' = (Gauge32|Unsigned32): 2' "2, in one request and without a walk"
}

step_on() {
    title "Switch web02 on"
    trap_mark
    command_as operator "snmpset 127.0.0.1 pmMachineCommand.2 = powerOn" 'powerOn' \
        "accepted; the answer does not wait for the machine"
    observe "the machine is on: process $(wait_until 5 machine_is_on web02 && machine_pid web02) runs" machine_is_on web02
    observe "and the agent has seen it" state_is 2 on
    notified 'pmPowerStateChange.*pmMachinePowerState.2 = on'
}

step_cycle() {
    title "web02 hangs: cycle it"
    trap_mark
    command_as operator "snmpset 127.0.0.1 pmMachineCommand.2 = cycle" 'cycle' "accepted"
    observe "the machine has booted a second time" booted web02 2
    notified 'pmJobFinished.*pmMachineLastResult.2 = ok'
    observe "the BMC was told once" test "$(machine_count web02 'set (power 0|reset)')" == 1
    command_as reader "snmpget 127.0.0.1 pmMachineLastResult.2 pmMachineLastResultText.2" 'ok' "how it went, in a code and in words"
}

step_off() {
    title "web03 is wanted off, whatever it is now"
    trap_mark
    command_as operator "snmpset 127.0.0.1 pmBmcChassisControl.3 = powerDown" 'powerDown' "by its BMC, at once"
    observe "no process any more" machine_is_off web03
    observe "and the agent has seen it" state_is 3 off
    notified 'pmPowerStateChange.*pmMachinePowerState.3 = off'
    trap_mark
    command_as operator "snmpset 127.0.0.1 pmMachineCommand.3 = powerOff" 'powerOff' "once more: accepted as well"
    observe "and the result says that there was nothing to do" result_is 3 alreadyInState
}

step_wake() {
    title "Wake nas1, which has no BMC"
    trap_mark
    command_as operator "snmpset 127.0.0.1 pmNicWake.5.1 = send" 'send' "a magic packet is on its way"
    observe "the sleeping NIC has heard it:" heard nas1 woken
    sleeper_heard nas1 | head -n 1 | indent
    observe "nas1 has come up and answers a ping" machine_answers nas1
    notified 'pmWakeSeen'
    observe "the agent has seen nas1 come up" state_is 5 on
    command_as reader "snmpget 127.0.0.1 pmNicWakeSent.5.1 pmNicWakeSeen.5.1 pmMachineLastResult.5" \
        'pmNicWakeSeen.5.1 = Counter32: [1-9].*ok' "sent, and proved by a capture of the frame as it left"
}

step_group() {
    title "Switch a rack on, by one varbind"
    trap_mark
    command_as operator "snmpset 127.0.0.1 'pmGroupCommand.\"rack1\"' = powerOn" 'powerOn' \
        "a job for each member, 200 ms apart, in one commit of the journal"
    observe "all four are on" snmp_is reader 'pmGroupOn."rack1"' '4 machines'
    notified 'pmMachineName.4 = web04.*pmPowerStateChange|pmPowerStateChange.*pmMachineName.4 = web04'
    observe "the last job is done" snmp_is reader 'pmGroupActiveJobs."rack1"' '0 jobs'
    command_as reader "snmpwalk 127.0.0.1 pmMachineLastResultText | head -n 4" 'already.*STRING: on, observed' \
        "web02 was on, which its BMC was asked once more; the others are on now"
}

# job_is INDEX: which row $J is in the commands that follow.
job_is() {
    export J=$1
    printf "\n   %s$ export J='%s'%s\n" "$BOLD" "$J" "$PLAIN"
}

# shellcheck disable=SC2016 # the commands are printed with $J, as they are typed
step_job() {
    title "A job with options: plan it, follow it, stop it"
    explain "a row of pmJobTable has the machine, who asks, and a name of his choice"
    job_is '2."ann"."plan"'
    command_as operator \
        'snmpset 127.0.0.1 pmJobRowStatus.$J = createAndGo pmJobAction.$J = reboot pmJobScope.$J = machine pmJobDryRun.$J = true' \
        'createAndGo.*true' "what would a reboot do?"
    command_as reader 'snmpwalk 127.0.0.1 pmJobStepAction.$J' 'bmcSoftShutdown.*bmcPowerDown.*bmcPowerUp' \
        "ask it to go down; if that does not help, cut the power; switch it on"
    command_as reader 'snmpget 127.0.0.1 pmJobResultText.$J' 'nothing was done' "nobody has told the machine"
    job_is '2."ann"."tonight"'
    trap_mark
    command_as operator \
        'snmpset 127.0.0.1 pmJobRowStatus.$J = createAndGo pmJobAction.$J = cycle pmJobDelay.$J = 3600 pmJobScope.$J = machine pmJobLabel.$J = "new fans"' \
        'createAndGo' "in an hour, then"
    command_as reader 'snmpget 127.0.0.1 pmJobState.$J pmJobRemaining.$J pmMachineActiveJob.2' \
        'scheduled.*(3600|359[0-9]) seconds.*tonight' "it waits, and the machine is taken"
    lab_agent_kill && lab_agent
    verdict $? "pmstackd, killed by SIGKILL, is started again"
    observe "and the job waits as before" snmp_is reader "pmJobState.$J" scheduled
    command_as operator "snmpset 127.0.0.1 pmMachineCommand.2 = powerOff" 'inconsistentValue' "one job at a time"
    command_as operator 'snmpset 127.0.0.1 pmJobAdminStatus.$J = disabled' 'disabled' "ann has changed her mind"
    observe "the job is aborted" snmp_is reader "pmJobState.$J" aborted
    notified 'pmJobFailed.*pmNotifyJobName.0 = tonight'
    verdict "$(booted web02 2; echo $?)" "and web02 has not booted a third time"
}

vm_is_running() { snmp_is reader "pmVmState.6.$1" running; }
# vm_row NAME: its pmVmIndex on vmhost.
vm_row() { snmp_as reader walk pmVmName.6 | sed -n "s/^pmVmName\.6\.\([0-9]*\) $1\$/\1/p"; }
all_vms_run() { [[ $(snmp_value reader pmMachineVmRunning.6) == 3* ]]; }
no_vm_runs() { [[ $(snmp_value reader pmMachineVmRunning.6) == 0* ]]; }

# shellcheck disable=SC2016 # the commands are printed with $J, as they are typed
step_stack() {
    title "Take vmhost down, with all that runs on it"
    observe "its VMs are known" all_vms_run
    command_as reader "snmpwalk 127.0.0.1 pmVmName.6" 'app1' "three VMs"
    command_as reader "snmpwalk 127.0.0.1 pmVmParent.6" '= (Gauge32|Unsigned32|INTEGER): [1-9]' "app1 stands on db1, the others on vmhost itself"
    job_is '6."ann"."plan"'
    command_as operator 'snmpset 127.0.0.1 pmJobRowStatus.$J = createAndGo pmJobAction.$J = shutdown pmJobScope.$J = stackAndMachine pmJobDryRun.$J = true' \
        'createAndGo.*true' "what would it take?"
    command_as reader 'snmpwalk 127.0.0.1 pmJobStepTarget.$J' 'app1.*db1.*vmhost' "app1, then db1, then vmhost"
    verdict "$(vm_up db1-inside app1; echo $?)" "and nobody was touched"
    job_is '6."ann"."night"'
    trap_mark
    console_mark
    command_as operator 'snmpset 127.0.0.1 pmJobRowStatus.$J = createAndGo pmJobAction.$J = shutdown pmJobScope.$J = stackAndMachine' \
        'createAndGo' "do it"
    notified 'pmJobFinished.*pmNotifyJobName.0 = night'
    observe "nothing runs any more" no_vm_runs
    explain "what the guests have said on their consoles (button: asked to shut down; off: has done so):"
    tail -n "+$((LAB_CONSOLE_MARK + 1))" "$LAB/log/console.log" | indent
    verdict "$(vm_graceful db1-inside app1 && vm_graceful vmhost db1 && vm_graceful vmhost web1 && vm_graceful machine vmhost; echo $?)" \
        "each has shut down by itself"
    verdict "$([[ $(vm_order gone) == *db1-inside/app1*vmhost/db1*machine/vmhost ]]; echo $?)" "in this order: app1, db1, the machine"
}

step_create() {
    local app1
    app1=$(vm_row app1)
    title "Start app1, which stands on a VM, on a machine that is off"
    trap_mark
    console_mark
    command_as operator "snmpset 127.0.0.1 pmVmCommand.6.$app1 = powerOn" 'powerOn' "one varbind"
    observe "app1 runs" vm_is_running "$app1"
    notified "pmVmStateChange.*pmVmState.6.$app1 = running"
    wait_until "$TIMEOUT_S" vm_up db1-inside app1
    verdict "$([[ $(vm_order up) == "machine/vmhost vmhost/db1 db1-inside/app1" ]]; echo $?)" \
        "up came $(vm_order up)"
}

# shellcheck disable=SC2016 # as above
step_host_off() {
    title "mail has no BMC: its operating system switches it off, and arms its NIC before"
    observe "its NIC is not armed" snmp_is reader pmNicArmed.7.1 disarmed
    job_is '7."ann"."dark"'
    command_as operator 'snmpset 127.0.0.1 pmJobRowStatus.$J = createAndGo pmJobAction.$J = shutdown pmJobScope.$J = machine pmJobArmWol.$J = true' \
        'createAndGo.*true' "accepted"
    explain "It takes its time, as operating systems do. Meanwhile:"
}

step_host_wake() {
    title "Is mail off? Wake it"
    observe "the job has ended" snmp_is reader 'pmJobState.7."ann"."dark"' succeeded
    verdict "$(guest_is_off mail; echo $?)" "the machine has gone down by itself"
    command_as reader "snmpget 127.0.0.1 pmMachinePowerState.7 pmMachineStateSource.7 pmNicArmed.7.1" ' off.* host.* armed' \
        "off without a BMC: it has agreed, and since then neither ping nor ssh finds it"
    command_as operator "snmpset 127.0.0.1 pmMachineCommand.7 = wake" 'wake' "a magic packet, and its operating system starts. Meanwhile:"
}

step_host_on() {
    title "mail is back"
    observe "the agent has seen it" state_is 7 on
    verdict "$([[ $(guest_boots mail) == 2 ]]; echo $?)" "its operating system has started a second time, woken by its NIC"
}

step_refused() {
    title "What is refused"
    command_as reader "snmpset 127.0.0.1 pmMachineCommand.2 = powerOff" 'noAccess|authorizationError' \
        "the reader may look and not touch: VACM"
    command_as operator "snmpset 127.0.0.1 pmMachineCommand.2 = none" 'wrongValue' "none is not a verb"
    command_as operator "snmpset 127.0.0.1 pmMachineCommand.99 = powerOff" 'noCreation' "there is no machine 99"
    command_as operator "snmpset 127.0.0.1 pmNicWake.1.1 = send" 'inconsistentName|noCreation' "web01 has no NIC to wake"
    verdict "$(machine_is_on web02; echo $?)" "and web02 is still on"
}

step_overview() {
    title "The whole room in one varbind, and what happened"
    command_as reader "snmpget 127.0.0.1 pmStateMapStates.1 | head -n 1" 'Hex-STRING: 04 04 04 04 04 04 04 00' \
        "an octet for each of 256 pmIndex: 2 is off, 4 is on, 0 is no machine"
    command_as reader "snmpwalk 127.0.0.1 pmEventText.2" 'pmEventText.2.[0-9]+ = STRING' "web02's history"
}

demo_steps() {
    step_look
    step_find
    step_on
    step_cycle
    step_off
    step_wake
    step_group
    step_job
    step_host_off
    step_stack
    step_create
    step_host_wake
    step_refused
    step_host_on
    step_overview
}

# ---- the end ----

# What KEEP=1 leaves is ended by another process, which knows the directory alone.
demo_keep() {
    printf '#!/bin/sh\n# Ends the lab that "make demo KEEP=1" left up.\nexec bash "%s/tests/lab/demo.sh" --stop "%s"\n' \
        "$LAB_ROOT" "$LAB" >"$LAB_ROOT/$DEMO/stop"
    chmod +x "$LAB_ROOT/$DEMO/stop"
    kept=yes
    title "The lab stays up. Try, in $LAB_ROOT:"
    printf '   %s\n' "export SNMPCONFPATH=$DEMO/operator" \
        "snmptable -Cb -CH -Ci 127.0.0.1 pmNameTable" \
        "snmpset 127.0.0.1 pmMachineAdminState.1 = on pmMachineAdminState.4 = on" \
        "snmpwalk 127.0.0.1 pmBmcTable" \
        "tail -f $DEMO/log/snmptrapd.log $DEMO/log/pmstackd.log" \
        "cat $LAB/etc/pmstackd.conf" \
        "$DEMO/stop        # ends it and removes everything"
}

demo_stop() {
    LAB=$1
    [[ -d $LAB/run && ${LAB##*/} == pmstack-lab.* ]] || lab_complain "$LAB is not a lab" || exit 1
    lab_end_all
    rm -rf "$LAB" "${LAB_ROOT:?}/$DEMO"
    echo "the lab is gone"
}

main() {
    local start_ms
    if [[ ${1:-} == --stop ]]; then
        demo_stop "$2"
        return
    fi
    start_ms=$(tap_now_ms)
    demo_begin
    demo_network && demo_agent || exit 1
    demo_introduce
    demo_steps
    if ((failures > 0)); then
        printf '\n%s%d outcomes were not as they should be.%s\n' "$RED" "$failures" "$PLAIN"
    else
        printf '\n%sEverything as it should be, in %d s.%s\n' "$GREEN" $((($(tap_now_ms) - start_ms) / 1000)) "$PLAIN"
    fi
    [[ ${KEEP:-} != 1 ]] || demo_keep
    ((failures == 0))
}

main "$@"
