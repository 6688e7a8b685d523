#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Stacks: how long a cancel takes beside what no plan can beat, and beside libvirt's own script; and what thousands of VMs
# cost.
#
# BENCH_WORKLOADS: some of cancel guests scale.
# shellcheck disable=SC2119,SC2317 # functions of the lab have optional arguments, and call ours by name
set -u
BENCH=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/lab/lab.sh
. "$BENCH/../lab/lab.sh"
# shellcheck source=tests/bench/lib.sh
. "$BENCH/lib.sh"

WORKLOADS=${BENCH_WORKLOADS:-cancel guests scale}
VM=$PM_ROOT_OID.1.5.1
VM_STATE=$VM.7
VM_COLUMNS=17
VMS_RUNNING=$PM_ROOT_OID.1.2.1.17.1 # pmMachineVmRunning
JOB=$PM_ROOT_OID.1.6.1
JOB_ACTION=$JOB.3 JOB_SCOPE=$JOB.4 JOB_STATE=$JOB.19 JOB_TEXT=$JOB.21 JOB_ROW_STATUS=$JOB.30
ROW=1.5.98.101.110.99.104.1.99 # machine 1, owner "bench", name "c"
SHUTDOWN=4 STACK=2 CREATE_AND_GO=4 DESTROY=6 SUCCEEDED=6 # PmCommand, PmScope, RowStatus, PmJobStateTC
SHUT_DOWN=11 # PmVmStateTC

# ---- a cancel ----

# cancel: shuts down the stack of machine 1, and waits for it. began and ended are seconds since the epoch: when the SET was
# sent, by a program that was then started, and when its job was seen to have succeeded; answer_ms is what the SET took.
cancel() {
    local got
    printf '%s i %d %s i %d %s i %d\n' "$JOB_ACTION.$ROW" "$SHUTDOWN" "$JOB_SCOPE.$ROW" "$STACK" "$JOB_ROW_STATUS.$ROW" \
        "$CREATE_AND_GO" >"$LAB/run/request"
    began=$EPOCHREALTIME
    got=$(bench_as writer "$LOAD" "$LAB_SNMPD_ADDRESS" sets 1 0 <"$LAB/run/request") || bench_die "the cancel is refused"
    answer_ms=$(awk '{ printf "%.2f", $2 / 1000 }' <<<"$got")
    got=$(bench_as bench "$READER" "$LAB_SNMPD_ADDRESS" wait "$JOB_STATE.$ROW" 120 "$SUCCEEDED") ||
        bench_die "the cancel has not succeeded: $(bench_as bench snmpget -Oqv "$LAB_SNMPD_ADDRESS" "$JOB_TEXT.$ROW")"
    ended=${got% *}
}

# forget_cancel: its row goes, so that the next one may have its name.
forget_cancel() { bench_as writer snmpset -Oqv "$LAB_SNMPD_ADDRESS" "$JOB_ROW_STATUS.$ROW" i "$DESTROY" >/dev/null; }

vms_running() { bench_as bench snmpget -OqvU "$LAB_SNMPD_ADDRESS" "$VMS_RUNNING" 2>/dev/null; }
vms_run() { [[ $(vms_running) == "$1"* ]]; }

# ---- a fake hypervisor: what no plan can beat ----

UNLIMITED=1000 # the most that "parallel" can be, and more than stand on any hypervisor of these stacks

# start_fake: stack_agent on run/world.
start_fake() {
    { printf 'agent { name = "bench" }\n' && cat "$LAB/run/stack.conf"; } >"$LAB/etc/fake.conf"
    rm -rf "$LAB/state/fake"
    install -d -m 700 "$LAB/state/fake"
    lab_spawn fake "$(bench_program stack_agent)" -c "$LAB/etc/fake.conf" -x "$LAB_AGENTX" -s "$LAB/state/fake" \
        -w "$LAB/run/world" -l "$LAB/run/fake.log"
    wait_until 60 vms_run "$1" || bench_die "of $1 VMs, $(vms_running) are seen to run"
    bench_settle fake
}

# judge_cancel VMS: run/fake.log must tell of a graceful one; last_off is when the last VM was off.
judge_cancel() {
    last_off=$(awk -v vms="$1" -v shut_down="$SHUT_DOWN" '
        $2 == "is" && $7 == "state=" shut_down { off[$4] = 1; last = $1 / 1e6 }
        $2 == "killed" || ($2 == "asked" && $5 == "destroy") { print "was killed: " $4 >"/dev/stderr"; exit bad = 1 }
        $2 == "asked" && $5 == "shutdown" && $8 != "carries=0" { print "too early: " $0 >"/dev/stderr"; exit bad = 1 }
        END { if (bad || length(off) != vms) exit 1; printf "%.6f", last }' "$LAB/run/fake.log") ||
        bench_die "the cancel of $1 VMs was not what it should be"
}

# column NUMBER: of run/cancels, where a line a run has: makespan, what no plan can beat, and what list scheduling takes (s);
# makespan / the second; makespan - the second, from the last VM off until its job was seen to have succeeded, the SET (ms);
# clock ticks.
column() { awk -v n="$1" '{ print $n }' "$LAB/run/cancels"; }
mean_of() { column "$1" | awk '{ sum += $1 } END { printf "%.3f", sum / NR }'; }
worst_of() { column "$1" | sort -n | tail -n 1; }

# measure_cancel NAME VMS PARALLEL SEEDS MEAN_MS
measure_cancel() {
    local seed bound greedy ticks
    : >"$LAB/run/cancels"
    for ((seed = 1; seed <= $4; seed++)); do
        read -r _ bound greedy < <(perl "$BENCH/stack-tree.pl" "$2" "$seed" "$3" "$5" "$LAB/run/world" "$LAB/run/stack.conf")
        start_fake "$2"
        ticks=$(bench_cpu_ticks fake)
        cancel
        ticks=$(($(bench_cpu_ticks fake) - ticks))
        lab_stop fake
        judge_cancel "$2"
        awk -v began="$began" -v off="$last_off" -v ended="$ended" -v floor="$bound" -v greedy="$greedy" \
            -v rest="$answer_ms $ticks" 'BEGIN {
                ms = (off - began) * 1000
                printf "%.3f %.3f %.3f %.4f %.0f %.0f %s\n", ms / 1000, floor / 1000, greedy / 1000, ms / floor, ms - floor,
                    (ended - off) * 1000, rest }' >>"$LAB/run/cancels"
    done
    report_cancel "$@"
}

# Without a limit, what no plan can beat is the critical path.
report_cancel() {
    local peer="critical path"
    (($3 == UNLIMITED)) || peer="bound for $3 at a time"
    bench_report "stack.cancel.$1.makespan" "$(mean_of 1)" s "$4" "$peer" "$(mean_of 2)"
    (($3 == UNLIMITED)) || bench_report "stack.cancel.$1.list" "$(mean_of 1)" s "$4" "list scheduling" "$(mean_of 3)"
    bench_report "stack.cancel.$1.worst" "$(worst_of 4)" "x $peer" "$4"
    bench_report "stack.cancel.$1.over" "$(mean_of 5)" ms "$4"
    bench_report "stack.cancel.$1.told" "$(mean_of 6)" ms "$4"
    bench_report "stack.cancel.$1.answer" "$(mean_of 7)" ms "$4"
    bench_report "stack.cancel.$1.cpu" "$(bench_calculate "$(mean_of 8) / $(getconf CLK_TCK)" %.2f)" s "$4"
}

measure_cancels() {
    bench_title "Cancelling a stack, with hypervisors that are not there"
    bench_explain "Random trees of depth 3 (stack-tree.pl, seeds 1 to n), a tenth of the VMs hypervisors; a VM takes 0.1 to 4 s from the" \
        "power button until it is off, at random, exponentially distributed around 1 s. pmstackd with a fake driver in the place of" \
        "libvirt's, which answers after 2 ms and tells events after 1 ms. makespan: from the SET (the manager's start included) until" \
        "the last VM is off; critical path: what the VMs alone take, each after those on it; bound: no schedule of so many at a time" \
        "on a hypervisor can be shorter; list: the greedy one, by what is ready first. over: makespan - that. told: from the last VM" \
        "off until the job is seen to have succeeded. answer: of the SET. cpu: of the agent, the fake included."
    measure_cancel 200 200 "$UNLIMITED" 5 1000
    measure_cancel 200.parallel4 200 4 3 1000
    measure_cancel 2000 2000 "$UNLIMITED" 3 1000
    measure_cancel 2000.parallel10 2000 10 3 1000
}

# ---- real guests: beside libvirt's own script ----

GUESTS=12
GUESTS_SCRIPT=/usr/lib/libvirt/libvirt-guests.sh

# Guest number i takes 0.25 s times i to shut down.
make_guests() {
    local i
    lab_libvirtd guests || bench_die "no libvirtd"
    for ((i = 1; i <= GUESTS; i++)); do
        lab_vm guests "g$i" --delay "$(bench_calculate "$i / 4")" || bench_die "no guest"
    done
}

guests_up() {
    local i
    for ((i = 1; i <= GUESTS; i++)); do vm_up guests "g$i" || return; done
}

start_guests() {
    local i
    console_mark
    for ((i = 1; i <= GUESTS; i++)); do libvirt guests start "g$i" || bench_die "g$i does not start"; done
    wait_until 60 guests_up || bench_die "the guests do not come up"
}

# last_off is when the last guest was off; all must have gone by themselves.
judge_guests() {
    local i
    for ((i = 1; i <= GUESTS; i++)); do vm_graceful guests "g$i" || bench_die "g$i: $(vm_events guests "g$i")"; done
    last_off=$(for ((i = 1; i <= GUESTS; i++)); do vm_time guests "g$i" off; done | sort -n | tail -n 1)
}

# by_script PARALLEL: libvirt-guests.sh stop, with files of its own: it insists on their paths. Adds to run/script: until the
# last guest was off, until it ended.
by_script() {
    start_guests
    began=$EPOCHREALTIME
    # shellcheck disable=SC2016 # for that bash to expand
    unshare --mount bash -c '
        mkdir -p "$1" && mount --bind "$1" /etc/default && mount -t tmpfs tmpfs /var/lib && mount -t tmpfs tmpfs /run &&
            mkdir -p /var/lib/libvirt /run/lock &&
            printf "URIS=\"%s\"\nON_SHUTDOWN=shutdown\nSHUTDOWN_TIMEOUT=300\nPARALLEL_SHUTDOWN=%d\n" "$2" "$3" \
                >/etc/default/libvirt-guests && exec "$4" stop' \
        bash "$LAB/etc/guests" "$(libvirt_uri guests)" "$1" "$GUESTS_SCRIPT" >>"$LAB/log/libvirt-guests.log" 2>&1 ||
        bench_die "libvirt-guests has failed"
    ended=$EPOCHREALTIME
    judge_guests
    printf '%.3f %.3f\n' "$(bench_calculate "$last_off - $began" %.6f)" "$(bench_calculate "$ended - $began" %.6f)" >>"$LAB/run/script"
}

by_pmstackd() {
    start_guests
    wait_until 10 vms_run "$GUESTS" || bench_die "of $GUESTS guests, $(vms_running) are seen to run"
    cancel
    forget_cancel
    judge_guests
    printf '%.3f %.3f\n' "$(bench_calculate "$last_off - $began" %.6f)" "$(bench_calculate "$ended - $began" %.6f)" >>"$LAB/run/ours"
}

# measure_guests PARALLEL ROUNDS
measure_guests() {
    local i
    rm -f "$LAB"/run/{ours,script}
    lab_agent_conf <<END
agent { name = "bench" }
machine "room01" { stack { uri = "$(libvirt_uri guests)"  parallel = $1 } }
END
    lab_agent || bench_die "no pmstackd"
    for ((i = 0; i < $2; i++)); do
        ((i % 2)) || by_script "$(($1 == 1 ? 0 : $1))"
        by_pmstackd
        ((i % 2 == 0)) || by_script "$(($1 == 1 ? 0 : $1))"
    done
    lab_agent_stop
    report_guests "$@" off 1
    report_guests "$@" known 2
}

# report_guests PARALLEL ROUNDS WHAT COLUMN
report_guests() {
    bench_report "stack.guests.parallel$1.$3" "$(awk -v n="$4" '{ print $n }' "$LAB/run/ours" | bench_percentile 50)" s "$2" \
        libvirt-guests "$(awk -v n="$4" '{ print $n }' "$LAB/run/script" | bench_percentile 50)"
}

measure_all_guests() {
    bench_title "Cancelling real guests"
    bench_explain "$GUESTS guests of QEMU under one libvirtd, that take 0.25, 0.5, ... $(bench_calculate "$GUESTS / 4") s from the power button until" \
        "they are off. pmstackd with parallel = n beside libvirt's libvirt-guests.sh stop with ON_SHUTDOWN=shutdown and" \
        "PARALLEL_SHUTDOWN=n (for 1: 0, one after another), in turn; medians. off: until the last guest was off, as the guests say" \
        "themselves; known: until the job is seen to have succeeded, or the script has ended. It asks once a second."
    lab_need "$GUESTS_SCRIPT"
    make_guests
    measure_guests 1 1
    measure_guests 4 3
    measure_guests "$GUESTS" 3
}

# ---- thousands of VMs of libvirt's test driver ----

VMS=2000
SAMPLES=300
IDLE_S=10
PEER="constants subagent"
CONSTANTS=${PM_ROOT_OID/%.7747/.7748}.1.5

# make_hypervisors COUNT: with VMS VMs in all, running; run/uris has their URIs.
make_hypervisors() {
    local i name
    : >"$LAB/run/uris"
    for ((i = 1; i <= $1; i++)); do
        name=of$1n$i
        lab_test_libvirtd "$name" || bench_die "no libvirtd"
        lab_test_vms "$name" "h${i}vm" $((VMS / $1))
        seq -f "start h${i}vm%g" $((VMS / $1)) | libvirt "$name" >/dev/null || bench_die "VMs do not start"
        libvirt "$name" destroy test >/dev/null || bench_die "libvirt's own VM cannot be ended"
        libvirt "$name" undefine test >/dev/null || bench_die "libvirt's own VM stays"
        libvirt_uri "$name" >>"$LAB/run/uris"
    done
}

end_hypervisors() {
    local i
    for ((i = 1; i <= $1; i++)); do
        lab_kill "hv-of$1n$i-events"
        libvirt_power_off "of$1n$i"
    done
}

scale_conf() {
    local uri
    printf 'agent { name = "bench" }\nmachine "room01" {\n'
    while read -r uri; do printf '  stack { uri = "%s" }\n' "$uri"; done <"$LAB/run/uris"
    printf '}\n'
}

status_of() { awk -v key="$1:" '$1 == key { print $2 }' "/proc/$(lab_pid pmstackd)/status"; }

rss_mib() { bench_calculate "$(bench_rss_kib pmstackd) / 1024" %.1f; }

# What pmstackd has anyway, with a machine that has no stack.
measure_bare() {
    printf 'agent { name = "bench" }\nmachine "room01" { nic "eth0" { mac = "02:00:5e:11:00:01" } }\n' | lab_agent_conf
    lab_agent || bench_die "no pmstackd"
    bench_settle pmstackd
    bare_mib=$(rss_mib) bare_threads=$(status_of Threads)
    lab_agent_stop
}

# measure_scale HYPERVISORS
measure_scale() {
    local began ticks got
    make_hypervisors "$1"
    scale_conf | lab_agent_conf
    began=$EPOCHREALTIME
    lab_agent --no-wait
    got=$(bench_as bench "$READER" "$LAB_SNMPD_ADDRESS" wait "$VMS_RUNNING" 60 "$VMS") ||
        bench_die "of $VMS VMs, $(vms_running) are seen to run"
    bench_report "stack.scale.$1.start" "$(bench_calculate "(${got% *} - $began) * 1000" %.0f)" ms 1
    bench_settle pmstackd
    bench_report "stack.scale.$1.rss" "$(rss_mib)" MiB 1 "without stacks" "$bare_mib"
    bench_report "stack.scale.$1.threads" "$(status_of Threads)" threads 1 "without stacks" "$bare_threads"
    ticks=$(bench_cpu_ticks pmstackd)
    sleep "$IDLE_S"
    ticks=$(($(bench_cpu_ticks pmstackd) - ticks))
    bench_report "stack.scale.$1.idle.cpu" "$(bench_calculate "$ticks * 100 / $(getconf CLK_TCK) / $IDLE_S")" % 1
    measure_events "$1"
    measure_burst "$1"
    (($1 > 1)) || measure_walk
    lab_agent_stop
    end_hypervisors "$1"
}

# events ARGUMENT...: stack_events, on run/uris.
events() { bench_as bench "$EVENTS" "$LAB_SNMPD_ADDRESS" "$TRAP_PORT" "$@" <"$LAB/run/uris"; }

measure_events() {
    local what column
    events one "$SAMPLES" >"$LAB/run/samples" || bench_die "an event is not told"
    column=1
    for what in table notification; do
        awk -v n="$column" '{ print $n / 1000 }' "$LAB/run/samples" >"$LAB/run/samples.$what"
        bench_report "stack.scale.$1.$what.p50" "$(bench_percentile 50 <"$LAB/run/samples.$what")" ms "$SAMPLES"
        bench_report "stack.scale.$1.$what.p99" "$(bench_percentile 99 <"$LAB/run/samples.$what")" ms "$SAMPLES"
        column=2
    done
}

# All running ones are paused: those that measure_events has left paused go on.
measure_burst() {
    local last
    events all >"$LAB/run/burst" || bench_die "an event is not told"
    last=$(tail -n 1 "$LAB/run/burst")
    sed '$d' "$LAB/run/burst" | awk '{ print $1 / 1000 }' >"$LAB/run/samples"
    bench_report "stack.scale.$1.burst.events" "$(awk -v n="$VMS" '{ printf "%.0f", n / $2 * 1e6 }' <<<"$last")" events/s "$VMS"
    bench_report "stack.scale.$1.burst.p50" "$(bench_percentile 50 <"$LAB/run/samples")" ms "$VMS"
    bench_report "stack.scale.$1.burst.p99" "$(bench_percentile 99 <"$LAB/run/samples")" ms "$VMS"
}

# bulkwalk ROOT: one column; rate is rows per second.
bulkwalk() {
    local began=$EPOCHREALTIME got
    got=$(bench_as bench snmpbulkwalk -On -t 10 -r 0 "$LAB_SNMPD_ADDRESS" "$1" | wc -l)
    ((got == VMS)) || bench_die "$1: $got rows instead of $VMS"
    rate=$(bench_calculate "$VMS / ($EPOCHREALTIME - $began)" %.0f)
}

measure_walk() {
    local i rate ours=() peers=() ours_column=() peers_column=()
    bench_find_columns "$VM" 2 "$VM_COLUMNS"
    lab_spawn constants "$(bench_program constants)" "$LAB_AGENTX" vms "$VMS" "$without"
    wait_until 10 constants_serve || bench_die "the constants are not served"
    for ((i = 0; i < 5; i++)); do
        bench_whole_rows "$CONSTANTS.1" "$VMS" && peers+=("$rate")
        bench_whole_rows "$VM" "$VMS" && ours+=("$rate")
        bulkwalk "$CONSTANTS.1.7" && peers_column+=("$rate")
        bulkwalk "$VM_STATE" && ours_column+=("$rate")
    done
    lab_kill constants
    bench_report stack.walk.whole_rows "$(bench_median "${ours[@]}")" rows/s 5 "$PEER" "$(bench_median "${peers[@]}")"
    bench_report stack.walk.bulkwalk "$(bench_median "${ours_column[@]}")" rows/s 5 "$PEER" "$(bench_median "${peers_column[@]}")"
}
constants_serve() { bench_as bench snmpgetnext "$LAB_SNMPD_ADDRESS" "$CONSTANTS.1.7" 2>/dev/null | grep -q 'INTEGER: 4'; }

measure_scales() {
    bench_title "Thousands of VMs"
    bench_explain "$VMS running VMs of libvirt's test driver, all on one libvirtd, and 40 each on 50; pmstackd as it is. start: from its exec" \
        "until it has seen them all running. rss, threads: of pmstackd at rest. idle.cpu: over $IDLE_S s of rest. table, notification:" \
        "from when another client of the same libvirtd is told of a VM's change until pmVmState has it (asked for again and again), and" \
        "until pmVmStateChange came, random VMs one after another. burst: all $VMS change at once; from each one's event to its" \
        "notification. walk: pmVmTable, whole rows, and one column by snmpbulkwalk; peer: a subagent of constants."
    measure_bare
    measure_scale 1
    measure_scale 50
}

main() {
    local workload
    lab_begin "$@"
    LOAD=$(bench_program load) READER=$(bench_program reader) EVENTS=$(bench_program stack_events)
    TRAP_PORT=$(lab_port 1163)
    bench_writer
    printf 'trap2sink 127.0.0.1:%s bench\n' "$TRAP_PORT" >>"$LAB/etc/writer.conf"
    lab_snmpd --bench --conf "$LAB/etc/writer.conf" || bench_die "no snmpd"
    bench_v2c_user
    for workload in $WORKLOADS; do
        case $workload in
        cancel) measure_cancels ;;
        guests) measure_all_guests ;;
        scale) measure_scales ;;
        *) bench_die "$workload: one of cancel guests scale" ;;
        esac
    done
    lab_end 0
}

main "$@"
