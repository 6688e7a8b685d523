#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# docs/from-ctys.md is kept: each snmpset in its tables of cancel and create is accepted, those of jobs as dry runs, of
# which the plan is what the row says; and each verb that stands there alone begins its job.
# shellcheck disable=SC2119 # functions of the lab have optional arguments
set -u
# shellcheck source=tests/lab/lab.sh
. "$(dirname "$0")/../lab/lab.sh"
# shellcheck source=tests/integration/room.sh
. "$(dirname "$0")/room.sh"
# shellcheck source=tests/integration/jobs.sh
. "$(dirname "$0")/jobs.sh"
lab_begin "$@"
# shellcheck source=tests/integration/host.sh
. "$(dirname "$0")/host.sh"

# ---- given: a machine with a BMC, an operating system, and three VMs, of which one is a hypervisor with two VMs on it ----

lab_snmptrapd
lab_snmpd || bail_out "no master agent"
lab_bmc room1 --on
lab_test_libvirtd outer || bail_out "no hypervisor"
lab_test_libvirtd inner || bail_out "no hypervisor"
lab_test_vms outer web 2
lab_test_vms inner app 1
for vm in web1 web2; do libvirt outer start "$vm"; done >/dev/null
libvirt inner start app1 >/dev/null
# What stands in for pmstack-host agrees to everything and does nothing.
hosts_begin
sed -i 's/"hibernate":false/"hibernate":true/' "$HOSTS/bin/helper"
host_sshd 1
host_known 1
install -o "$LAB_AGENT_USER" -m 600 "$HOSTS/id" "$LAB/etc/id"
chmod 644 "$HOSTS/known_hosts"
lab_agent_conf <<END
agent { poll-interval = 1s  ssh-identity-file = "$LAB/etc/id"  ssh-known-hosts = "$HOSTS/known_hosts" }
credentials "lab" { username = "$LAB_BMC_USER"  password-file = "$LAB_BMC_PASSWORD_FILE"  cipher-suites = { 3 } }
machine "room1" {
  bmc { address = "$(bmc_address room1)"  credentials = "lab" }
  host { ssh = "root@$(host_address 1)" }
  nic "eth0" { mac = "52:54:00:00:00:01" }
  stack { uri = "$(libvirt_uri outer)"  guest "test" { uri = "$(libvirt_uri inner)" } }
}
END
lab_agent || bail_out "no agent"
all_up() { value_is pmMachineVmRunning.1 5 && state_is 1 on; }
wait_until "$WAIT_S" all_up
ok $? "the machine is on, with five VMs at two depths"
becomes pmNicArmed.1.1 armed "its operating system has told what it is"
vm=$(snmp_as reader walk pmVmDepth | sed -n 's/^pmVmDepth\.1\.\([0-9]*\) 2 .*/\1/p' | head -n 1)
parent=$(value "pmVmParent.1.$vm")

# ---- the tables: a line for each snmpset, CANCEL TAB ARGUMENTS ----

perl -ne 'next unless /^## cancel and create/ .. /^## What to get/;
    next unless /^\|/ && !/^\|[-| ]*$/ && !/snmpset AGENT/;
    my ($cancel, $what, $set) = /^\| (.*?) ?\| (.*) \| (.*?) \|$/ or next;
    next if $set =~ /^as |^the same/;
    my ($add) = $set =~ /^(add) /;
    my ($object) = $set =~ /^`(\S+ = )/;
    for my $code ($set =~ /`([^`]+)`/g) {
        $code = $object . $code unless $code =~ / = /;     # pmVmCommand.1.7 = reboot`; `reset
        print join("\t", ($cancel =~ s/`//gr) || "-", ($add ? "GO pmJobAction.\$J = shutdown " : "") . $code), "\n" if $code =~ / = /;
    }' "$LAB_ROOT/docs/from-ctys.md" >"$LAB/sets"
ok "$(($(wc -l <"$LAB/sets") < 30))" "there are $(wc -l <"$LAB/sets") of them"

# What each job on the page plans, told by its arguments: steps with (VMs at depth 2) (VMs on the machine) and the rest.
plan_of() {
    local deep=$1 shallow=$2 off='1 hostShutdown+1 bmcSoftShutdown+1 bmcPowerDown'
    case $3 in
    *"suspend"*"stackAndMachine"*) printf '1 hostArmWol+%d vmPause+1 hostSuspend' $((deep + shallow)) ;;
    *"hibernate"*"stackAndMachine"*) printf '1 hostArmWol+%d vmSave+1 hostHibernate' $((deep + shallow)) ;;
    *"= init"*"stackAndMachine"*) printf '%d vmShutdown+1 hostInit' $((deep + shallow)) ;;
    *"= init"*) printf '1 hostInit' ;;
    *"ArmWol"*) printf '1 hostArmWol+%d vmShutdown+%s' $((deep + shallow)) "$off" ;;
    *"pmJobVm."*) printf '1 vmShutdown' ;;
    *"shutdown"*"stackAndMachine"*"immediately"*) printf '3 vmDestroy+%s' "$off" ;;
    *"shutdown"*"immediately"* | *"= powerOff"*) printf '3 vmDestroy' ;;
    *"shutdown"*"stackAndMachine"*) printf '%d vmShutdown+%s' $((deep + shallow)) "$off" ;;
    *"shutdown"*) printf '%d vmShutdown' $((deep + shallow)) ;;
    *"reboot"*"machine"*"immediately"*) printf '1 bmcHardReset' ;;
    *"reboot"*"stackAndMachine"*) printf '%d vmShutdown+1 hostReboot+%d vmStart+1 bmcPowerUp' $((deep + shallow)) $((deep + shallow)) ;;
    *"reboot"*) printf '%d vmShutdown+%d vmReboot+%d vmStart' "$deep" "$shallow" "$deep" ;;
    *"= reset"*) printf '%d vmReset' "$shallow" ;;
    *"= suspend"*) printf '%d vmPause' $((deep + shallow)) ;;
    *"= hibernate"*) printf '%d vmSave' $((deep + shallow)) ;;
    esac
}

# expand COMMAND: with the row of a job for $J, and a VM that is there for VM 7; into $arguments.
number=0
expand() {
    local set=$1
    number=$((number + 1))
    set=${set//GO/pmJobRowStatus.\$J = createAndGo}
    set=${set//\$J/1.\"me\".\"n$number\"}
    set=${set//.1.7/.1.$vm}
    set=${set//\"n$number\" = 7/\"n$number\" = $vm}
    read -ra arguments <<<"$set"
}

# ---- jobs: each as a dry run ----

while IFS=$'\t' read -r cancel set; do
    [[ $set == GO* && $set != *DryRun* && $set != *Delay* ]] || continue
    expand "$set"
    answer=$(snmp_as operator set "${arguments[@]}" "pmJobDryRun.1.\"me\".\"n$number\"" = true 2>&1)
    ok $? "$cancel: $set" || diag "$answer"
    steps=$(job_steps "1/me/n$number" Action)
    IFS=+ read -ra expected <<<"$(plan_of 2 3 "$set")"
    missing=()
    for part in "${expected[@]}"; do
        [[ $(grep -cx "${part#* }" <<<"$steps") == "${part%% *}" ]] || missing+=("$part")
    done
    is "${expected[*]:+there}${missing[*]:+, but not ${missing[*]}}" "there" "$cancel: the plan has ${expected[*]}" || diag "$steps"
done <"$LAB/sets"

# ---- the others begin a job, each with all VMs up ----

idle() { value_is pmAgentJobsActive.1 0; }
# up: everything as at the beginning, however a verb has left it.
up() {
    local hypervisor name
    machine_power room1 on
    for name in outer/test outer/web1 outer/web2 inner/test inner/app1; do
        hypervisor=${name%/*} name=${name#*/}
        case $(vm_state "$hypervisor" "$name") in
        "shut off") libvirt "$hypervisor" start "$name" ;;
        paused) libvirt "$hypervisor" resume "$name" ;;
        esac
    done >/dev/null
    wait_until "$WAIT_S" all_up
}
# stop: aborts what is at work.
stop() {
    local row
    while read -r row; do
        job_ended "$row" || job_set operator "$row" AdminStatus=disabled >/dev/null
    done < <(job_rows)
    wait_until "$WAIT_S" idle
}
while IFS=$'\t' read -r cancel set; do
    [[ $set != GO* ]] || continue
    [[ $set != pmJobAdminStatus* ]] || continue
    up || fail "everything is up before $set"
    started=$(value pmAgentJobsStarted.1)
    expand "$set"
    answer=$(snmp_as operator set "${arguments[@]}" 2>&1)
    ok $? "$cancel: $set" || diag "$answer"
    [[ $set == *running || $set == *"= on" ]] || value_isnt pmAgentJobsStarted.1 "$started"
    ok $? "and its job begins"
    wait_until 2 idle || stop
done <"$LAB/sets"

# ---- and what is said of delay and abort ----

up
expand "GO pmJobAction.\$J = shutdown pmJobDelay.\$J = 600"
snmp_as operator set "${arguments[@]}" >/dev/null
is "$(job_get "1/me/n$number" State)" scheduled "a job that waits its ten minutes"
snmp_as operator set "pmJobAdminStatus.1.\"me\".\"n$number\"" = disabled >/dev/null
ends "1/me/n$number" aborted aborted "is stopped"
is "$(value pmMachineVmRunning.1)" 5 "and nothing was done"
isnt "$parent" 0 "(the VM of the page stands on another)"

lab_agent_stop
is "$LAB_STATUS" 0 "the agent ends well"
done_testing
