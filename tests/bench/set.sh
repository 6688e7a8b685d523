#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Acting: from the SNMP request to the magic packet and to the Chassis Control command on the wire, beside snmpd's
# extend running etherwake and ipmitool.
# shellcheck disable=SC2119,SC2317 # functions of the lab have optional arguments, and call ours by name
set -u
BENCH=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/lab/lab.sh
. "$BENCH/../lab/lab.sh"
# shellcheck source=tests/bench/lib.sh
. "$BENCH/lib.sh"

SAMPLES=200
BMCS=40
ROUNDS=$((SAMPLES / BMCS))
POLLING_S=10
PAUSE_MS=20 # fewer wakes at a time than pmAgentJobMaxConcurrent: a queue is not what is measured
EXTEND_RESULT=.1.3.6.1.4.1.8072.1.3.2.3.1.4
PEER_MAC=02:00:5e:12:00:01
WAKE=$PM_ROOT_OID.1.3.1.10
CHASSIS=$PM_ROOT_OID.1.4.1.5
POWER_STATE=$PM_ROOT_OID.1.2.1.4
REQUESTS=$PM_ROOT_OID.1.4.1.21
JOBS_ACTIVE=$PM_ROOT_OID.1.1.1.11.1
# An IPMI 2.0 packet without confidentiality (payload type 0, no flags), network function Chassis, command Chassis
# Control, power up or power down; IPMI 2.0, 13.6 and 28.3.
CHASSIS_CONTROL='udp dst port 623 and udp[12] = 6 and udp[13] & 0xbf = 0 and udp[25] = 0 and udp[29] = 2 and udp[30] < 2'

# bmc_octets ADDRESS: as it is in the packet, in hexadecimal.
bmc_octets() {
    local octets
    IFS=. read -ra octets <<<"$1"
    printf '%02x' "${octets[@]}"
}

# An OID index of a string: its length, then its characters.
string_index() {
    printf '%d' "${#1}"
    printf '%s' "$1" | od -An -tu1 | tr -s ' \n' '.' | sed 's/\.$//'
}

# measure INTERFACE FILTER: requests on standard input; leaves the samples in the file $LAB/run/samples.
measure() {
    bench_as operator "$LATENCY" "$LAB_SNMPD_ADDRESS" "${LAB_SNMPD_ADDRESS##*:}" "$1" "$2" "$PAUSE_MS" >>"$LAB/run/samples" ||
        bench_die "a sample is missing"
}

# Moves the samples so far to NAME.
keep_samples() { mv "$LAB/run/samples" "$LAB/run/$1"; }

# report NAME PEER: from run/ours and run/peer.
report() {
    local p field what n
    n=$(wc -l <"$LAB/run/ours")
    ((n == SAMPLES && $(wc -l <"$LAB/run/peer") == SAMPLES)) || bench_die "$1: not $SAMPLES samples"
    for what in wire answer; do
        if [[ $what == wire ]]; then field=1; else field=2; fi
        for p in 50 99; do
            bench_report "$1.$what.p$p" "$(percentile_ms ours "$field" "$p")" ms "$n" "$2" \
                "$(percentile_ms peer "$field" "$p")"
        done
    done
}

percentile_ms() { bench_calculate "$(cut -d' ' -f"$2" "$LAB/run/$1" | bench_percentile "$3") / 1000" %.3f; }

# ---- the lab ----

snmpd_extensions() {
    cat <<END
extend -cacheTime -1 wake $(command -v etherwake) -i $(segment_interface bench) $PEER_MAC
extend -cacheTime -1 on $(command -v ipmitool) -I lanplus -C 1 -H $(bmc_address b01) -p $(bmc_port b01) -U $LAB_BMC_USER \
-f $LAB_BMC_PASSWORD_FILE chassis power on
END
}

# agent_conf POLL_INTERVAL
agent_conf() {
    lab_agent_conf <<END
agent { name = "bench"  poll-interval = $1 }
credentials "lab" { username = "$LAB_BMC_USER"  password-file = "$LAB_BMC_PASSWORD_FILE"  cipher-suites = { 1 } }
machine "b[01-$BMCS]" {
  bmc { address = "127.0.1.[1-$BMCS]"  port = $(bmc_port b01)  credentials = "lab" }
}
$(bench_wake_conf "$SAMPLES" "$(segment_interface bench)")
END
}

start_lab() {
    local i
    lab_segment bench || bench_die "no segment"
    for ((i = 1; i <= BMCS; i++)); do lab_bmc "$(printf 'b%02d' "$i")" || bench_die "no BMC"; done
    snmpd_extensions >"$LAB/etc/extend.conf"
    lab_snmpd --conf "$LAB/etc/extend.conf" || bench_die "no snmpd"
    agent_conf 30s
    lab_agent || bench_die "no pmstackd"
    wait_until 30 bmcs_are off || bench_die "the BMCs' states are not known"
}

# Of all machines with a BMC, which are the first.
bmcs_are() {
    local states
    states=$(snmp_as reader bulkwalk -Ov "$POWER_STATE" | head -n "$BMCS" | sort | uniq -c)
    [[ $states =~ ^\ *$BMCS\ $1$ ]]
}

jobs_done() { [[ $(snmp_as reader get -OvU "$JOBS_ACTIVE") == 0 ]]; }

# ---- the measurements ----

wake_requests() {
    local i
    for ((i = 0; i < SAMPLES; i++)); do
        printf 'set %s.%d.1 2 ffffffffffff%s\n' "$WAKE" $((BMCS + 1 + i)) "$(bench_wake_mac "$i")"
    done
}

# peer_requests NAME OCTETS
peer_requests() {
    local i
    for ((i = 0; i < SAMPLES; i++)); do printf 'get %s.%s 0 %s\n' "$EXTEND_RESULT" "$(string_index "$1")" "$2"; done
}

measure_wake() {
    measure "$(segment_interface bench)" 'ether proto 0x0842' < <(wake_requests)
    keep_samples ours
    measure "$(segment_interface bench)" 'ether proto 0x0842' < <(peer_requests wake "ffffffffffff${PEER_MAC//:/}")
    keep_samples peer
    report set.wake.ethernet "extend etherwake"
}

# control NUMBER STATE: to every machine with a BMC, then until all is over.
control() {
    local i
    for ((i = 1; i <= BMCS; i++)); do
        printf 'set %s.%d %d %s\n' "$CHASSIS" "$i" "$1" "$(bmc_octets "127.0.1.$i")"
    done >"$LAB/run/requests"
    measure lo "$CHASSIS_CONTROL" <"$LAB/run/requests"
    if ! wait_until 30 jobs_done || ! wait_until 30 bmcs_are "$2"; then bench_die "not every machine is $2"; fi
}

measure_chassis() {
    local i
    for ((i = 0; i < ROUNDS; i++)); do
        control 3 on
        cat "$LAB/run/samples" >>"$LAB/run/ours.on" && rm "$LAB/run/samples"
        control 2 off
        rm "$LAB/run/samples"
    done
    mv "$LAB/run/ours.on" "$LAB/run/ours"
    measure lo "$CHASSIS_CONTROL" < <(peer_requests on "$(bmc_octets "$(bmc_address b01)")")
    keep_samples peer
    report set.chassis.powerup "extend ipmitool"
}

polls() { snmp_as reader bulkwalk -OvU "$REQUESTS" | awk '{ sum += $1 } END { print sum }'; }

# 40 BMCs asked every second are as much work as 1,200 asked every 30 s.
measure_polling() {
    local requests ticks percent
    machine_power b01 off # as ipmitool left it on
    lab_agent_stop
    agent_conf 1s
    lab_agent || bench_die "no pmstackd"
    wait_until 30 bmcs_are off || bench_die "the BMCs' states are not known again"
    requests=$(polls) ticks=$(bench_cpu_ticks pmstackd)
    sleep "$POLLING_S"
    ticks=$(($(bench_cpu_ticks pmstackd) - ticks)) requests=$(($(polls) - requests))
    ((requests > POLLING_S * BMCS / 2)) || bench_die "only $requests polls in $POLLING_S s"
    percent=$(bench_calculate "$ticks * 100 / $(getconf CLK_TCK) / $POLLING_S")
    bench_report poll.kept_session.rate "$(bench_calculate "$requests / $POLLING_S" %.1f)" polls/s "$requests"
    bench_report poll.kept_session.cpu "$percent" % "$requests"
}

main() {
    lab_begin "$@"
    lab_need etherwake ipmitool
    LATENCY=$(bench_program latency)
    start_lab
    bench_title "From the request to the wire"
    bench_explain "Kernel time stamps of two packets: the SNMPv3 request (authPriv) as it arrives on lo, and the first packet" \
        "that it causes. ours: a SET of pmNicWake, of pmBmcChassisControl. Peer: a GET of nsExtendResult with cacheTime -1," \
        "which makes snmpd run etherwake or ipmitool itself: a SET by pass would cost a shell more. One every ${PAUSE_MS} ms; a" \
        "frame counts when it holds the magic pattern of this machine. The BMCs (ipmi_sim) are spoken to in cipher suite 1" \
        "by both, so that Chassis Control can be read in the capture; pmstackd has its sessions open from polling, ipmitool" \
        "opens one each time. pmstackd has also written the job to its journal before. answer: until the manager has the" \
        "SNMP response; extend answers when its program has ended."
    measure_wake
    measure_chassis
    bench_title "Polling"
    bench_explain "$BMCS BMCs, each asked every second in a session that stays open: as much as $((BMCS * 30)) machines at 30 s."
    measure_polling
    lab_end 0
}

main "$@"
