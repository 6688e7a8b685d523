#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# pmMachinePowerWatts: what BMCs measure, as long as it holds; those that do not measure are left in peace.
# shellcheck disable=SC2119 # functions of the lab have optional arguments
set -u
# shellcheck source=tests/lab/lab.sh
. "$(dirname "$0")/../lab/lab.sh"
# shellcheck source=tests/integration/room.sh
. "$(dirname "$0")/room.sh"
lab_begin "$@"

# ---- given: one that measures, one without DCMI, one that is asked never, one that is asked rarely ----

{ lab_snmptrapd && lab_snmpd && lab_farm --count 5 --slots 32; } || bail_out "no farm"
farm bmc all power on >/dev/null
farm bmc all set watts=250 watts-off=9 >/dev/null
farm bmc 2 code dcmi-get-power-reading=0xc1 >/dev/null
conf() {
    cat <<END
agent { name = "room"  poll-interval = 1s  misses = 2  power-interval = ${1:-1s} }
credentials "lab" { username = "$LAB_BMC_USER"  password-file = "$LAB_BMC_PASSWORD_FILE" }
credentials "watch" { username = "$LAB_BMC_USER"  password-file = "$LAB_BMC_PASSWORD_FILE"  privilege = "user" }
machine "m1" { bmc { address = "127.1.0.1"  credentials = "lab"  timeout = 500ms } }
machine "m2" { bmc { address = "127.1.0.2"  credentials = "lab"  timeout = 500ms } }
machine "m3" { bmc { address = "127.1.0.3"  credentials = "lab"  timeout = 500ms  power-interval = 0 } }
machine "m4" { bmc { address = "127.1.0.4"  credentials = "lab"  timeout = 500ms  power-interval = 1h } }
machine "m5" { bmc { address = "127.1.0.5"  credentials = "watch"  timeout = 500ms } }
END
}
readings() { farm_total dcmi-get-power-reading; }
watts() { value "pmMachinePowerWatts.$1"; }
polls_are() { (($(farm_total get-chassis-status) >= $1)); }
# polled N: by about N polls of each.
polled() {
    farm totals reset >/dev/null
    wait_until "$WAIT_S" polls_are $(($1 * 5))
}
conf | lab_agent_conf
lab_agent || bail_out "no agent"

# ---- what is measured ----

becomes pmMachinePowerWatts.1 250 "a BMC that measures"
becomes pmMachinePowerWatts.5 250 "the right to watch is enough"
becomes pmMachinePowerWatts.4 250 "one that is asked once an hour"
becomes pmMachinePowerState.2 on "one without DCMI is on"
farm bmc 1 set watts=317 >/dev/null
becomes pmMachinePowerWatts.1 317 "a new reading"
polled 3
like "$(watts 2)" 'No Such Instance' "no instance where nothing measures"
like "$(watts 3)" 'No Such Instance' "nor where power-interval = 0"
is "$(snmp_as reader walk pmMachinePowerWatts 2>/dev/null | paste -sd,)" \
    "pmMachinePowerWatts.1 317 watts,pmMachinePowerWatts.4 250 watts,pmMachinePowerWatts.5 250 watts" \
    "a walk has those that are measured"

# ---- how often it is asked for ----

polled 5
per_poll=$(readings)
polls=$(farm_total get-chassis-status)
((per_poll >= polls * 2 / 5 - 4 && per_poll <= polls * 2 / 5 + 4))
ok $? "two of five are asked with every poll: $per_poll readings beside $polls polls"

# ---- one odd answer, and one BMC that ignores the question ----

farm bmc 1 code dcmi-get-power-reading=0xff times=1 >/dev/null
polled 3
is "$(watts 1)" 317 "one error does not take a reading away"
farm bmc 5 code dcmi-get-power-reading=silence >/dev/null
becomes pmMachinePowerWatts.5 'No Such Instance currently exists at this OID' "one that is silent to it no longer measures"
polled 4 # three silences are enough
opened=$(farm_count 'bmc=5 session-opened')
polled 4
is "$(farm_count 'bmc=5 session-opened')" "$opened" "and keeps its session, as it is asked no more"
farm bmc 5 code none >/dev/null

# ---- a refusal holds for a session ----

farm bmc 2 code none >/dev/null
polled 3
like "$(watts 2)" 'No Such Instance' "a BMC that has refused is left in peace"
farm bmc 2 expire >/dev/null
becomes pmMachinePowerWatts.2 250 "but asked in the next session"

# ---- as long as it holds ----

farm bmc 4 power off >/dev/null
becomes pmMachinePowerWatts.4 9 "a machine that was switched off: measured anew, not after an hour"
farm bmc 1 dead on >/dev/null
becomes pmBmcStatus.1 unreachable "a BMC that is away"
like "$(watts 1)" 'No Such Instance' "does not measure"
farm bmc 1 dead off >/dev/null
becomes pmMachinePowerWatts.1 317 "it is back"
farm bmc 1 code dcmi-get-power-reading=0xff >/dev/null
becomes pmMachinePowerWatts.1 "$(watts 3)" "a BMC that no longer can: no instance"

# ---- never ----

conf 0 | lab_agent_conf
log_mark
lab_agent_reload
wait_until "$WAIT_S" logged '5 machines'
like "$(watts 5)" 'No Such Instance' "power-interval = 0 after a reload: no instance at once"
like "$(watts 4)" '^9$' "but where the BMC has an interval of its own"
polled 3
is "$(readings)" 0 "and nobody is asked"
lab_agent_stop
is "$LAB_STATUS" 0 "the agent stops cleanly"
done_testing
