#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Hibernation by SNMP, of a machine that can: its memory is on its disk and its power off, it is shown suspended and not off,
# and a magic packet brings back what ran on it.
# shellcheck disable=SC2119 # functions of the lab have optional arguments
set -u
# shellcheck source=tests/lab/lab.sh
. "$(dirname "$0")/../lab/lab.sh"
# shellcheck source=tests/integration/room.sh
. "$(dirname "$0")/room.sh"
# shellcheck source=tests/integration/hosts.sh
. "$(dirname "$0")/hosts.sh"
lab_begin "$@"

lab_snmpd || bail_out "no master agent"
lab_segment lan || bail_out "no segment"
lab_guest box lan --disk --on || bail_out "no guest"
{
    host_agent_section
    host_section box
} | lab_agent_conf
lab_agent || bail_out "no agent"
seen 1 "on probe yes" "the machine is on"
becomes pmNicArmed.1.1 disarmed "its NIC is not armed"
id=$(boot_id box)
guest_run box 'echo unsaved >/run/work'

verb 1 hibernate ok "hibernate"
unlike "$(result_text 1)" "off instead" "it is not switched off instead"
is "$(guest_is_off box; echo $?)" 0 "the machine has no power"
ok "$(guest_said box 'PM: Image saving done'; echo $?)" "its memory is on its disk"
seen 1 "suspended host no" "it is shown suspended"
is "$(value pmNicArmed.1.1)" armed "its NIC was armed before, unasked"

verb 1 wake ok "wake"
is "$(machine_boots box) $(guest_count box 'PM: hibernation: hibernation exit')" "2 1" "it has been switched on, and taken up what was saved"
seen 1 "on probe yes" "it is on"
is "$(boot_id box) $(guest_boots box) $(guest_run box 'cat /run/work')" "$id 1 unsaved" "in the same boot, with what was in its memory"
event 1 "resumed" "and that is told"
done_testing
