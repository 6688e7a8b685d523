#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Starting, reloading and idling with 100, 1,000 and 10,000 machines.
# shellcheck disable=SC2119,SC2317 # functions of the lab have optional arguments, and call ours by name
set -u
BENCH=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/lab/lab.sh
. "$BENCH/../lab/lab.sh"
# shellcheck source=tests/bench/lib.sh
. "$BENCH/lib.sh"

NAME=$BENCH_MACHINES.1.2
TIMES=3
IDLE_S=10

# The first start gives out the indexes and stores them; later ones find them.
measure_start() {
    local rows=$1 i first=() again=()
    for ((i = 0; i < TIMES; i++)); do
        rm -rf "$LAB/state/pmstackd"
        install -d -m 700 -o "$LAB_AGENT_USER" "$LAB/state/pmstackd"
        bench_start "$NAME.$rows"
        first+=("$took_ms")
        lab_agent_stop
        bench_start "$NAME.$rows"
        again+=("$took_ms")
        ((i == TIMES - 1)) || lab_agent_stop
    done
    bench_report "start.time.first.$rows" "$(bench_median "${first[@]}")" ms "$TIMES"
    bench_report "start.time.again.$rows" "$(bench_median "${again[@]}")" ms "$TIMES"
}

# RSS when the rows are served, and when every BMC has been asked.
measure_rss() {
    bench_report "start.rss.$1" "$(bench_calculate "$(bench_rss_kib pmstackd) / 1024" %.1f)" MiB 1
    bench_settle pmstackd
    bench_report "start.rss.polled.$1" "$(bench_calculate "$(bench_rss_kib pmstackd) / 1024" %.1f)" MiB 1
}

# A machine is added; from SIGHUP until its row answers, and the longest that a GET had to wait meanwhile.
measure_reload() {
    local rows=$1 began got
    printf 'machine "added" { }\n' >>"$LAB/etc/pmstackd.conf"
    began=$EPOCHREALTIME
    lab_agent_reload
    got=$(bench_as bench "$READER" "$LAB_SNMPD_ADDRESS" wait "$NAME.$((rows + 1))" 60) || bench_die "the reload failed"
    bench_report "reload.time.$rows" "$(bench_calculate "(${got% *} - $began) * 1000" %.0f)" ms 1
    bench_report "reload.longest_get.$rows" "$(bench_calculate "${got#* } * 1000" %.0f)" ms 1
}

# All BMCs away, polled at the default interval and, after some time, less often.
measure_idle() {
    local rows=$1 before after
    before=$(bench_cpu_ticks pmstackd)
    sleep "$IDLE_S"
    after=$(bench_cpu_ticks pmstackd)
    bench_report "idle.cpu.$rows" "$(bench_calculate "($after - $before) * 100 / $(getconf CLK_TCK) / $IDLE_S")" % 1
}

main() {
    local rows
    lab_begin "$@"
    READER=$(bench_program reader)
    lab_snmpd --bench || bench_die "no snmpd"
    bench_v2c_user
    PROGRAM=$(lab_agent_program "$LAB_AGENT_USER")
    bench_title "Starting and resting"
    bench_explain "Every machine has a BMC that is away. start: from exec until the last machine's row answers a GET (asked every" \
        "ms); first: with an empty state directory; again: with the indexes in it. rss: when that row answers; polled: when" \
        "every BMC has been asked and given up. reload: SIGHUP with one machine more, until its row answers; longest_get: what" \
        "a GET waited meanwhile. idle: CPU time of one processor over $IDLE_S s after that, when BMCs that are away are asked" \
        "at growing intervals; poll.kept_session is what polling BMCs that answer costs."
    for rows in 100 1000 10000; do
        bench_fleet pmstackd "$rows" 30s
        measure_start "$rows"
        measure_rss "$rows"
        ((rows != 1000)) || measure_idle "$rows"
        measure_reload "$rows"
        lab_agent_stop
    done
    lab_end 0
}

main "$@"
