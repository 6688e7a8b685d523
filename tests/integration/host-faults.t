#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# What can go wrong with the operating system of a machine that is asked by SNMP to go down: it is another machine than the
# configuration says, its cable is pulled, it says that it goes and does not, the agent is killed in the middle.
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
lab_guest box lan --user pmstack --on || bail_out "no guest"
# conf UUID: of the machine.
conf() {
    host_agent_section
    host_section box "uuid = \"$1\"" | sed 's/off-timeout = 60s/off-timeout = 15s/'
}

# ---- another machine than the one in the configuration ----

conf 00000000-1111-4222-8333-444444444444 | lab_agent_conf
lab_agent || bail_out "no agent"
seen 1 "on probe yes" "the machine is on"
event 1 "UUID" "a UUID that is not the configured one is told"
verb 1 shutdown rejected "and the machine is not touched"
like "$(result_text 1)" "another machine" "because it is another machine"
is "$(guest_is_on box; echo $?) $(guest_count box 'guest: down')" "0 0" "it is on"
conf "$(guest_uuid box)" | lab_agent_conf
lab_agent_reload

# ---- its cable is pulled: not known is not off ----

guest_unplug box
seen 1 "unknown none no" "out of reach: nothing is known, and off is not guessed"
verb 1 shutdown unreachable "it cannot be asked to shut down"
is "$(guest_is_on box; echo $?)" 0 "it is on all the time"
guest_plug box
seen 1 "on probe yes" "in reach again: on"
event 1 "agrees with the configuration now" "and it is the machine of the corrected configuration: that is told, too"

# ---- it says that it goes down, and does not ----

guest_run box 'touch /run/hang'
verb 1 shutdown timeout "it has said that it goes down, and never did"
is "$(guest_count box 'guest: hangs')" 1 "it was asked once"
is "$(guest_is_on box; echo $?)" 0 "the machine is on"
isnt "$(value pmMachinePowerState.1)" off "and not shown off"
guest_run box 'rm /run/hang' || note "its shell is gone, too"
wait_until "$WAIT_S" guest_is_off box || guest_off box

# ---- the agent is killed between the request and the end ----

guest_on box
seen 1 "on probe yes" "the machine is on again"
put pmMachineCommand.1 shutdown >/dev/null
goes() { [[ $(guest_count box 'guest: down') == 2 ]]; }
wait_until "$WAIT_S" goes
# that it has agreed is known when its answer is there, which may take until its connection is lost
agreed() { [[ $(snmp_as reader bulkwalk -OvU pmJobStepState.1 | tail -n 1) =~ ^(verifying|succeeded)$ ]]; }
wait_until "$WAIT_S" agreed
lab_agent_kill
wait_until "$WAIT_S" guest_is_off box
lab_agent || bail_out "the agent does not start again"
seen 1 "off host no" "after its restart the machine is seen off: it had agreed"
job_end 1
is "$(value pmMachineLastResult.1)" ok "and the job has ended well"
is "$(guest_count box 'guest: down')" 2 "it was not asked again"
done_testing
