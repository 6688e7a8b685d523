#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# A history of 100,000 jobs that have ended: what it costs to start with it, to hold, to read, and to lose it in one go.
# shellcheck disable=SC2119,SC2317 # functions of the lab have optional arguments, and call ours by name
set -u
BENCH=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/lab/lab.sh
. "$BENCH/../lab/lab.sh"
# shellcheck source=tests/bench/lib.sh
. "$BENCH/lib.sh"

MACHINES=1000
JOBS=${BENCH_JOBS:-100000}
TIMES=3
CONSTANTS_ROWS=20000 # the peer's rate does not depend on how many it has
GET_INTERVAL_MS=5
GETS_S=15
EXPIRY_S=8 # after the insertion; pmstackd is up and at rest before
NAME=$BENCH_MACHINES.1.2.$MACHINES
JOB_ENTRY=$PM_ROOT_OID.1.6.1
CONSTANTS=${JOB_ENTRY/.7747./.7748.}
PEER="constants subagent"

database() { sqlite3 -batch "$LAB/state/pmstackd/state.db" "$@" || bench_die "state.db cannot be used"; }

# fill SPREAD LIFE_S: jobs that ended well, each with its step, as pmstackd writes them. SPREAD: over how many machines. Names
# come in no order. Their rows go after LIFE_S, the first first.
fill() {
    database "
        PRAGMA synchronous = OFF;
        BEGIN;
        DELETE FROM job;
        DELETE FROM step;
        CREATE TEMP TABLE now AS SELECT unixepoch() * 1000 AS ms;
        WITH RECURSIVE number (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM number WHERE i + 1 < $JOBS)
        INSERT INTO job (id, machine, owner, name, origin, created_ms, label, action, scope, force, vm, nic, delay_s, timeout_s,
            vm_timeout_s, arm_wol, dry_run, init_level, wol_addr_type, wol_addr_length, wol_addr, wol_port, storage, setting,
            row_status, enabled, retain_s, state, result, text, not_before_ms, begin_ms, end_ms, stagger_ms, group_id)
        SELECT i + 1, i % $1 + 1, 'bench', printf('%08x', i * 2654435761 % 4294967296), 7, ms, 'night shift', 2, 1, 1, 0, 0, 0,
            600, 180, 0, 0, 0, 0, 0, x'', 0, 3, 0, 1, 1, 2592000, 6, 2, 'on, observed by the BMC 0.8 s after the command',
            ms + $2 * 1000 + i / 100, ms, ms, 0, 0 FROM number, now;
        INSERT INTO step (job, number, action, vm, level, goal, timeout_s, momentary, alternative, state, result, text, start_ms,
            end_ms)
        SELECT id, 1, 16, 0, 1, 4, 180, 0, 0, 6, 2, 'on, observed by the BMC 0.8 s after the command', begin_ms, end_ms FROM job;
        COMMIT;
        PRAGMA wal_checkpoint(TRUNCATE);" >/dev/null
    chown "$LAB_AGENT_USER" "$LAB"/state/pmstackd/*
}

file_mib() { bench_calculate "$(cat "$LAB"/state/pmstackd/state.db* | wc -c) / 1048576" %.1f; }
rss_mib() { bench_calculate "$(bench_rss_kib pmstackd) / 1024" %.1f; }

# starts NAME [PEER PEER_VALUE]: start times; leaves the last one running, and its median in start_ms.
starts() {
    local i times=()
    for ((i = 0; i < TIMES; i++)); do
        bench_start "$NAME"
        times+=("$took_ms")
        ((i == TIMES - 1)) || lab_agent_stop
    done
    start_ms=$(bench_median "${times[@]}")
    bench_report "history.start.$1" "$start_ms" ms "$TIMES" "${@:2}"
    bench_settle pmstackd
}

# column_rate ENTRY ROWS: of one column by snmpbulkwalk, ten repetitions a request.
column_rate() {
    local start=$EPOCHREALTIME got
    got=$(bench_as bench snmpbulkwalk -On -t 10 -r 0 "$LAB_SNMPD_ADDRESS" "$1.19" | wc -l)
    ((got == $2)) || bench_die "$1: $got rows instead of $2"
    bench_calculate "$2 / $(bench_seconds_since "$start")" %.0f
}

measure_empty() {
    bench_start "$NAME"
    lab_agent_stop
    starts none
    empty_ms=$start_ms
    empty_mib=$(rss_mib)
    bench_report history.rss.none "$empty_mib" MiB 1
    quiet=$(gets "$GETS_S") || bench_die "a GET has no answer"
    lab_agent_stop
    bench_report history.file.none "$(file_mib)" MiB 1
}

measure_full() {
    local column
    fill "$2" 2592000
    bench_report "history.file.$1" "$(file_mib)" MiB "$JOBS"
    starts "$1" "no history" "$empty_ms"
    bench_report "history.rss.$1" "$(rss_mib)" MiB "$JOBS" "no history" "$empty_mib"
    bench_find_columns "$JOB_ENTRY" 3 30
    serve_constants
    bench_whole_rows "$JOB_ENTRY" "$JOBS"
    bench_report "history.whole_rows.$1" "$rate" rows/s "$JOBS" "$PEER" "$constants_whole"
    column=$(column_rate "$JOB_ENTRY" "$JOBS") || exit 1
    bench_report "history.bulkwalk.$1" "$column" rows/s "$JOBS" "$PEER" "$constants_column"
    lab_agent_stop
}

# The peer's rates, once: its rows are the same in both.
serve_constants() {
    [[ -z ${constants_whole:-} ]] || return 0
    lab_spawn constants "$(bench_program constants)" "$LAB_AGENTX" jobs "$CONSTANTS_ROWS" "$without"
    wait_until 10 constants_serve || bench_die "the constants are not served"
    bench_whole_rows "$CONSTANTS" "$CONSTANTS_ROWS"
    constants_whole=$rate constants_column=$(column_rate "$CONSTANTS" "$CONSTANTS_ROWS") || exit 1
    lab_kill constants
}
constants_serve() { bench_as bench snmpgetnext "$LAB_SNMPD_ADDRESS" "$CONSTANTS.19" 2>/dev/null | grep -q 'INTEGER: 6'; }

# gets SECONDS: prints how many, p50, p99, the longest, and the longest time without any answer, in us.
gets() { bench_as bench "$LOAD" "$LAB_SNMPD_ADDRESS" gets "$NAME" "$GET_INTERVAL_MS" "$1"; }

# The time of all rows is over at the same moment, while a GET is sent every 5 ms.
measure_expiry() {
    local count p99 longest gap q_p99 q_longest q_gap gone filled=$EPOCHREALTIME
    fill "$2" "$EXPIRY_S"
    bench_start "$NAME"
    read -r count _ p99 longest gap < <(gets "$GETS_S") || bench_die "a GET has no answer"
    read -r _ _ q_p99 q_longest q_gap <<<"$quiet"
    gone=$(database "SELECT $JOBS - count(*) FROM job") || exit 1
    ((gone > 0)) || bench_die "no rows go"
    bench_report "history.expiry.$1.rate" "$(bench_calculate "$gone / ($EPOCHREALTIME - $filled - $EXPIRY_S)" %.0f)" rows/s "$gone"
    bench_report "history.expiry.$1.get.p99" "$(ms "$p99")" ms "$count" "no history" "$(ms "$q_p99")"
    bench_report "history.expiry.$1.get.p100" "$(ms "$longest")" ms "$count" "no history" "$(ms "$q_longest")"
    bench_report "history.expiry.$1.gap" "$(ms "$gap")" ms "$count" "no history" "$(ms "$q_gap")"
    lab_agent_stop
}
ms() { bench_calculate "$1 / 1000" %.1f; }

main() {
    lab_begin "$@"
    lab_need sqlite3
    LOAD=$(bench_program load) PROGRAM=$(lab_agent_program "$LAB_AGENT_USER")
    lab_snmpd --bench || bench_die "no snmpd"
    bench_v2c_user
    bench_fleet pmstackd "$MACHINES" 10h
    lab_agent_state pmstackd "$LAB_AGENT_USER"
    bench_title "A history of $JOBS jobs"
    bench_explain "$MACHINES machines whose BMCs are away, and jobs that have ended, each with a step, written into state.db by sqlite3." \
        "spread: over all machines; one: all on one machine. file: state.db on the disk. start: from exec until the last machine's" \
        "row answers. rss: then, at rest. whole_rows: pmJobTable, all columns in each GETBULK; bulkwalk: snmpbulkwalk of" \
        "pmJobState, ten repetitions a request; SNMPv2c, peer: a subagent that has as many rows of constants, in the same run." \
        "expiry: the time of all rows is over at the same moment, and they go at this rate, while a GET of another table is sent every" \
        "$GET_INTERVAL_MS ms for $GETS_S s: p99 and the longest that one took (p100), and the longest time without an answer (gap)."
    measure_empty
    measure_full spread "$MACHINES"
    measure_full one 1
    measure_expiry spread "$MACHINES"
    measure_expiry one 1
    lab_end 0
}

main "$@"
