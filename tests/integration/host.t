#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Off and on again by SNMP alone, of a machine without a BMC: its operating system arms its NIC and shuts down, it is seen
# off, a magic packet that is proved on the wire wakes it, and it is seen up again. The machine is real: Debian's kernel,
# OpenSSH, pmstack-host by its forced command, and a network card that has to be armed to be heard.
# shellcheck disable=SC2119 # functions of the lab have optional arguments
set -u
# shellcheck source=tests/lab/lab.sh
. "$(dirname "$0")/../lab/lab.sh"
# shellcheck source=tests/integration/room.sh
. "$(dirname "$0")/room.sh"
# shellcheck source=tests/integration/jobs.sh
. "$(dirname "$0")/jobs.sh"
# shellcheck source=tests/integration/hosts.sh
. "$(dirname "$0")/hosts.sh"
lab_begin "$@"

# ---- given: a machine, on, whose NIC nobody has armed, and an agent that may ask it ----

{ lab_snmptrapd && lab_snmpd; } || bail_out "no master agent"
lab_segment lan || bail_out "no segment"
lab_guest box lan --user pmstack --on || bail_out "no guest"
first=$(boot_id box)
{
    host_agent_section
    host_section box "uuid = \"$(guest_uuid box)\""
} | lab_agent_conf
lab_agent || bail_out "no agent"
seen 1 "on probe yes" "the machine is on"
becomes pmNicArmed.1.1 disarmed "its NIC is not armed"
op=operator

# ---- POWEROFF,WOL: a job that arms the NIC first ----

trap_mark
row=1/ann/poweroff
accepted "a job: shutdown with armWol" $op $row RowStatus=createAndGo Action=shutdown Scope=machine ArmWol=true
ends $row succeeded ok "it succeeds"
is "$(job_steps $row Action State | paste -sd,)" "hostArmWol succeeded,hostShutdown succeeded" "it has armed, then shut down"
is "$(guest_is_off box; echo $?)" 0 "the machine is off"
seen 1 "off host no" "it is seen off without a BMC"
ok "$(guest_count box 'guest: down' | grep -qx 1; echo $?)" "its operating system has gone down in order"
told 'pmJobFinished.*pmNotifyJobName.0 = poweroff' "a notification tells that the job is done"
trap_seen 'pmPowerStateChange.*pmMachinePowerState.1 = off'
ok $? "and one that the machine is off"
is "$(value pmNicArmed.1.1)" armed "the NIC was left armed"

# ---- create=wol: it comes back by a magic packet ----

seen_before=$(value pmNicWakeSeen.1.1)
verb 1 wake ok "wake"
ok $(($(woken box) == 0)) "the NIC has heard its magic packet"
ok $(($(value pmNicWakeSeen.1.1) <= seen_before)) "which was proved on the wire"
seen 1 "on probe yes" "the machine is on"
is "$(guest_boots box)" 2 "it has started once more"
isnt "$(boot_id box)" "$first" "with another boot id"
event 1 "up again" "and that is told: up again, with a new boot"
becomes pmNicArmed.1.1 disarmed "in the new boot nobody has armed the NIC yet"

# ---- POWEROFF without WOL: the same, and it does not come back ----

row=1/ann/dark
accepted "a job: shutdown without armWol" $op $row RowStatus=createAndGo Action=shutdown Scope=machine
ends $row succeeded ok "it succeeds"
is "$(job_steps $row Action)" "hostShutdown" "it has armed nothing"
seen 1 "off host no" "the machine is off"
sed -i 's/on-timeout = 90s/on-timeout = 6s/' "$LAB/etc/pmstackd.conf"
log_mark
lab_agent_reload
wait_until "$WAIT_S" logged 'pmstackd.conf: 1 machines'
ok $? "(from here on the agent waits for 6 s only)"
before=$(woken box)
verb 1 wake wakeNoResponse "wake: the packet was sent, and nobody woke up"
is "$(woken box)" "$before" "the NIC has not woken it"
ok $(($(deaf box) == 0)) "it has passed by a NIC that was not armed"
is "$(guest_is_off box; echo $?) $(guest_boots box)" "0 2" "the machine is still off"
is "$(value pmMachinePowerState.1)" off "and is shown so"

# ---- somebody presses the button ----

guest_on box
seen 1 "on probe yes" "on again, by hand"
is "$(value pmMachineLastResult.1)" wakeNoResponse "what the last verb has come to is not changed by that"

lab_agent_stop
is "$LAB_STATUS" 0 "the agent ends well"
done_testing
