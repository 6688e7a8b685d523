# shellcheck shell=bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Part of the lab: Ethernet segments, and in them machines with a NIC of their own that wake on a magic packet.
# Sourced by lab.sh.
#
#   lab ─ veth ─ bridge (the segment's namespace) ─ veth ─ eth0 (the machine's namespace, with the machine's MAC)
#
# Segment number N is 198.18.N.0/24 (RFC 2544: never routed in the Internet): .1 the lab, .2 the segment's own host, and
# from .11 on the machines, each of which has its address only while it is up.

lab_segment_count=0

lab_netns() { printf '%s%s' "${LAB_HOST_NET:+pmlab$$-}" "$1"; }

# lab_segment NAME
lab_segment() {
    local directory=$LAB/segment/$1 netns interface
    lab_segment_count=$((lab_segment_count + 1))
    netns=$(lab_netns "segment-$1")
    interface=${LAB_HOST_NET:+pm$$}$1
    interface=${interface:0:15}
    mkdir -p "$directory"
    printf '%s\n' "$netns" >"$directory/netns"
    printf '%s\n' "$interface" >"$directory/interface"
    lab_segment_prefix >"$directory/prefix"
    if ! lab_segment_links "$netns" "$interface" "$(<"$directory/prefix")" ||
        ! wait_until 5 lab_has_carrier "$interface"; then
        lab_complain "segment $1 could not be made"
    fi
}

# On the host's network another lab may be running.
lab_segment_prefix() {
    local prefix=198.18.$lab_segment_count
    while [[ -n $(ip -o address show to "$prefix.0/24") ]]; do prefix=198.18.$((RANDOM % 250 + 1)); done
    printf '%s\n' "$prefix"
}

lab_segment_links() {
    ip netns add "$1" &&
        ip -n "$1" link set lo up &&
        ip -n "$1" link add br0 type bridge stp_state 0 forward_delay 0 &&
        ip link add "$2" type veth peer name uplink netns "$1" &&
        ip -n "$1" link set uplink master br0 &&
        ip -n "$1" address add "$3.2/24" broadcast + dev br0 &&
        ip -n "$1" link set uplink up &&
        ip -n "$1" link set br0 up &&
        ip address add "$3.1/24" broadcast + dev "$2" &&
        ip link set "$2" up
}

# lab_has_carrier INTERFACE [NETNS]
lab_has_carrier() { [[ $(ip ${2:+-n "$2"} -o link show dev "$1") == *LOWER_UP*'state UP'* ]]; }

segment_interface() { cat "$LAB/segment/$1/interface"; }
segment_lab_address() { printf '%s.1' "$(<"$LAB/segment/$1/prefix")"; }
segment_address() { printf '%s.2' "$(<"$LAB/segment/$1/prefix")"; }
segment_broadcast() { printf '%s.255' "$(<"$LAB/segment/$1/prefix")"; }

# segment_run NAME COMMAND...: on the segment's own host, whose interface there is br0.
segment_run() {
    local netns
    netns=$(<"$LAB/segment/$1/netns")
    shift
    nsenter --net="/run/netns/$netns" "$@"
}

lab_segments_end() {
    local file
    for file in "$LAB"/segment/*/interface; do
        [[ -e $file ]] && ip link show dev "$(<"$file")" >/dev/null 2>&1 && ip link delete "$(<"$file")"
    done
    for file in "$LAB"/segment/*/netns "$LAB"/machine/*/netns; do
        [[ -s $file ]] && ip netns delete "$(basename "$(<"$file")")"
    done
    return 0
}

# ---- machines that sleep ----

# lab_sleeper SEGMENT NAME MAC [--secureon FILE] [--deaf N] [--only ethernet|udp] [--port TCP_PORT] [-- MACHINE_OPTION...]
# A machine in the segment whose NIC is armed: a magic packet for MAC switches it on, then machine_address answers ICMP
# echo and TCP connects on the port (22). --secureon: only with the password in FILE (aa:bb:cc:dd[:ee:ff]); --deaf: not
# by the first N packets; --only: only by this kind. What the NIC heard is in sleeper_heard NAME.
lab_sleeper() {
    local segment=$1 name=$2 mac=$3 port=22 address netns nic_options=()
    shift 3
    while (($#)); do
        case $1 in
        --secureon) nic_options+=(-s "$2") ;;
        --deaf) nic_options+=(-d "$2") ;;
        --only) nic_options+=(-o "$2") ;;
        --port) port=$2 ;;
        --) shift && break ;;
        *) lab_complain "lab_sleeper: unknown option $1" || return 1 ;;
        esac
        shift 2
    done
    netns=$(lab_netns "machine-$name")
    address=$(lab_sleeper_address "$segment")
    lab_sleeper_links "$segment" "$netns" "$mac" || lab_complain "the NIC of $name could not be made" || return 1
    lab_machine "$name" -a "$address" -l "$port" "$@"
    printf '%s\n' "$address" >"$LAB/machine/$name/host"
    printf '%s\n' "/run/netns/$netns" >"$LAB/machine/$name/netns"
    lab_sleeper_start "$name" "$netns" -i eth0 -m "$mac" "${nic_options[@]}"
}

lab_sleeper_address() {
    local directory=$LAB/segment/$1 count
    count=$(($(cat "$directory/count" 2>/dev/null) + 1))
    printf '%d\n' "$count" >"$directory/count"
    printf '%s.%d' "$(<"$directory/prefix")" $((10 + count))
}

# The machine's namespace has a NIC and a route back, but no address: that comes and goes with the machine.
lab_sleeper_links() {
    local segment_netns prefix port
    segment_netns=$(<"$LAB/segment/$1/netns")
    prefix=$(<"$LAB/segment/$1/prefix")
    port=port$(<"$LAB/segment/$1/count")
    ip netns add "$2" &&
        ip -n "$2" link set lo up &&
        ip -n "$2" link add eth0 address "$3" type veth peer name "$port" netns "$segment_netns" &&
        ip -n "$segment_netns" link set "$port" master br0 up &&
        ip -n "$2" link set eth0 up &&
        ip -n "$2" route add "$prefix.0/24" dev eth0 &&
        wait_until 5 lab_has_carrier eth0 "$2"
}

lab_sleeper_start() {
    local name=$1 netns=$2
    shift 2
    local command=("$LAB_ROOT/tests/lab/chassis" "$LAB/machine/$name" set power 1)
    [[ ! -e $LAB/machine/$name/qemu ]] || command=(setsid --fork "$LAB_ROOT/tests/lab/qemu-machine" "$LAB" "$name")
    lab_spawn "sleeper-$name" nsenter --net="/run/netns/$netns" \
        env PM_LAB_CALLER=nic PM_LAB_MACHINE="$(lab_program machine)" "$(lab_program sleeper)" "$@" "${command[@]}"
    wait_until 5 lab_log_has "sleeper-$name" '^# listening' || lab_complain "the sleeper $name does not listen"
}

lab_sleeper_down() { machine_power "$1" off; }
machine_address() { cat "$LAB/machine/$1/host"; }

# sleeper_heard NAME [REGEX]: the magic packets heard, a line each as in sleeper.c.
sleeper_heard() { grep -v '^#' "$LAB/log/sleeper-$1.log" | grep -E -- "${2:-.}"; }
sleeper_count() { sleeper_heard "$@" | wc -l; }

# machine_answers NAME: ICMP echo, within half a second.
machine_answers() { ping -c 1 -W 0.5 -q "$(machine_address "$1")" >/dev/null 2>&1; }
