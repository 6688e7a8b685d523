#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# A BMC that does what it is told and does not say so, as one whose network goes down with the machine: what is observed
# counts, and nothing is sent again that was not looked for before.
# shellcheck disable=SC2119 # functions of the lab have optional arguments
set -u
# shellcheck source=tests/lab/lab.sh
. "$(dirname "$0")/../lab/lab.sh"
# shellcheck source=tests/integration/room.sh
. "$(dirname "$0")/room.sh"
lab_begin "$@"

{ lab_snmptrapd && lab_snmpd && lab_farm --count 1; } || bail_out "no farm"
farm bmc 1 power on >/dev/null
lab_agent_conf <<END
agent { name = "room"  poll-interval = 1s }
credentials "lab" { username = "$LAB_BMC_USER"  password-file = "$LAB_BMC_PASSWORD_FILE" }
machine "m1" {
  off-methods = { "bmc-soft", "bmc" }
  bmc { address = "127.1.0.1"  credentials = "lab"  timeout = 1s }
}
END
lab_agent || bail_out "no agent"
becomes pmMachinePowerState.1 on "the machine is on"

# silence OPTION...: to Chassis Control from now on.
silence() {
    farm bmc 1 code none >/dev/null
    farm bmc 1 code chassis-control=silence "$@" >/dev/null
    farm totals reset >/dev/null
    log_mark
}
asked() { farm_total chassis-control; }
asked_once() { (($(asked) >= 1)); }

# ---- a wish that was done: seen, and left alone then ----

silence done=yes
verb 1 powerOff ok "powerOff, done and not answered"
like "$(result_text 1)" '^off, observed by the BMC .*; the BMC had not confirmed the command$' "what was observed counts"
sent=$(asked)
farm bmc 1 power on >/dev/null
becomes pmMachinePowerState.1 on "somebody switches it on by its front panel"
polled=$(farm_total get-chassis-status)
more_polls() { (($(farm_total get-chassis-status) >= polled + 4)); }
wait_until "$WAIT_S" more_polls
is "$(asked) $(farm_stat 1 power)" "$sent on" "and it is left on"

# ---- a wish that was not done is sent again, once it was looked for ----

silence done=no times=5
verb 1 powerOff ok "powerOff, lost at first"
is "$(farm_stat 1 power)" off "is done in the end"
is "$(farm_count 'chassis-control=power-down .*power=on:off')" 2 "once, as the one before"

# ---- a graceful shutdown that was not answered is given its time, and no hard power off falls into it ----

farm bmc 1 power on >/dev/null
becomes pmMachinePowerState.1 on "the machine is on again"
farm bmc 1 set soft-time=4000 >/dev/null
silence done=yes
verb 1 shutdown ok "shutdown, not answered"
is "$(farm_count 'power-change=soft-shutdown power=on:off')" 1 "the operating system has shut down"
is "$(farm_count 'chassis-control=power-down .*power=on:off')" 2 "no hard power off fell into it"

# ---- one that is never answered and has no effect ends, as what it is ----

farm bmc 1 power on >/dev/null
becomes pmMachinePowerState.1 on "on once more"
silence done=no
verb 1 reset timeout "reset, not answered"
like "$(result_text 1)" 'may have been done and is not sent twice' "nobody knows"
is "$(asked)" 1 "it was sent once"

# ---- a BMC that dies with the command ----

silence done=no
put pmMachineCommand.1 powerOff >/dev/null
wait_until "$WAIT_S" asked_once
farm bmc 1 dead on >/dev/null
job_end 1
like "$(value pmMachineLastResult.1)" 'timeout|unreachable' "powerOff, and then the BMC is silent"
like "$(result_text 1)" 'it may have been done: look at the machine' "the text says what to do"
lab_agent_stop
is "$LAB_STATUS" 0 "the agent stops cleanly"
done_testing
