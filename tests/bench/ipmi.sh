#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# The IPMI engine on a farm of simulated BMCs (tests/sim), beside ipmipower on the same farm: sweeps of all BMCs, a storm
# of power-on commands, ten thousand BMCs for minutes, and commands over a network that loses packets.
#
# BENCH_SECONDS: how long the ten thousand are watched (300).
# shellcheck disable=SC2119,SC2317 # functions of the lab have optional arguments, and call ours by name
set -u
BENCH=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/lab/lab.sh
. "$BENCH/../lab/lab.sh"
# shellcheck source=tests/bench/lib.sh
. "$BENCH/lib.sh"

BMCS=${BMCS:-1000}
DEAD=100
MANY=10000
TIMES=3
LOSS=30
WATCH_S=${BENCH_SECONDS:-300}
SUITE=17
WAIT_S=120
UNKNOWN_MACHINES=$PM_ROOT_OID.1.1.1.8.1
MACHINES_ON=$PM_ROOT_OID.1.1.1.6.1
JOBS_ACTIVE=$PM_ROOT_OID.1.1.1.11.1
LAST_RESULT=$PM_ROOT_OID.1.2.1.10
GROUP_COMMAND=$PM_ROOT_OID.1.8.1.6.3.97.108.108 # of the group "all"
POWER_ON=2 POWER_OFF=5 RESET=8                  # PmCommand
RESULT_OK=ok                                    # PmResult

# ---- the farm, and who asks it ----

# agent_conf COUNT POLL_INTERVAL
agent_conf() {
    {
        bench_farm_conf "$1" "$2" "$SUITE"
        printf 'group "all" { members = { "m[00001-%05d]" } }\n' "$1"
    } | lab_agent_conf
}

peer_conf() {
    lab_secret "$LAB/etc/ipmipower.conf" "driver-type LAN_2_0
cipher-suite-id $SUITE
username $LAB_BMC_USER
password $(cat "$LAB_BMC_PASSWORD_FILE")"
    PEER_HOSTS=$(bench_farm_ranges "$BMCS" | cut -d' ' -f3 | paste -sd,)
}

# peer OPTION STATE COUNT: ipmipower, which must say STATE of so many; took_s is its time.
peer() {
    local began=$EPOCHREALTIME said
    ipmipower --config-file="$LAB/etc/ipmipower.conf" -h "$PEER_HOSTS" "$1" >"$LAB/run/ipmipower" 2>&1
    took_s=$(bench_seconds_since "$began")
    said=$(grep -c ": $2\$" "$LAB/run/ipmipower")
    ((said == $3)) || bench_die "ipmipower $1 says $2 of $said BMCs, not of $3: $(head -n 1 "$LAB/run/ipmipower")"
}

# until_is OBJECT VALUE: waits until the agent says so; took_s is the time since $began.
until_is() {
    local got
    got=$(bench_as bench "$READER" "$LAB_SNMPD_ADDRESS" wait "$1" "$WAIT_S" "$2") || bench_die "not within $WAIT_S s"
    took_s=$(bench_calculate "${got% *} - $began" %.6f)
}

# The agent with an empty history, from before the exec until it counts VALUE machines as unknown.
start_cold() {
    rm -rf "$LAB/state/pmstackd"
    install -d -m 700 -o "$LAB_AGENT_USER" "$LAB/state/pmstackd"
    began=$EPOCHREALTIME
    lab_spawn pmstackd "$PROGRAM" -c "$LAB/etc/pmstackd.conf" -x "$LAB_AGENTX" -s "$LAB/state/pmstackd" -L err -u "$LAB_AGENT_USER"
    until_is "$UNKNOWN_MACHINES" "$1"
}

# All BMCs are asked now, in the sessions that are open; took_s is the time from the signal until the agent says so.
sweep_kept() {
    local before=$(($(grep -c ': asked ' "$LAB/log/pmstackd.log") + 1)) began
    began=$EPOCHREALTIME
    lab_signal pmstackd USR2
    until (($(grep -c ': asked ' "$LAB/log/pmstackd.log") >= before)); do
        (($(bench_calculate "$EPOCHREALTIME - $began" %.0f) < WAIT_S)) || bench_die "the sweep does not end"
    done
    took_s=$(bench_seconds_since "$began")
    grep ': asked ' "$LAB/log/pmstackd.log" | tail -n 1 | grep -q "asked $BMCS BMCs: $BMCS answered" ||
        bench_die "$(grep ': asked ' "$LAB/log/pmstackd.log" | tail -n 1)"
}

# packets_per_bmc: both ways, since `farm totals reset`.
packets_per_bmc() { bench_calculate "($(farm_total in) + $(farm_total out)) / $BMCS"; }

quiet() {
    bench_settle pmstackd
    farm totals reset >/dev/null
}

# ---- sweeps ----

measure_sweeps() {
    local i cold=() kept=() stat=() packets
    for ((i = 0; i < TIMES; i++)); do
        farm totals reset >/dev/null
        peer --stat off "$BMCS"
        stat+=("$took_s")
        packets=$(packets_per_bmc)
        farm totals reset >/dev/null
        start_cold 0
        cold+=("$took_s")
        bench_settle pmstackd
        farm totals reset >/dev/null
        sweep_kept
        kept+=("$took_s")
        packets_kept=$(packets_per_bmc)
        lab_agent_stop
    done
    stat_s=$(bench_median "${stat[@]}") cold_s=$(bench_median "${cold[@]}")
    bench_report "ipmi.sweep.cold" "$cold_s" s "$BMCS" "ipmipower --stat" "$stat_s"
    bench_report "ipmi.sweep.kept" "$(bench_median "${kept[@]}")" s "$BMCS" "ipmipower --stat" "$stat_s"
    bench_report "ipmi.packets.poll.kept" "$packets_kept" packets/BMC "$BMCS" "ipmipower --stat" "$packets"
}

# Until all that live are known.
measure_dead() {
    local i dead=() every=$((BMCS / DEAD)) range
    range=$(seq -s, "$every" "$every" "$BMCS")
    farm bmc "$range" dead on >/dev/null
    for ((i = 0; i < TIMES; i++)); do
        start_cold "$DEAD"
        dead+=("$took_s")
        lab_agent_stop
    done
    bench_report "ipmi.sweep.dead" "$(bench_median "${dead[@]}")" s "$BMCS" "the same without the dead" "$cold_s"
    peer --stat off $((BMCS - DEAD))
    bench_report "ipmi.sweep.dead.ipmipower" "$(bench_median "${dead[@]}")" s "$BMCS" "ipmipower --stat" "$took_s"
    farm bmc "$range" dead off >/dev/null
}

# ---- commands ----

# command_all VERB: one varbind for all; $began is when it was sent.
command_all() {
    began=$EPOCHREALTIME
    snmp_as operator set "$GROUP_COMMAND" i "$1" >/dev/null || bench_die "the group's command is refused"
}

# From $began until the last line of the farm's log that matches.
last_effect_s() {
    farm_log "$1" | tail -n 1 | cut -d' ' -f1 | awk -v began="$began" '{ printf "%.6f", $1 - began }'
}

measure_storm() {
    local wire done_s
    start_cold 0
    quiet
    command_all "$POWER_ON"
    until_is "$MACHINES_ON" "$BMCS"
    done_s=$took_s
    wire=$(last_effect_s 'chassis-control=power-up')
    farm bmc all power off >/dev/null
    peer --on ok "$BMCS"
    bench_report ipmi.storm.sent "$wire" s "$BMCS" "ipmipower --on" "$took_s"
    bench_report ipmi.storm.observed "$done_s" s "$BMCS" "ipmipower --on" "$took_s"
    lab_agent_stop
    farm bmc all power off >/dev/null
}

jobs_over() { [[ $(snmp_as operator get -OvU "$JOBS_ACTIVE" 2>/dev/null) == 0 ]]; }

# effects REGEX: how many BMCs have how many lines in the farm's log, from line $log_from on, as "BMCS TIMES" lines.
effects() {
    tail -n "+$log_from" "$LAB/log/farm.log" | grep -E -- "$1" | grep -Eo 'bmc=[0-9]+' | sort | uniq -c |
        awk '{ n[$1]++ } END { for (times in n) print n[times], times }'
}

# lossy NAME VERB EFFECT: to all, over a network that loses; then what the farm has seen, and what the results are.
lossy() {
    local once more
    log_from=$(($(wc -l <"$LAB/log/farm.log") + 1))
    command_all "$2"
    wait_until 900 jobs_over || bench_die "jobs are still active"
    took_s=$(bench_seconds_since "$began")
    once=$(effects "$3" | awk '$2 == 1 { n += $1 } END { print n + 0 }')
    more=$(effects "$3" | awk '$2 > 1 { n += $1 } END { print n + 0 }')
    bench_report "ipmi.loss.$1.once" "$once" machines "$BMCS"
    bench_report "ipmi.loss.$1.twice" "$more" machines "$BMCS"
    # with those that came again to a machine that was there already
    bench_report "ipmi.loss.$1.told" "$(tail -n "+$log_from" "$LAB/log/farm.log" | grep -c chassis-control=)" commands "$BMCS"
    snmp_as operator bulkwalk -Ov "$LAST_RESULT" >"$LAB/run/results"
    bench_report "ipmi.loss.$1.ok" "$(grep -cx "$RESULT_OK" "$LAB/run/results")" jobs "$BMCS"
    bench_report "ipmi.loss.$1.time" "$took_s" s "$BMCS"
}

measure_loss() {
    start_cold 0
    bench_settle pmstackd
    farm bmc all fault "loss=$LOSS" >/dev/null
    lossy on "$POWER_ON" 'chassis-control=.* power=off:on'
    lossy off "$POWER_OFF" 'chassis-control=.* power=on:off'
    farm bmc all fault none >/dev/null
    farm bmc all power on >/dev/null
    began=$EPOCHREALTIME
    lab_signal pmstackd USR2
    until_is "$MACHINES_ON" "$BMCS"
    farm bmc all fault "loss=$LOSS" >/dev/null
    lossy reset "$RESET" 'chassis-control=hard-reset'
    farm bmc all fault none >/dev/null
    lab_agent_stop
}

# ---- ten thousand ----

# How late polls were, of the last summary in the log: p99 and the worst, in ms.
summary() {
    sed -n 's/.*since the last summary: .*p99 \([0-9.]*\) ms, at most \([0-9.]*\) ms.*/\1 \2/p' "$LAB/log/pmstackd.log" | tail -n 1
}

measure_many() {
    local ticks percent polls p99 max gaps
    agent_conf "$MANY" 30s
    start_cold 0
    bench_report ipmi.many.cold "$took_s" s "$MANY"
    sleep 60 # until every detail has been asked for, and the polls are apart
    lab_signal pmstackd USR1
    farm totals reset >/dev/null
    ticks=$(bench_cpu_ticks pmstackd)
    sleep "$WATCH_S"
    ticks=$(($(bench_cpu_ticks pmstackd) - ticks))
    lab_signal pmstackd USR1
    wait_until 5 summaries 2 || bench_die "no summary"
    read -r p99 max < <(summary)
    polls=$(farm_total get-chassis-status)
    percent=$(bench_calculate "$ticks * 100 / $(getconf CLK_TCK) / $WATCH_S")
    bench_report ipmi.many.polls "$(bench_calculate "$polls / $WATCH_S" %.1f)" polls/s "$MANY"
    bench_report ipmi.many.cpu "$percent" % "$MANY"
    bench_report ipmi.many.rss "$(bench_calculate "$(bench_rss_kib pmstackd) / 1024" %.1f)" MiB "$MANY"
    bench_report ipmi.many.late.p99 "$p99" ms "$MANY"
    bench_report ipmi.many.late.max "$max" ms "$MANY"
    bench_report ipmi.many.packets "$(bench_calculate "($(farm_total in) + $(farm_total out)) / $polls")" packets/poll "$MANY"
    farm gaps | while IFS= read -r gaps; do bench_explain "$gaps"; done
    lab_agent_stop
}

summaries() { (($(grep -c 'since the last summary' "$LAB/log/pmstackd.log") >= $1)); }

main() {
    lab_begin "$@"
    lab_need ipmipower
    READER=$(bench_program reader)
    lab_snmpd --bench || bench_die "no snmpd"
    bench_v2c_user
    PROGRAM=$(lab_agent_program "$LAB_AGENT_USER")
    lab_farm --count "$MANY" || bench_die "no farm"
    peer_conf
    agent_conf "$BMCS" 600s

    bench_title "Sweeps of $BMCS BMCs"
    bench_explain "bmcfarm plays the BMCs, cipher suite $SUITE for both, medians of $TIMES. cold: from the exec of pmstackd until it" \
        "counts no machine as unknown (asked by SNMP every ms); kept: from SIGUSR2 until pmstackd says that all have answered, in" \
        "the sessions that are open. ipmipower opens and closes a session for each BMC. dead: $DEAD of them silent, until all others" \
        "are known; ipmipower waits for them. packets: both ways."
    measure_sweeps
    measure_dead
    bench_title "A storm of $BMCS power-on commands"
    bench_explain "One SET of pmGroupCommand (authPriv), pmAgentJobMaxConcurrent as it is by default. sent: until the last Chassis Control" \
        "is in the farm's log; observed: until pmstackd counts all machines as on, each by an answer of its BMC. ipmipower ends" \
        "when all BMCs have accepted."
    measure_storm
    bench_title "Commands with $LOSS % of the packets lost each way"
    bench_explain "To $BMCS machines by one SET each. once, twice: machines for which the farm's log has the effect once, and more often." \
        "ok: jobs that ended so. reset is momentary: it leaves once or not at all, and is reported as failed when no answer came."
    measure_loss
    bench_title "$MANY BMCs, each every 30 s, for $WATCH_S s"
    bench_explain "cpu: of one processor. late: how long after its time a poll begins, as pmstackd tells by SIGUSR1; gaps: between two" \
        "polls of a BMC, as the farm sees them (30 s, and 10 % of jitter)."
    measure_many
    lab_end 0
}

main "$@"
