#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# When a BMC counts as down and as up again: after as many misses as configured, told once, whatever the network does, and
# a thousand that go at once are a few lines in the log.
# shellcheck disable=SC2119 # functions of the lab have optional arguments
set -u
# shellcheck source=tests/lab/lab.sh
. "$(dirname "$0")/../lab/lab.sh"
# shellcheck source=tests/integration/room.sh
. "$(dirname "$0")/room.sh"
lab_begin "$@"

# ---- given: BMCs polled every second; the first machines have numbers of misses of their own ----

{ lab_snmptrapd && lab_snmpd && lab_farm --count 250; } || bail_out "no farm"
farm bmc all power on >/dev/null
own_password() { lab_agent_secret own "$1" >/dev/null; }
own_password "$(<"$LAB_BMC_PASSWORD_FILE")"
lab_agent_conf <<END
agent { name = "room"  poll-interval = 1s  misses = 4  power-interval = 0 }
credentials "lab" { username = "$LAB_BMC_USER"  password-file = "$LAB_BMC_PASSWORD_FILE" }
credentials "own" { username = "$LAB_BMC_USER"  password-file = "$LAB/etc/own" }
machine "m1" { bmc { address = "127.1.0.1"  credentials = "own"  timeout = 500ms  misses = 1 } }
machine "m2" { bmc { address = "127.1.0.2"  credentials = "lab"  timeout = 500ms } }
machine "m3" { bmc { address = "127.1.0.3"  credentials = "lab"  timeout = 500ms  misses = 1 } }
machine "m4" { bmc { address = "127.1.0.4"  credentials = "lab"  timeout = 500ms  misses = 1  poll-interval = 1h } }
machine "lossy[11-40]" { bmc { address = "127.1.0.[11-40]"  credentials = "lab"  timeout = 5s  misses = 2 } }
machine "many[51-250]" { bmc { address = "127.1.0.[51-250]"  credentials = "lab"  timeout = 500ms  misses = 2 } }
END
lab_agent || bail_out "no agent"
becomes pmAgentMachinesOn.1 234 "all are on"

# ---- how many misses ----

trap_mark
start_ms=$(tap_now_ms)
farm bmc 1,2 dead on >/dev/null
told 'pmBmcDown.*pmMachineName.1 ' "misses = 1: down"
is "$(value pmBmcStatus.2) $(value pmMachinePowerState.2)" "ok on" "while with misses = 4 nothing is known yet"
like "$(trap_value "$told" pmNotifyText.0)" '^m1: BMC 127.1.0.1:623 did not answer' "the text begins with the machine's name"
told 'pmBmcDown.*pmMachineName.2 ' "misses = 4: down"
((took_ms = $(tap_now_ms) - start_ms))
((took_ms > 4000))
ok $? "after four misses of half a second, a second apart ($took_ms ms)"
is "$(value pmBmcStatus.2) $(value pmMachinePowerState.2)" "unreachable unknown" "and its state is unknown"

# ---- back: shown at once, told when it answers a second time ----

trap_mark
farm bmc 1,2 dead off >/dev/null
becomes pmMachinePowerState.2 on "one answer shows the state"
told 'pmBmcUp.*pmMachineName.2 ' "pmBmcUp"
told 'pmPowerStateChange.*pmMachinePowerState.2 = on' "and the state is told"
told 'pmBmcUp.*pmMachineName.1 ' "pmBmcUp of the other"

# ---- an odd answer is no outage; many are, and it is said why ----

trap_mark
farm bmc 2 code get-chassis-status=0xff times=2 >/dev/null
becomes pmBmcStatus.2 error "an error instead of the status is shown"
becomes pmBmcStatus.2 ok "until it is over"
is "$(trap_count 'pmMachineName.2 ') $(value pmMachinePowerState.2)" "0 on" "and changes nothing"
log_mark
farm bmc 2 full on >/dev/null
farm bmc 2 expire >/dev/null
told 'pmPowerStateChange.*pmMachinePowerState.2 = unknown' "a BMC that has no session free for as long is lost"
logged 'm2: power state unknown, was on \(m2: BMC 127.1.0.2:623 .*session'
ok $? "the log says why"
farm bmc 2 full off >/dev/null
told 'pmBmcUp.*pmMachineName.2 ' "until it has"

# ---- one that comes and goes ----

trap_mark
for _ in 1 2 3 4 5 6; do
    farm bmc 3 dead on >/dev/null
    becomes pmBmcStatus.3 unreachable "gone"
    farm bmc 3 dead off >/dev/null
    becomes pmBmcStatus.3 ok "there"
done
(($(trap_count 'pmBmcDown.*pmMachineName.3 ') <= 3))
ok $? "gone and there six times: $(trap_count 'pmBmcDown.*pmMachineName.3 ') pmBmcDown"
(($(trap_count 'pmBmcUp.*pmMachineName.3 ') <= 2))
ok $? "and $(trap_count 'pmBmcUp.*pmMachineName.3 ') pmBmcUp"
(($(trap_count 'pmPowerStateChange.*pmMachineName.3 ') <= 5))
ok $? "and $(trap_count 'pmPowerStateChange.*pmMachineName.3 ') changes of state"
told 'pmBmcUp.*pmMachineName.3 ' "when it stays, pmBmcUp"
is "$(value pmMachinePowerState.3)" on "its state"

# ---- loss is no outage ----

trap_mark
farm bmc 11-40 fault loss=30 >/dev/null
farm totals reset >/dev/null
polled() { (($(farm_total get-chassis-status) >= $1)); }
wait_until "$WAIT_S" polled 1500
farm bmc 11-40 fault none >/dev/null
becomes pmAgentNotifyPending.1 0 "all is told"
is "$(trap_count 'pmBmcDown')" 0 "30 % of all packets of thirty BMCs are lost: none is down"

# ---- a session that the BMC forgot, in the middle of an hour ----

farm bmc 4 expire >/dev/null
log_mark
lab_signal pmstackd USR2
wait_until "$WAIT_S" logged 'asked'
is "$(value pmBmcStatus.4) $(value pmBmcSessions.4)" "ok 2" "a BMC that forgot the session is not missed: there is another one"

# ---- a switch fails ----

trap_mark
log_mark
farm bmc 51-250 dead on >/dev/null
becomes pmAgentMachinesUnknown.1 200 "two hundred BMCs die at once"
all_told() { (($(trap_count "$1") == 200)); }
wait_until "$WAIT_S" all_told pmBmcDown
is "$(trap_count pmBmcDown)" 200 "each is told"
wait_until "$WAIT_S" logged '[0-9]+ more BMCs are down: many[0-9]+'
ok $? "the log summarizes"
(($(logged_count 'error: .*did not answer') <= 30))
ok $? "it has $(logged_count 'error: .*did not answer') lines in full"
is "$(value pmEventKind.234.1) $(value pmEventKind.234.2) $(value pmEventKind.234.3)" "powerState bmcDown powerState" "and the histories are whole"
trap_mark
log_mark
farm bmc 51-250 dead off >/dev/null
becomes pmAgentMachinesUnknown.1 0 "they are back"
wait_until "$WAIT_S" all_told pmBmcUp
is "$(trap_count pmBmcUp)" 200 "each is told"

# ---- told once, whatever happens to the agent: a reload ----

trap_mark
own_password wrong
lab_agent_reload
told 'pmBmcDown.*pmMachineName.1 .*password' "a wrong password: down"
trap_mark
log_mark
own_password "still wrong"
lab_agent_reload
wait_until "$WAIT_S" logged 'm1: .*password'
ok $? "another wrong one: the log says so"
own_password "$(<"$LAB_BMC_PASSWORD_FILE")"
lab_agent_reload
told 'pmBmcUp.*pmMachineName.1 ' "the right one: pmBmcUp"
is "$(trap_count 'pmBmcDown.*pmMachineName.1 ')" 0 "down was told once"

# ---- and a restart ----

farm bmc 2 dead on >/dev/null
told 'pmBmcDown.*pmMachineName.2 ' "down"
lab_agent_stop
trap_mark
lab_agent || bail_out "no agent"
becomes pmBmcStatus.2 unreachable "down still"
farm bmc 2 dead off >/dev/null
told 'pmBmcUp.*pmMachineName.2 ' "up again"
told 'pmPowerStateChange.*pmMachinePowerState.2 = on' "and the state is told"
is "$(trap_count 'pmBmcDown.*pmMachineName.2 ') $(trap_count 'pmPowerStateChange.*pmMachineName.2 ')" "0 1" "down was told once"
lab_agent_stop
is "$LAB_STATUS" 0 "the agent stops cleanly"
done_testing
