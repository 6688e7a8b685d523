#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# How the agent asks many BMCs: all at once after a start and on SIGUSR2, then spread over the interval; the dead hold up
# nobody, and jobs go first.
# shellcheck disable=SC2119 # functions of the lab have optional arguments
set -u
# shellcheck source=tests/lab/lab.sh
. "$(dirname "$0")/../lab/lab.sh"
# shellcheck source=tests/integration/room.sh
. "$(dirname "$0")/room.sh"
lab_begin "$@"

BMCS=600

# ---- given: a farm, and an agent that polls it rarely ----

{ lab_snmptrapd && lab_snmpd && lab_farm --count $BMCS; } || bail_out "no farm"
# conf INTERVAL [MACHINES]
conf() {
    cat <<END
agent { name = "room"  poll-interval = $1  power-interval = 0 }
credentials "lab" { username = "$LAB_BMC_USER"  password-file = "$LAB_BMC_PASSWORD_FILE" }
END
    awk -v count="${2:-$BMCS}" 'BEGIN { for (i = 1; i <= count; i++)
        printf "machine \"m%03d\" { bmc { address = \"127.1.%d.%d\"  credentials = \"lab\"  timeout = 4s } }\n", i, i / 256, i % 256 }'
}
# swept REGEX NAME: the line at the end of a sweep, left in $line.
swept() {
    wait_until "$WAIT_S" logged "asked .*BMC"
    line=$(log_lines | grep -m 1 'asked .*BMC')
    like "$line" "$1" "$2"
}
sweep() {
    log_mark
    farm totals reset >/dev/null
    lab_signal pmstackd USR2
}

: >"$LAB/log/pmstackd.log"
log_mark
conf 1d | lab_agent_conf # 600 in a day: next to none is asked by its own clock meanwhile
lab_agent || bail_out "no agent"
swept "asked $BMCS BMCs: $BMCS answered, 0 did not, in [0-9.]+ s\$" "after a start all BMCs are asked at once"
is "$(value pmAgentMachinesOff.1)" "$BMCS" "and all states are known"

# ---- SIGUSR2 ----

# Each column is a walk of its own.
sum_of() { snmp_as reader bulkwalk -OvU -Cr25 "$1" | awk '{ sum += $1 } END { print sum + 0 }'; }
opened=$(farm_total opened)
again=$(sum_of pmBmcRetransmits)
sweep
swept "asked $BMCS BMCs: $BMCS answered, 0 did not" "SIGUSR2: all are asked again, with an interval of a day"
again=$(($(sum_of pmBmcRetransmits) - again)) # a busy machine may answer late
is "$(farm_total opened)" 0 "in the sessions that there are"
is "$(farm_total status-bmcs)" "$BMCS" "each of them"
polls=$(farm_total get-chassis-status)
ok $((polls < BMCS || polls > BMCS + again)) "once: $polls questions, $again of them said to be repeated"
isnt "$opened" 0 "sessions had been opened before"
farm bmc 1-600 power on >/dev/null
sweep
swept 'answered' "changes behind the agent's back"
is "$(value pmAgentMachinesOn.1)" "$BMCS" "are known at the end of a sweep"

# ---- the dead ----

sweep
swept "$BMCS answered" "a sweep of the living"
living_s=$(sed -E 's/.* in ([0-9.]+) s.*/\1/' <<<"$line")
farm bmc 1-60 dead on >/dev/null
sweep
swept "asked $BMCS BMCs: 540 answered, 60 did not, in [0-9.]+ s; the last of those was given up after [4-9]" "with sixty dead"
with_dead_s=$(sed -E 's/.* in ([0-9.]+) s.*/\1/' <<<"$line")
diag "all living were known after $living_s s, beside sixty dead after $with_dead_s s"
awk -v a="$living_s" -v b="$with_dead_s" 'BEGIN { exit !(b < a + 2) }'
ok $? "the living did not wait for the dead"
sweep
put pmMachineCommand.600 reset >/dev/null
start_ms=$(tap_now_ms)
job_end 600
took_ms=$(($(tap_now_ms) - start_ms))
is "$(value pmMachineLastResult.600)" ok "a verb in the middle of a sweep"
diag "took $took_ms ms"
logged 'asked .*BMC'
isnt $? 0 "is done while the dead are still waited for"
swept '540 answered, 60 did not' "the sweep goes on to its end"

# Five hundred that nobody knew to be dead, before the hundred that live.
lab_agent_stop
farm bmc 1-500 dead on >/dev/null
log_mark
lab_agent || bail_out "no agent"
swept "asked $BMCS BMCs: 100 answered, 500 did not" "a start with five hundred dead"
awk -v took="$(sed -E 's/.* in ([0-9.]+) s.*/\1/' <<<"$line")" 'BEGIN { exit !(took < 3.8) }'
ok $? "the living are known before one dead is given up: $line"
farm bmc all dead off >/dev/null

# ---- spread over the interval ----

lab_agent_stop
conf 4s | lab_agent_conf
log_mark
lab_agent || bail_out "no agent"
swept "$BMCS answered" "a start with an interval of 4 s"
farm totals reset >/dev/null
polled() { (($(farm stat all | grep -Ec ' polls=[2-9]') == BMCS)); } # each, twice
wait_until "$WAIT_S" polled
ok $? "each is polled again and again"
gaps=$(farm gaps)
gap_ms=$(grep -o 'gaps-median-ms=[0-9]*' <<<"$gaps")
ok $((${gap_ms#*=} < 3500 || ${gap_ms#*=} > 4500)) "once an interval" || diag "$gaps"
log_mark
lab_signal pmstackd USR1
wait_until "$WAIT_S" logged 'summary: polls since the start: [0-9]+, late p50 [0-9.]+ ms, p99 [0-9.]+ ms, at most [0-9.]+ ms; since the last summary: [0-9]+,'
ok $? "SIGUSR1 tells how late polls were"
late=$(log_lines | grep -o 'polls since.*')
diag "$late"
late_ms=$(sed -E 's/.*at most ([0-9]+).*/\1/' <<<"$late")
# By the clock of the farm, which does not wait for this script. An agent that came late makes up for it at once.
most=$(farm stat all | sed -E 's/.* first-status=([0-9]+)\.([0-9]{3}).*/\1\2/' | sort -n |
    awk '{ at[NR] = $1; while (at[NR] - at[from + 1] >= 400) from++; if (NR - from > most) most = NR - from } END { print most }')
((most > 0 && most <= BMCS / 4 + BMCS * late_ms / 4000))
ok $? "never many at once: at most $most of $BMCS in a tenth of the interval, by an agent that was late by $late_ms ms"

# ---- a reload disturbs nobody ----

conf 1d | lab_agent_conf
lab_agent_stop
farm bmc all expire >/dev/null # what was left of those that were dead when the agent stopped
log_mark
lab_agent || bail_out "no agent"
swept "$BMCS answered" "with an interval of a day"
farm totals reset >/dev/null
conf 1d $((BMCS - 1)) | lab_agent_conf
log_mark
lab_agent_reload
wait_until "$WAIT_S" logged '599 machines'
conf 1d | lab_agent_conf
log_mark
lab_agent_reload
swept 'asked 1 BMC: 1 answered, 0 did not' "a reload that adds one asks one"
polls=$(farm_total get-chassis-status) # spread over the day, one of the others may be due just now
ok $((polls <= 3 ? 0 : 1)) "and leaves the others alone: $polls polls"
lab_agent_stop
is "$LAB_STATUS" 0 "the agent stops cleanly"
is "$(farm_total sessions)" 0 "and leaves no session open"
done_testing
