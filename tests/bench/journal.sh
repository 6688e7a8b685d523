#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# What the journal costs a SET: its time until the answer and until the magic packet, with the state directory on the disk
# and on a tmpfs, at rest and with much else to write, beside SETs to a subagent that does nothing.
#
# BENCH_PLACES: some of disk tmpfs.
# shellcheck disable=SC2119,SC2317 # functions of the lab have optional arguments, and call ours by name
set -u
BENCH=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/lab/lab.sh
. "$BENCH/../lab/lab.sh"
# shellcheck source=tests/bench/lib.sh
. "$BENCH/lib.sh"

BMCS=1000
SAMPLES=400 # of a round, each to another machine
ROUNDS=3
PAUSE_MS=10 # fewer wakes at a time than pmAgentJobMaxConcurrent: a queue is not what is measured
POLL=10s
TURN=100 # machines that a second turns on or off behind pmstackd's back
SUITE=17
PLACES=${BENCH_PLACES:-disk tmpfs}
WAKE=$PM_ROOT_OID.1.3.1.10
SINK_WAKE=${WAKE/$PM_ROOT_OID/$BENCH_SINK_ROOT}
NOTIFY_SENT=$PM_ROOT_OID.1.1.1.18.1
JOBS_ACTIVE=$PM_ROOT_OID.1.1.1.11.1

# ---- the lab ----

start_lab() {
    local place
    lab_segment bench || bench_die "no segment"
    bench_writer
    lab_snmptrapd || bench_die "no snmptrapd"
    lab_snmpd --conf "$LAB/etc/writer.conf" || bench_die "no snmpd"
    bench_sink
    lab_farm --count "$BMCS" || bench_die "no farm"
    bench_tmpfs tmpfs
    for place in disk tmpfs; do
        {
            bench_farm_conf "$BMCS" "$POLL" "$SUITE"
            bench_wake_conf "$SAMPLES" "$(segment_interface bench)"
        } | lab_agent_conf "$place"
    done
}

# ---- much else to write ----

# Each second some machines turn, which polls find out: states, events, notifications.
turn_machines() {
    local first=1 to=on
    while :; do
        farm bmc "$first-$((first + TURN - 1))" power "$to" >/dev/null || return
        first=$((first + TURN))
        if ((first > BMCS)); then
            first=1
            if [[ $to == on ]]; then to=off; else to=on; fi
        fi
        sleep 1
    done
}

notified() { snmp_as reader get -OvU "$NOTIFY_SENT"; }
more_notified() { (($(notified) >= $1)); }

begin_turning() {
    turn_machines &
    turning=$!
    notified_before=$(notified)
    wait_until 30 more_notified $((notified_before + TURN)) || bench_die "no notifications"
    notified_before=$(notified) notified_since=$EPOCHREALTIME
}

end_turning() {
    kill "$turning"
    wait "$turning" 2>/dev/null
    bench_calculate "($(notified) - $notified_before) / $(bench_seconds_since "$notified_since")" '%.0f\n' >>"$LAB/run/$1.notified"
}

# ---- measurements ----

jobs_over() { [[ $(snmp_as reader get -OvU "$JOBS_ACTIVE") == 0 ]]; }

# sample NAME: adds to run/NAME the times until packet and answer, in us, to run/NAME.sink those of the peer, and to
# run/NAME.raw those of the disk.
sample() {
    local i
    for ((i = 0; i < SAMPLES; i++)); do
        printf 'set %s.%d.1 2 ffffffffffff%s\n' "$WAKE" $((BMCS + 1 + i)) "$(bench_wake_mac "$i")"
    done >"$LAB/run/requests"
    bench_disk_writes "$SAMPLES" "$PAUSE_MS" >"$LAB/run/syncs" &
    bench_as operator "$LATENCY" "$LAB_SNMPD_ADDRESS" "${LAB_SNMPD_ADDRESS##*:}" "$(segment_interface bench)" \
        'ether proto 0x0842' "$PAUSE_MS" <"$LAB/run/requests" >>"$LAB/run/$1" || bench_die "a sample is missing"
    wait $! || exit 1
    cat "$LAB/run/syncs" >>"$LAB/run/$1.raw"
    for ((i = 0; i < SAMPLES; i++)); do printf '%s.%d.1 i 2\n' "$SINK_WAKE" $((BMCS + 1 + i)); done >"$LAB/run/requests"
    bench_as operator "$LOAD" "$LAB_SNMPD_ADDRESS" sets 1 "$PAUSE_MS" <"$LAB/run/requests" >"$LAB/run/times" ||
        bench_die "a SET to the sink fails"
    awk '{ print $2 - $1 }' "$LAB/run/times" >>"$LAB/run/$1.sink"
    wait_until 30 jobs_over || bench_die "jobs are still active"
}

measure() {
    lab_agent --name "$1" || bench_die "no pmstackd"
    bench_settle "$1"
    sample "$1.quiet"
    begin_turning
    sample "$1.busy"
    end_turning "$1"
    lab_agent_stop "$1"
}

percentile_ms() { bench_calculate "$(cut -d' ' -f"$2" "$LAB/run/$1" | bench_percentile "$3") / 1000" %.3f; }

report() {
    local name=$1 p n
    n=$(wc -l <"$LAB/run/$name")
    for p in 50 99 100; do
        bench_report "journal.$name.answer.p$p" "$(percentile_ms "$name" 2 "$p")" ms "$n" "$BENCH_SINK" \
            "$(percentile_ms "$name.sink" 1 "$p")"
    done
    for p in 50 99 100; do
        bench_report "journal.$name.wire.p$p" "$(percentile_ms "$name" 1 "$p")" ms "$n" "one write to the disk" \
            "$(percentile_ms "$name.raw" 1 "$p")"
    done
}

main() {
    local place round
    lab_begin "$@"
    LATENCY=$(bench_program latency) LOAD=$(bench_program load)
    start_lab
    bench_title "What the journal costs a SET"
    bench_explain "SETs of pmNicWake (authPriv), one every ${PAUSE_MS} ms, each to another machine and each a job: written to the" \
        "journal, and on the disk, before it is answered. answer: until the manager has it; wire: from the request to the magic" \
        "packet by the kernel's time stamps; p100 is the worst. Peer: the same SET to a subagent that does nothing, in between." \
        "disk, tmpfs: where the state directory is. quiet: $BMCS BMCs polled every $POLL (bmcfarm); busy: $TURN of them turn on or off" \
        "each second, and their states, events and acknowledged notifications are written as well. one write to the disk:" \
        "4 KiB and fdatasync, as often and at the same time, by a program that does nothing else: what is a disk's tail is not ours."
    for ((round = 0; round < ROUNDS; round++)); do
        for place in $PLACES; do measure "$place"; done
    done
    for place in $PLACES; do
        report "$place.quiet"
        report "$place.busy"
        bench_report "journal.$place.busy.notified" "$(bench_mean "$LAB/run/$place.notified")" per/s "$ROUNDS"
    done
    bench_end 0
}

main "$@"
