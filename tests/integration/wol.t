#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Wake-on-LAN on real interfaces: what is sent is compared, octet by octet, with what tcpdump hears in the segment, and
# what is claimed as seen with what could have left.
set -u
# shellcheck source=tests/lab/lab.sh
. "$(dirname "$0")/../lab/lab.sh"
lab_begin "$@"

burst=${PM_TEST_BIN:-$LAB_ROOT/build/tests}/wol_burst
[[ -x $burst ]] || bail_out "$burst is missing: make programs"
mac=02:00:00:00:00:11
out=$LAB/log/burst

# wake OPTION...: a burst to $mac; its reports are in $out, its last line but one in $done_line.
wake() {
    "$burst" -m "$mac" "$@" >"$out" 2>&1 || diag "wol_burst $*: status $?"
    read_result
}
read_result() {
    done_line=$(grep -E '^(done|total)' "$out" | tail -n 1)
    cpu_ms=$(sed -n 's/^cpu //p' "$out")
}

# listen / heard: tcpdump on the segment's host; heard prints each frame as one line of hexadecimal digits.
listen() {
    rm -f "$LAB/heard.pcap" "$LAB/log/tcpdump.log"
    lab_spawn tcpdump nsenter --net="/run/netns/$(<"$LAB/segment/lan/netns")" \
        tcpdump -i br0 -U --immediate-mode -Z root -w "$LAB/heard.pcap" "$@"
    wait_until 5 lab_log_has tcpdump 'listening on' || bail_out "tcpdump does not listen"
}
frames_in() {
    tcpdump -r "$LAB/heard.pcap" -n -xx 2>/dev/null |
        awk '/^\t0x/ { line = $0; sub(/^[^:]*: */, "", line); sub(/  .*$/, "", line); gsub(/ /, "", line); hex = hex line; next }
             { if (hex != "") print hex; hex = "" } END { if (hex != "") print hex }'
}
has_frames() { (($(frames_in | wc -l) >= $1)); }
heard() {
    wait_until 3 has_frames "$1"
    lab_stop tcpdump
    frames_in
}

hex_mac=${mac//:/}
magic=ffffffffffff$(printf "%.0s$hex_mac" {1..16})
three() { printf '%s\n%s\n%s' "$1" "$1" "$1"; }

lab_has_address() { [[ $(ip -o address show dev "$1" 2>/dev/null) == *inet* ]]; }

# ---- given: a segment, and interfaces before it that cannot be meant ----

ip link add unused type bridge
ip link add empty type veth peer name empty-end
ip link set empty up
lab_segment lan
ok $? "a segment"
lan_mac=$(cat "/sys/class/net/lan/address")
segment_run lan ip address add fd00:18::2/64 dev br0 nodad
ip address add fd00:18::1/64 dev lan nodad

# ---- raw Ethernet ----

raw=ffffffffffff${lan_mac//:/}0842$magic

listen ether proto 0x0842
wake -i lan
is "$done_line" "done OK 3 3 lan " "three frames: all sent, all seen"
is "$(heard 3)" "$(three "$raw")" "and heard in the segment as they must be"

listen ether proto 0x0842
wake -c 1
is "$done_line" "done OK 1 1 lan " "without a name, the first Ethernet interface that is up with a carrier"
is "$(heard 1)" "$raw" "sends it"

for password in c0a80307 010203040506; do
    listen ether proto 0x0842
    wake -i lan -c 1 -s "$password"
    is "$done_line" "done OK 1 1 lan " "SecureOn $password is seen"
    is "$(heard 1)" "$raw$password" "and heard"
done

# ---- UDP ----

# udp_case ADDRESS PORT OPTION...: sends there, and compares what tcpdump has heard: destination MAC, IP, port, payload.
payload_of() { if [[ ${1:24:4} == 86dd ]]; then printf '%s' "${1:124}"; else printf '%s' "${1:84}"; fi; }
port_of() { if [[ ${1:24:4} == 86dd ]]; then printf '%d' "0x${1:112:4}"; else printf '%d' "0x${1:72:4}"; fi; }
udp_case() {
    local address=$1 port=$2 frame
    shift 2
    listen udp dst port "$port"
    wake -u "$address" -p "$port" "$@"
    is "$done_line" "done OK 3 3 lan " "UDP to $address port $port: all seen"
    frame=$(heard 3 | head -n 1)
    is "$(frames_in | wc -l)" 3 "three datagrams are heard"
    is "$(port_of "$frame")" "$port" "to the right port"
    is "$(payload_of "$frame")" "$magic${secureon:-}" "with the right payload"
}

udp_case "$(segment_broadcast lan)" 9
udp_case "$(segment_broadcast lan)" 40000 -i lan
udp_case 255.255.255.255 9 -i lan
udp_case "$(segment_address lan)" 7
udp_case fd00:18::2 9
udp_case ff02::1 9 -i lan
udp_case ff02::1%lan 9
secureon=010203040506 udp_case "$(segment_broadcast lan)" 9 -s 010203040506

wake -u 127.0.0.1 -c 2
is "$done_line" "done OK 2 2 lo " "loopback: each packet counts once"
wake -u ::1 -c 2
is "$done_line" "done OK 2 2 lo " "also over IPv6"

lab_spawn tunnel socat -u TUN:198.19.0.1/24,up,tun-name=tunnel,iff-no-pi OPEN:/dev/null
wait_until 5 lab_has_address tunnel
wake -u 198.19.0.9 -c 2
is "$done_line" "done OK 2 2 tunnel " "a tunnel, whose frames have no Ethernet header"
wake -i tunnel
like "$done_line" "FAILED .* tunnel is not an Ethernet interface: name another, or use UDP" "which carries no raw Ethernet"
lab_stop tunnel

# ---- what cannot be sent ----

wake -u 255.255.255.255
like "$done_line" "^done FAILED 0 0 - no route to 255.255.255.255: .*name the interface" "limited broadcast without a route"
wake -u 198.18.1.256
like "$done_line" 'FAILED 0 0 - "198.18.1.256" is not an IPv4 or IPv6 address' "a bad address"
wake -u 127.0.0.1 -p 0
like "$done_line" 'FAILED .* a UDP port is 1 to 65535' "a bad port"
wake -s 010203
like "$done_line" 'FAILED .* a SecureOn password has 4 or 6 octets, not 3' "a bad password, which is not printed"
wake -c 0
like "$done_line" 'FAILED .* at least one packet' "no packet at all"
wake -i nosuch0
is "$done_line" "done FAILED 0 0 - there is no network interface nosuch0" "no such interface"
wake -i lo
like "$done_line" "FAILED .* lo is not an Ethernet interface" "raw Ethernet on the loopback"
wake -i unused
is "$done_line" "done FAILED 0 0 - network interface unused is down" "an interface that is down"
wake -i empty
like "$done_line" "^done NOT_SEEN 3 0 empty .*: the interface has no carrier" "one without a carrier: nothing is claimed"

# ---- what is sent and does not leave ----

wake -u 198.18.1.99
like "$done_line" "^done NOT_SEEN 3 0 lan sent 3 packets, none was seen leaving lan within 1000 ms" "nobody there: ARP fails"

# A token bucket that holds everything back once its first tokens are spent.
tc qdisc add dev lan root tbf rate 8bit burst 200 limit 20000
wake -i lan -c 2 -t 10
wake -i lan
like "$done_line" "^done NOT_SEEN 3 0 lan " "held back by the queueing discipline: not seen"
wake -u "$(segment_broadcast lan)"
like "$done_line" "^done NOT_SEEN 3 0 lan " "UDP as well"

# Somebody sends frames into our interface that equal ours in every octet.
segment_run lan ip link set br0 address "$lan_mac"
"$burst" -m "$mac" -i lan -c 5 -t 200 >"$out" 2>&1 &
pid=$!
wait_until 5 grep -q '^sent 1' "$out"
segment_run lan "$burst" -m "$mac" -i br0 -c 3 -t 10 >"$LAB/log/hostile" 2>&1
ok $? "a stranger sends our very frames"
is "$(grep -c ^seen "$LAB/log/hostile")" 3 "which leave the stranger's interface"
wait "$pid"
read_result
like "$done_line" "^done NOT_SEEN 5 0 lan " "what comes in proves nothing"
tc qdisc del dev lan root

tc qdisc add dev lan root pfifo limit 0
wake -i lan -c 1
like "$done_line" "^done FAILED 0 0 lan cannot send on lan: No buffer space available" "a full queue is tried again, then reported"
tc qdisc del dev lan root

"$burst" -m "$mac" -i lan -c 3 -t 200 >"$out" 2>&1 &
pid=$!
wait_until 5 grep -q '^seen 1' "$out"
segment_run lan "$burst" -m "$mac" -i br0 -c 3 -t 10 >/dev/null 2>&1
segment_run lan "$burst" -m 02:00:00:00:00:12 -i br0 -c 3 -t 10 >/dev/null 2>&1
"$burst" -m 02:00:00:00:00:12 -i lan -c 3 -t 10 >/dev/null 2>&1
"$burst" -m "$mac" -s 01020304 -i lan -c 3 -t 10 >/dev/null 2>&1
wait "$pid"
read_result
is "$done_line" "done OK 3 3 lan " "amid foreign packets, our count is ours"

# ---- interfaces that come and go ----

pair() { ip link add wake0 type veth peer name wake1 && ip link set wake0 up && ip link set wake1 up && wait_until 5 lab_has_carrier wake0; }
# control_burst OPTION...: in the background, started again by every line written to descriptor 7.
control_burst() {
    mkfifo "$LAB/control"
    "$burst" -m "$mac" -r "$@" <"$LAB/control" >"$out" 2>&1 &
    pid=$!
    exec 7>"$LAB/control"
    rm "$LAB/control"
}
begun_count() { (($(grep -c '^seen 1 ' "$out") >= $1)); }
done_count() { (($(grep -c ^done "$out") >= $1)); }
end_control() {
    exec 7>&-
    wait "$pid"
    ok $? "the engine closes"
    read_result
    ok "$((cpu_ms > 300))" "no busy loop: $cpu_ms ms of CPU"
}

pair
control_burst -i wake0 -c 8 -t 200
wait_until 5 grep -q '^seen 2' "$out"
ip link set wake0 down
sent_before=$(grep -c ^sent "$out")
sleep 0.5 # packets are due in this time
ip link set wake0 up
wait_until 10 done_count 1
read_result
like "$done_line" "^done OK [3-7] [3-7] wake0 only [3-7] of 8 packets could be sent: network interface wake0 is down" \
    "down in the middle ($sent_before sent before): the rest is sent when it is up again"
ip link set wake0 down
ip link set wake0 up
wait_until 5 lab_has_carrier wake0
echo >&7
wait_until 10 done_count 2
read_result
is "$done_line" "done OK 8 8 wake0 " "a capture that went down between bursts is opened again"
ip link delete wake0
echo >&7
wait_until 10 done_count 3
read_result
is "$done_line" "done FAILED 0 0 - there is no network interface wake0" "gone between bursts"
pair
echo >&7
wait_until 10 done_count 4
read_result
is "$done_line" "done OK 8 8 wake0 " "and back under the same name"
echo >&7
wait_until 10 begun_count 4
ip link delete wake0
wait_until 10 done_count 5
read_result
like "$done_line" "^done (OK|UNPROVED|FAILED) [0-7] [0-7] .* no network interface wake0" "gone in the middle of a burst"
end_control

# ---- privileges ----

as_nobody() { setpriv --reuid=65534 --regid=65534 --clear-groups "$@"; }
# Owned by root: the program must be reachable for nobody.
cp "$burst" "$LAB/wol_burst"
chmod 755 "$LAB/wol_burst"
as_nobody "$LAB/wol_burst" -m "$mac" -i lan >"$out" 2>&1
read_result
like "$done_line" "^done FAILED 0 0 - sending raw Ethernet needs CAP_NET_RAW: .*setcap.*UDP$" "raw Ethernet without CAP_NET_RAW"
listen udp dst port 9
as_nobody "$LAB/wol_burst" -m "$mac" -i lan -u 255.255.255.255 >"$out" 2>&1
read_result
like "$done_line" "^done UNPROVED 3 0 lan capturing on lan needs CAP_NET_RAW: .*setcap" "UDP without it is sent, unproved"
is "$(heard 3 | wc -l)" 3 "and heard"
as_nobody --inh-caps=+net_raw --ambient-caps=+net_raw "$LAB/wol_burst" -m "$mac" -i lan >"$out" 2>&1
read_result
is "$done_line" "done OK 3 3 lan " "with CAP_NET_RAW and nothing else, raw frames are sent and seen"

# ---- many at once ----

wake -i lan -n 200
like "$done_line" "^total 200 600 600 " "200 machines at once: each sees its own three"
note "200 bursts started in ${done_line##* } us, $cpu_ms ms of CPU"
wake -u "$(segment_broadcast lan)" -n 200
like "$done_line" "^total 200 600 600 " "200 by UDP"
"$burst" -m "$mac" -i lan >"$LAB/log/twin" 2>&1 &
pid=$!
wake -i lan
wait "$pid"
is "$done_line" "done OK 3 3 lan " "two processes wake one machine: one counts three"
is "$(grep ^done "$LAB/log/twin")" "done OK 3 3 lan " "so does the other"
wake -i lan -x
like "$done_line" "^done CANCELLED 1 [01] lan " "cancelled at the first packet"
is "$(grep -c ^done "$out")" 1 "reported once"

done_testing
