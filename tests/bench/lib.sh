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

# Who may write by v2c, in snmp/writer, and the subagent that accepts every SET and does nothing (sink.c): bench_writer
# makes etc/writer.conf for lab_snmpd --conf; bench_sink starts it.
BENCH_SINK_ROOT=${PM_ROOT_OID/.7747/.7749}
# shellcheck disable=SC2034 # for those who source this
BENCH_SINK="subagent that does nothing"
bench_writer() {
    local community
    community=$(lab_random 8)
    lab_secret "$LAB/etc/writer.conf" "rwcommunity $community 127.0.0.1
view pmstack included $BENCH_SINK_ROOT"
    install -d -m 700 "$LAB"/snmp/writer/{,cert_indexes}
    lab_secret "$LAB/snmp/writer/snmp.conf" "defVersion 2c
defCommunity $community
persistentDir $LAB/snmp/writer
mibs :"
}

bench_sink() {
    lab_spawn sink "$(bench_program sink)" "$LAB_AGENTX"
    wait_until 10 bench_sink_serves || bench_die "the sink is not served"
}
bench_sink_serves() { snmp_as operator set "$BENCH_SINK_ROOT.1.1" i 1 >/dev/null 2>&1; }

# bench_mirror: of the SETs on standard input, those to the sink.
bench_mirror() { sed "s/$PM_ROOT_OID\\./$BENCH_SINK_ROOT./g"; }

# bench_tmpfs NAME: the state directory of the agent of that name is on a tmpfs. The script then ends by bench_end, as
# lab_end cannot remove a directory that something is mounted on.
bench_tmpfs() {
    bench_mounted=$LAB/state/$1
    mkdir "$bench_mounted"
    mount -t tmpfs tmpfs "$bench_mounted" || bench_die "no tmpfs"
    trap 'bench_end $?' EXIT
}
bench_end() {
    umount --lazy "$bench_mounted"
    lab_end "$1"
}

# bench_disk_writes COUNT PAUSE_MS: writes of 4 KiB to the lab's disk, each waited for; prints the time of each in us.
bench_disk_writes() { "$(bench_program syncs)" "$LAB/state/raw" "$1" "$2" || bench_die "the disk cannot be measured"; }

# bench_farm_ranges COUNT: the farm's addresses from 127.1.0.1 on, as lines FIRST LAST RANGE.
bench_farm_ranges() {
    local first=1 low=1 high third=0 second=1
    while ((first <= $1)); do
        high=$((low + $1 - first < 255 ? low + $1 - first : 255))
        printf '%d %d 127.%d.%d.[%d-%d]\n' "$first" $((first + high - low)) "$second" "$third" "$low" "$high"
        first=$((first + high - low + 1)) low=0 third=$((third + 1))
    done
}

# bench_farm_conf COUNT POLL_INTERVAL SUITE: the agent section, and machines m00001 and so on, each with a BMC of the farm.
bench_farm_conf() {
    local first last range
    printf 'agent { name = "bench"  poll-interval = %s }\n' "$2"
    printf 'credentials "farm" { username = "%s"  password-file = "%s"  cipher-suites = { %d } }\n' \
        "$LAB_BMC_USER" "$LAB_BMC_PASSWORD_FILE" "$3"
    while read -r first last range; do
        printf 'machine "m[%05d-%05d]" { bmc { address = "%s"  credentials = "farm" } }\n' "$first" "$last" "$range"
    done < <(bench_farm_ranges "$1")
}

# bench_wake_conf COUNT INTERFACE: machines w0001 and so on (a multiple of 50), each with a NIC eth0 to be woken through
# that interface, and with nothing that says whether it came up.
bench_wake_conf() {
    printf 'machine "w[0001-%04d]" {\n  nic "eth0" { mac = "02:00:5e:11:[10-%d]:[10-59]"  wol = "ethernet"  interface = "%s" }\n}\n' \
        "$1" $((9 + $1 / 50)) "$2"
}

# bench_wake_mac NUMBER: of the machine with this number, from 0 on, as it is in a magic packet.
bench_wake_mac() { printf '02005e11%02d%02d' $((10 + $1 / 50)) $((10 + $1 % 50)); }

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

# ---- tables ----

# bench_find_columns ENTRY FIRST LAST: which columns have values now, and which a peer therefore has to leave out.
bench_find_columns() {
    local column got
    columns='' without=''
    for ((column = $2; column <= $3; column++)); do
        got=$(bench_as bench snmpgetnext -On "$LAB_SNMPD_ADDRESS" "$1.$column") || bench_die "no answer"
        if [[ $got == "$1.$column."* ]]; then columns+=,$column; else without+=,$column; fi
    done
    columns=${columns#,} without=${without#,}
}

# bench_whole_rows ENTRY ROWS: reads the columns found, of all rows; rate is rows per second.
bench_whole_rows() {
    local got count seconds
    got=$(bench_as bench "$(bench_program reader)" "$LAB_SNMPD_ADDRESS" rows "$1" "$columns" 50) || bench_die "$1: no rows"
    read -r count _ _ seconds <<<"$got"
    ((count == $2)) || bench_die "$1: $count rows instead of $2"
    # shellcheck disable=SC2034 # for the caller
    rate=$(bench_calculate "$count / $seconds" %.0f)
}

# ---- processes ----

# bench_start OBJECT: starts pmstackd (PROGRAM, from lab_agent_program); took_ms is from before the exec until the object
# answers, lab_spawn's own part being a fork and setsid.
bench_start() {
    local began got reader
    reader=$(bench_program reader) || exit 1
    began=$EPOCHREALTIME
    lab_spawn pmstackd "$PROGRAM" -c "$LAB/etc/pmstackd.conf" -x "$LAB_AGENTX" -s "$LAB/state/pmstackd" -L err -u "$LAB_AGENT_USER"
    got=$(bench_as bench "$reader" "$LAB_SNMPD_ADDRESS" wait "$1" 60) || bench_die "$1 is not there"
    # shellcheck disable=SC2034 # for the caller
    took_ms=$(bench_calculate "(${got% *} - $began) * 1000" %.0f)
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
