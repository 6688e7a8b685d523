#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# A machine with both, an operating system that can be asked and a BMC: who switches it off when one of them cannot. The
# machine is of QEMU, with Debian's kernel; ipmi_sim has the power of it.
# shellcheck disable=SC2016,SC2119 # what the guest's shell expands; functions of the lab have optional arguments
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
lab_guest box lan --user root --bmc --on || bail_out "no guest"
{
    host_agent_section
    printf 'credentials "lab" { username = "%s"  password-file = "%s"  cipher-suites = { 3 } }\n' "$LAB_BMC_USER" "$LAB_BMC_PASSWORD_FILE"
    host_section box "bmc { address = \"$(bmc_address box)\"  credentials = \"lab\" }" | sed 's/off-timeout = 60s/off-timeout = 12s/'
} | lab_agent_conf
lab_agent || bail_out "no agent"
seen 1 "on bmc yes" "the machine is on: the BMC says so, and its operating system answers"

# off NAME STEPS: shutdown of the machine alone succeeds, by these steps; what comes after one that did it is not needed.
off() {
    row=1/ann/$1
    accepted "a job: shutdown" operator "$row" RowStatus=createAndGo Action=shutdown Scope=machine
    ends "$row" succeeded ok "$1: it succeeds"
    is "$(job_steps "$row" Action Result | paste -sd,)" "$2" "$1: by these steps" || diag "$(job_steps "$row" Action Text)"
    seen 1 "off bmc no" "$1: the BMC says that it is off"
}
up() {
    verb 1 powerOn ok "powerOn: the BMC starts it"
    guest_wait_up box
    seen 1 "on bmc yes" "its operating system is up"
}

# ---- all is well: the operating system is asked, and the BMC is not ----

off asked "hostShutdown ok,bmcSoftShutdown alreadyInState,bmcPowerDown alreadyInState"
is "$(guest_count box 'guest: button')" 0 "nobody has pressed a button"
up

# ---- nobody answers by ssh: the power button ----

guest_run box 'mv /usr/sbin/sshd /tmp; kill $(pidof sshd)'
off button "hostShutdown unreachable,bmcSoftShutdown ok,bmcPowerDown alreadyInState"
is "$(guest_count box 'guest: button')" 1 "the power button was pressed once"
is "$(guest_count box 'guest: down')" 2 "and it has gone down in order"
up

# ---- it goes down and never gets there: the power is cut ----

guest_run box 'touch /run/hang'
off cut "hostShutdown timeout,bmcSoftShutdown timeout,bmcPowerDown ok"
is "$(guest_count box 'reboot: Power down')" 2 "this time it has not gone down by itself"
done_testing
