# shellcheck shell=bash
# SPDX-License-Identifier: GPL-3.0-or-later
# What the measurements share: machines by the thousand, a v2c manager, statistics, and the report. Sourced after lab.sh.

PM_BUILD=${PM_BUILD:-$LAB_ROOT/build}
PM_BENCH_BIN=${PM_BENCH_BIN:-$PM_BUILD/bench}
# shellcheck disable=SC2034 # for those who source this
BENCH_MACHINES=$PM_ROOT_OID.1.2
BENCH_FLEET_PORT=6230

bench_die() {
    printf 'bench: %s\n' "$*" >&2
    exit 1
}

bench_title() { printf '\n== %s\n' "$1"; }
bench_explain() { printf '   %s\n' "$@"; }

# bench_report NAME VALUE UNIT N [PEER PEER_VALUE]: a line of the table, and an object of bench.jsonl.
bench_report() {
    local ratio='' json
    printf -v json '{"bench":"%s","value":%s,"unit":"%s"' "$1" "$2" "$3"
    if [[ -n ${5:-} ]]; then
        ratio=$(bench_calculate "$2 / $6" %.3f) || bench_die "$1: $2 and $6 have no ratio"
        printf -v json '%s,"peer":"%s","peer_value":%s,"ratio":%s' "$json" "$5" "$6" "$ratio"
    fi
    printf '%s,"n":%d}\n' "$json" "$4" >>"$PM_BUILD/bench.jsonl"
    printf '   %-34s %10s %-12s' "$1" "$2" "$3"
    [[ -z $ratio ]] || printf ' %10s  %-32s x %s' "$6" "$5" "$ratio"
    printf '\n'
}

# bench_calculate EXPRESSION [FORMAT]
bench_calculate() {
    awk -v format="${2:-%.2f}" "BEGIN { printf format, $1 }" 2>/dev/null
}

# bench_percentile P: of the numbers on standard input, one a line (nearest rank).
bench_percentile() {
    sort -n | awk -v p="$1" '{ v[NR] = $1 } END { r = int(NR * p / 100 + 0.999999); print v[r < 1 ? 1 : r] }'
}
bench_mean() { awk '{ sum += $1 } END { printf "%.2f", sum / NR }' "$1"; }
bench_median() { printf '%s\n' "$@" | bench_percentile 50; }

bench_seconds_since() { bench_calculate "$EPOCHREALTIME - $1" %.6f; }

bench_program() {
    [[ -x $PM_BENCH_BIN/$1 ]] || bench_die "$PM_BENCH_BIN/$1 is missing: make bench"
    printf '%s' "$PM_BENCH_BIN/$1"
}

# bench_as USER COMMAND...: with that user's snmp.conf.
bench_as() {
    local user=$1
    shift
    SNMPCONFPATH=$LAB/snmp/$user "$@"
}

# The v2c user "bench": encryption would be measured with everything else.
bench_v2c_user() {
    install -d -m 700 "$LAB"/snmp/bench/{,cert_indexes}
    lab_secret "$LAB/snmp/bench/snmp.conf" "defVersion 2c
defCommunity $LAB_COMMUNITY
persistentDir $LAB/snmp/bench
mibs :"
}

# bench_fleet NAME COUNT POLL_INTERVAL: the agent's configuration with so many machines (100, or a multiple of 250),
# m00001 and so on, each with a BMC at a closed port of 127/8.
bench_fleet() {
    local last addresses
    printf -v last '%05d' "$2"
    if (($2 <= 250)); then addresses="127.10.[1-$2].9"; else addresses="127.[10-$((9 + $2 / 250))].[1-250].9"; fi
    [[ -s $LAB/etc/fleet.password ]] || lab_agent_secret fleet.password "$(lab_random 8)" >/dev/null
    lab_agent_conf "$1" <<END
agent { name = "bench"  poll-interval = $3 }
credentials "fleet" { username = "admin"  password-file = "$LAB/etc/fleet.password"  cipher-suites = { 3 } }
machine "m[00001-$last]" {
  location = "row 3, rack 7"
  bmc { address = "$addresses"  port = $BENCH_FLEET_PORT  credentials = "fleet"  timeout = 500ms }
}
END
}

# bench_cpu_ticks NAME: user and system time of a process of the lab, in clock ticks.
bench_cpu_ticks() {
    local stat fields
    stat=$(cat "/proc/$(lab_pid "$1")/stat") || bench_die "$1 has ended"
    read -ra fields <<<"${stat##*) }"
    printf '%d' $((fields[11] + fields[12]))
}

# bench_settle NAME: until the process has used next to no CPU time for two seconds.
bench_settle() {
    local quiet=0 before after rounds=0
    before=$(bench_cpu_ticks "$1")
    while ((quiet < 4)); do
        ((++rounds <= 240)) || bench_die "$1 does not come to rest"
        sleep 0.5
        after=$(bench_cpu_ticks "$1")
        if ((after - before <= 1)); then quiet=$((quiet + 1)); else quiet=0; fi
        before=$after
    done
}

bench_rss_kib() { awk '$1 == "VmRSS:" { print $2 }' "/proc/$(lab_pid "$1")/status"; }
