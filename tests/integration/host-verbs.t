#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# What only its operating system can do with a machine: sleep, reboot, change its runlevel; by SNMP, on a machine of its own
# which cannot hibernate. The agent comes as root here.
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

lab_snmpd || bail_out "no master agent"
lab_segment lan || bail_out "no segment"
lab_guest box lan --user root --on || bail_out "no guest"
{
    host_agent_section
    host_section box
} | lab_agent_conf
lab_agent || bail_out "no agent"
seen 1 "on probe yes" "the machine is on"
becomes pmNicArmed.1.1 disarmed "its NIC is not armed"

# ---- init N, and what is refused ----

row=1/ann/three
accepted "a job: init 3" operator $row RowStatus=createAndGo Action=init Scope=machine InitLevel=3
ends $row succeeded ok "it succeeds"
is "$(guest_count box 'guest: runlevel 3')" 1 "by the machine's own telinit, once"
is "$(value pmMachinePowerState.1)" on "and the machine is on"
row=1/ann/nine
job_set operator $row RowStatus=createAndGo Action=init Scope=machine InitLevel=9 >/dev/null
isnt $? 0 "init 9 is refused"

# ---- init 6 ----

id=$(boot_id box)
row=1/ann/six
accepted "a job: init 6" operator $row RowStatus=createAndGo Action=init Scope=machine InitLevel=6
ends $row succeeded ok "it succeeds when the machine is up again"
is "$(guest_boots box) $(guest_count box 'guest: down')" "2 1" "which has gone down in order, and started once"
isnt "$(boot_id box)" "$id" "with another boot id"

# ---- hibernate, which it cannot ----

verb 1 hibernate ok "hibernate: it is switched off instead"
like "$(result_text 1)" "cannot .*off instead.*Wake-on-LAN" "and the result says so"
is "$(guest_is_off box; echo $?) $(guest_count box 'reboot: Power down')" "0 1" "it has shut down in order"
seen 1 "off host no" "and is seen off, not suspended"
verb 1 wake ok "it was left armed: it can be woken"

# ---- reboot ----

id=$(boot_id box)
verb 1 reboot ok "reboot"
isnt "$(boot_id box)" "$id" "another boot id"
is "$(guest_boots box) $(machine_boots box)" "4 2" "it has started once more, and its power was never off"

# ---- suspend to memory ----

id=$(boot_id box)
verb 1 suspend ok "suspend"
is "$(guest_is_suspended box; echo $?)" 0 "the machine is suspended: QEMU says so"
seen 1 "suspended host no" "and is seen so"
is "$(value pmNicArmed.1.1)" armed "its NIC was armed before, unasked"
before=$(woken box)
verb 1 wake ok "wake"
ok $(($(woken box) <= before)) "by a magic packet"
seen 1 "on probe yes" "it is on"
is "$(boot_id box) $(guest_boots box)" "$id 4" "in the same boot"
event 1 "resumed" "and that is told"
done_testing
