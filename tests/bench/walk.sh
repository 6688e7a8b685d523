#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Reading: pmMachineTable by snmpbulkwalk and by whole rows beside an AgentX subagent that serves constants, and the
# state of the whole fleet in one request.
# shellcheck disable=SC2119,SC2317 # functions of the lab have optional arguments, and call ours by name
set -u
BENCH=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/lab/lab.sh
. "$BENCH/../lab/lab.sh"
# shellcheck source=tests/bench/lib.sh
. "$BENCH/lib.sh"

CONSTANTS=${BENCH_MACHINES/.7747./.7748.}
PEER="constants subagent"

# bulkwalk NAME ROOT COUNT: appends varbinds per second, and CPU time per varbind of the process NAME, to the files
# of that name.
bulkwalk() {
    local name=$1 root=$2 count=$3 start seconds ticks got
    ticks=$(bench_cpu_ticks "$name")
    start=$EPOCHREALTIME
    got=$(bench_as bench snmpbulkwalk -On -t 10 -r 0 "$LAB_SNMPD_ADDRESS" "$root" | wc -l)
    seconds=$(bench_seconds_since "$start")
    ticks=$(($(bench_cpu_ticks "$name") - ticks))
    ((got == count)) || bench_die "$root: $got varbinds instead of $count"
    bench_calculate "$count / $seconds" '%.0f\n' >>"$LAB/run/$name.rate"
    bench_calculate "$ticks / $(getconf CLK_TCK) * 1e6 / $count" '%.2f\n' >>"$LAB/run/$name.cpu"
}

# The whole table again and again, or a large one once, column by column: whatever else the host does meets both.
measure_bulkwalk() {
    local rows=$1 times=$2 what list=() turn=0 count ours peers
    if ((times == 1)); then
        mapfile -t list < <(tr ',' '\n' <<<"$columns" | sed 's/^/.1./')
        count=$rows
    else
        mapfile -t list < <(yes .1 | head -n "$times")
        count=$((rows * column_count))
    fi
    rm -f "$LAB"/run/*.{rate,cpu}
    for what in "${list[@]}"; do
        ((turn = !turn)) && bulkwalk constants "$CONSTANTS$what" "$count"
        bulkwalk pmstackd "$BENCH_MACHINES$what" "$count"
        ((turn)) || bulkwalk constants "$CONSTANTS$what" "$count"
    done
    ours=$(bench_percentile 50 <"$LAB/run/pmstackd.rate")
    peers=$(bench_percentile 50 <"$LAB/run/constants.rate")
    bench_report "walk.machines.bulkwalk.$rows" "$ours" varbinds/s ${#list[@]} "$PEER" "$peers"
    bench_report "walk.machines.row_cost.$rows" "$(bench_calculate "1e6 * $column_count / $ours" %.0f)" us/row \
        ${#list[@]} "$PEER" "$(bench_calculate "1e6 * $column_count / $peers" %.0f)"
    ((rows < 10000)) || bench_report "walk.machines.agent_cpu.$rows" "$(bench_mean "$LAB/run/pmstackd.cpu")" us/varbind \
        ${#list[@]} "$PEER" "$(bench_mean "$LAB/run/constants.cpu")"
}

measure_rows() {
    local rows=$1 times=$2 i ours=() peers=()
    for ((i = 0; i < times; i++)); do
        bench_whole_rows "$CONSTANTS.1" "$rows"
        peers+=("$rate")
        bench_whole_rows "$BENCH_MACHINES.1" "$rows"
        ours+=("$rate")
    done
    bench_report "walk.machines.whole_rows.$rows" "$(bench_median "${ours[@]}")" rows/s "$times" \
        "$PEER" "$(bench_median "${peers[@]}")"
}

# The fleet's power states: blocks of 256 octets, in one GETBULK.
measure_state_map() {
    local rows=$1 times=100 blocks got varbinds octets seconds
    blocks=$(((rows + 255) / 256))
    got=$(bench_as bench "$READER" "$LAB_SNMPD_ADDRESS" bulk "$PM_ROOT_OID.1.15.1.2" "$blocks" "$times") ||
        bench_die "no state map"
    read -r varbinds octets seconds <<<"$got"
    ((varbinds == blocks && octets == blocks * 256)) || bench_die "the state map has $varbinds varbinds, $octets octets"
    bench_report "statemap.one_request.$rows" "$(bench_calculate "$seconds * 1000")" ms "$times"
}

start_fleet() {
    bench_fleet pmstackd "$1" 10h
    lab_agent || bench_die "pmstackd does not start"
    bench_find_columns "$BENCH_MACHINES.1" 2 25
    column_count=$(tr ',' '\n' <<<"$columns" | wc -l)
    lab_spawn constants "$(bench_program constants)" "$LAB_AGENTX" machines "$1" "$without"
    wait_until 10 constants_serve || bench_die "the constants are not served"
    bench_settle pmstackd
}

constants_serve() {
    bench_as bench snmpget -On "$LAB_SNMPD_ADDRESS" "$CONSTANTS.1.3.1" 2>/dev/null | grep -q 'INTEGER: 1'
}

stop_fleet() {
    lab_agent_stop
    lab_kill constants
}

main() {
    lab_begin "$@"
    READER=$(bench_program reader)
    lab_snmpd --bench || bench_die "no snmpd"
    bench_v2c_user
    bench_title "Reading pmMachineTable"
    bench_explain "One snmpd, SNMPv2c on lo, AgentX on a unix socket. Machines have a BMC at a closed port and are polled every" \
        "10 h: nothing but the walks is going on. Peer: a subagent on net-snmp alone with the same columns and types from" \
        "an array. bulkwalk: snmpbulkwalk of the table (10,000 rows: column by column), ten repetitions a request, peer and" \
        "pmstackd in turn, medians. whole_rows: each GETBULK asks for all columns. row_cost: of bulkwalk, per row." \
        "agent_cpu: CPU time of the subagent per varbind."
    for rows in 100 1000 10000; do
        start_fleet "$rows"
        case $rows in 100) times=15 ;; 1000) times=5 ;; *) times=1 ;; esac
        measure_bulkwalk "$rows" "$times"
        measure_rows "$rows" 3
        ((rows < 10000)) || measure_state_map "$rows"
        stop_fleet
    done
    lab_end 0
}

main "$@"
