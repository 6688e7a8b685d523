#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Accepting jobs: SETs per second that start one each, beside SETs to a subagent that does nothing; many jobs by one SET;
# and a group's.
#
# BENCH_WORKLOADS: some of disk group command wake create dryrun many tmpfs.
# shellcheck disable=SC2119,SC2317 # functions of the lab have optional arguments, and call ours by name
set -u
BENCH=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/lab/lab.sh
. "$BENCH/../lab/lab.sh"
# shellcheck source=tests/bench/lib.sh
. "$BENCH/lib.sh"

MACHINES=1000
JOBS=500 # of a round, each on another machine
ROUNDS=3
GROUP_ROUNDS=4 # even: afterwards all are off again
MANY=100 # jobs in one SET
SUITE=17
DISK_WRITES=2000
AGENT=pmstackd # which of them runs: pmstackd, tmpfs
WORKLOADS=${BENCH_WORKLOADS:-disk group command wake create dryrun many tmpfs}
COMMAND=$PM_ROOT_OID.1.2.1.5
WAKE=$PM_ROOT_OID.1.3.1.10
JOB=$PM_ROOT_OID.1.6.1
JOB_ACTION=$JOB.3 JOB_SCOPE=$JOB.4 JOB_DRY_RUN=$JOB.17 JOB_STATE=$JOB.19 JOB_ROW_STATUS=$JOB.30
GROUP_COMMAND=$PM_ROOT_OID.1.8.1.6.3.97.108.108 # of the group "all"
MACHINES_ON=$PM_ROOT_OID.1.1.1.6.1
JOBS_ACTIVE=$PM_ROOT_OID.1.1.1.11.1
WAKES_SENT=$PM_ROOT_OID.1.3.1.12
POWER_ON=2 POWER_OFF=5 CREATE_AND_GO=4 TRUE=1 # PmCommand, RowStatus, TruthValue
OWNER=5.98.101.110.99.104                     # the index "bench"

# ---- requests: one SET a line ----

# wanted is what the machines are switched to next, as a power state, and verb as PmCommand.
toggle() {
    if [[ ${wanted:-off} == off ]]; then wanted=on verb=$POWER_ON; else wanted=off verb=$POWER_OFF; fi
}

# Each run names its rows anew: run is three digits.
row() { printf '%d.%s.3.%d.%d.%d' "$1" "$OWNER" "'${run:0:1}" "'${run:1:1}" "'${run:2:1}"; }

requests_command() {
    local i
    for ((i = 1; i <= JOBS; i++)); do printf '%s.%d i %d\n' "$COMMAND" "$i" "$verb"; done
}
requests_wake() {
    local i
    for ((i = 1; i <= JOBS; i++)); do printf '%s.%d.1 i 2\n' "$WAKE" $((MACHINES + i)); done
}
requests_create() {
    local i row
    for ((i = 1; i <= JOBS; i++)); do
        row=$(row "$i")
        printf '%s.%s i %d %s.%s i 1 %s.%s i %d\n' "$JOB_ACTION" "$row" "$verb" "$JOB_SCOPE" "$row" \
            "$JOB_ROW_STATUS" "$row" "$CREATE_AND_GO"
    done
}
requests_dryrun() {
    local i row
    for ((i = 1; i <= JOBS; i++)); do
        row=$(row "$i")
        printf '%s.%s i %d %s.%s i 1 %s.%s i %d %s.%s i %d\n' "$JOB_ACTION" "$row" "$verb" "$JOB_SCOPE" "$row" \
            "$JOB_DRY_RUN" "$row" "$TRUE" "$JOB_ROW_STATUS" "$row" "$CREATE_AND_GO"
    done
}

# bunch N: so many lines in one.
bunch() { awk -v n="$1" '{ printf "%s%s", $0, NR % n ? " " : "\n" }'; }

# ---- how they went ----

jobs_over() { [[ $(snmp_as reader get -OvU "$JOBS_ACTIVE") == 0 ]]; }
machines_are() { snmp_is reader "$MACHINES_ON" "$([[ $1 == on ]] && echo "$2" || echo 0) machines"; }
wakes_sent() { (($(snmp_as reader bulkwalk -OvU "$WAKES_SENT" | awk '{ sum += $1 } END { print sum + 0 }') >= $1)); }

over() { wait_until 60 jobs_over || bench_die "$1: jobs are still active"; }

# check WORKLOAD: whether they have ended as they should.
check() {
    case $1 in
    command | create) wait_until 10 machines_are "$wanted" "$JOBS" || bench_die "$1: not all are $wanted" ;;
    group) wait_until 10 machines_are "$wanted" "$MACHINES" || bench_die "$1: not all are $wanted" ;;
    wake)
        woken=$((${woken:-0} + 3 * JOBS)) # packets
        wakes_sent "$woken" || bench_die "only some were woken"
        ;;
    esac
    case $1 in create | dryrun) rows_succeeded || bench_die "$1: not every row has succeeded" ;; esac
}

rows_succeeded() {
    local index
    index=$(row 0)
    (($(snmp_as reader bulkwalk -On -Oe "$JOB_STATE" | grep -c "\.${index#0.} 6\$") == JOBS))
}

# ---- measurements ----

# ticks_begin PROCESS, then ticks_end PROCESS: adds the processor time between them to run/PROCESS.ticks.
ticks_begin() { ticks_before=$(bench_cpu_ticks "$1"); }
ticks_end() { printf '%d\n' $(($(bench_cpu_ticks "$1") - ticks_before)) >>"$LAB/run/$1.ticks"; }

# send USER WINDOW FILE NAME: adds to run/NAME the seconds that it took.
send() {
    bench_as "$1" "$LOAD" "$LAB_SNMPD_ADDRESS" sets "$2" 0 <"$3" >"$LAB/run/times" || bench_die "a SET is refused: $3"
    tail -n 1 "$LAB/run/times" | awk '{ printf "%.6f\n", $2 / 1e6 }' >>"$LAB/run/$4"
}

# cpu_us PROCESS: per job.
cpu_us() {
    awk -v hz="$(getconf CLK_TCK)" -v jobs="$JOBS" '{ n += $1 } END { printf "%.0f", n / hz * 1e6 / (NR * jobs) }' "$LAB/run/$1.ticks"
}

# send_ours WORKLOAD ..., send_peer ...: as send, with the processor time until all is over.
send_ours() {
    ticks_begin "$AGENT"
    send "$2" "$3" "$LAB/run/requests" ours
    over "$1"
    ticks_end "$AGENT"
    check "$1"
}
send_peer() {
    ticks_begin sink
    send "$2" "$3" "$LAB/run/mirror" peer
    ticks_end sink
}

# rate NAME JOBS: of the median round.
rate() { bench_calculate "$2 / $(bench_percentile 50 <"$LAB/run/$1")" %.0f; }

# pairs WORKLOAD USER WINDOW SETS NAME: rounds in turn, each of run/requests as left by make_requests WORKLOAD.
pairs() {
    local i
    rm -f "$LAB"/run/{ours,peer} "$LAB"/run/*.ticks
    for ((i = 0; i < ROUNDS; i++)); do
        toggle
        printf -v run %03d $((++runs))
        requests_"$1" | bunch $((JOBS / $4)) >"$LAB/run/requests"
        bench_mirror <"$LAB/run/requests" >"$LAB/run/mirror"
        ((i % 2)) || send_peer "$@"
        send_ours "$@"
        ((i % 2 == 0)) || send_peer "$@"
    done
    bench_report "jobs.$5" "$(rate ours "$JOBS")" jobs/s $((ROUNDS * JOBS)) "$BENCH_SINK" "$(rate peer "$JOBS")"
    bench_report "jobs.$5.cpu" "$(cpu_us "$AGENT")" us/job $((ROUNDS * JOBS)) "$BENCH_SINK" "$(cpu_us sink)"
}

measure() {
    case $1 in
    command)
        pairs command operator 1 "$JOBS" command.v3.one
        pairs command operator 16 "$JOBS" command.v3.sixteen
        pairs command writer 1 "$JOBS" command.v2c.one
        pairs command writer 16 "$JOBS" command.v2c.sixteen
        ;;
    many)
        pairs command operator 1 $((JOBS / MANY)) "command.v3.$MANY"
        pairs create operator 1 $((JOBS / MANY)) "create.v3.$MANY"
        ;;
    group) measure_group ;;
    disk) measure_disk ;;
    tmpfs) measure_tmpfs ;;
    *)
        pairs "$1" operator 1 "$JOBS" "$1.v3.one"
        pairs "$1" operator 16 "$JOBS" "$1.v3.sixteen"
        ;;
    esac
}

# One varbind for all.
measure_group() {
    local i
    rm -f "$LAB"/run/{ours,peer}
    for ((i = 0; i < GROUP_ROUNDS; i++)); do
        toggle
        printf '%s i %d\n' "$GROUP_COMMAND" "$verb" >"$LAB/run/requests"
        bench_mirror <"$LAB/run/requests" >"$LAB/run/mirror"
        send operator 1 "$LAB/run/mirror" peer
        send operator 1 "$LAB/run/requests" ours
        over group
        check group
    done
    bench_report jobs.group.answer "$(bench_calculate "$(bench_percentile 50 <"$LAB/run/ours") * 1000")" ms "$GROUP_ROUNDS" \
        "$BENCH_SINK" "$(bench_calculate "$(bench_percentile 50 <"$LAB/run/peer") * 1000")"
    bench_report jobs.group.rate "$(rate ours "$MACHINES")" jobs/s $((GROUP_ROUNDS * MACHINES))
}

# What the disk can do, one after another.
measure_disk() {
    local us
    us=$(bench_disk_writes "$DISK_WRITES" 0 | awk '{ sum += $1 } END { print sum }') || exit 1
    bench_report jobs.disk.writes "$(bench_calculate "$DISK_WRITES * 1e6 / $us" %.0f)" writes/s "$DISK_WRITES"
}

# The same agent with its state in memory.
measure_tmpfs() {
    lab_agent_stop
    AGENT=tmpfs wanted=$([[ $(farm_stat 1 power) == on ]] && echo on || echo off)
    bench_tmpfs "$AGENT"
    cp "$LAB/etc/pmstackd.conf" "$LAB/etc/$AGENT.conf"
    lab_agent --name "$AGENT" || bench_die "no pmstackd"
    bench_settle "$AGENT"
    pairs command operator 1 "$JOBS" command.v3.one.tmpfs
    pairs command operator 16 "$JOBS" command.v3.sixteen.tmpfs
}

start_lab() {
    lab_segment bench || bench_die "no segment"
    bench_writer
    lab_snmpd --conf "$LAB/etc/writer.conf" || bench_die "no snmpd"
    lab_farm --count "$MACHINES" || bench_die "no farm"
    {
        bench_farm_conf "$MACHINES" 30s "$SUITE"
        bench_wake_conf "$JOBS" "$(segment_interface bench)"
        printf 'group "all" { members = { "m[00001-%05d]" } }\n' "$MACHINES"
    } | lab_agent_conf
    lab_agent || bench_die "no pmstackd"
    bench_sink
    bench_settle pmstackd
}

main() {
    local workload runs=0
    lab_begin "$@"
    LOAD=$(bench_program load)
    start_lab
    bench_title "Accepting jobs"
    bench_explain "SETs that start a job each, to $JOBS machines one after another; jobs per second, from the first request to the last" \
        "answer, medians of $ROUNDS rounds. Peer: the same SETs by the same manager through the same snmpd to a subagent on net-snmp" \
        "alone that accepts each and does nothing: what snmpd can do. one: a SET at a time; sixteen: so many on their way." \
        "command: pmMachineCommand, to BMCs (bmcfarm) that are switched on and off meanwhile; wake: pmNicWake, by Ethernet;" \
        "create: pmJobTable, action, scope and createAndGo; dryrun: with pmJobDryRun. $MANY: so many jobs by one SET; group: $MACHINES by" \
        "one varbind, until the answer. Before each answer the jobs are on the disk; disk: how many writes of 4 KiB it takes, one after" \
        "another; tmpfs: the state directory in memory. cpu: processor time, of pmstackd until the jobs have ended: what they do goes" \
        "on at the same time."
    bench_mounted=
    for workload in $WORKLOADS; do measure "$workload"; done
    if [[ -n $bench_mounted ]]; then bench_end 0; else lab_end 0; fi
}

main "$@"
