#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Probes against real stacks: hosts that answer, refuse, are silent, or are answered for by a router.
set -u
# shellcheck source=tests/lab/lab.sh
. "$(dirname "$0")/../lab/lab.sh"
lab_begin "$@"

programs=${PM_TEST_BIN:-$LAB_ROOT/build/tests}
ask=$programs/probe_ask
[[ -x $ask && -x $programs/probe_rejecter ]] || bail_out "$programs/probe_* are missing: make programs"
probe() { answer=$("$ask" "$@" 2>&1); }
elapsed_ms() {
    read -r _ ms _ <<<"$answer"
    printf '%d' "$ms"
}

lab_segment lan
ok $? "a segment"
host=$(segment_address lan)
segment_run lan ip address add fd00:18::2/64 dev br0 nodad
ip address add fd00:18::1/64 dev lan nodad

# ---- ICMP ----

probe icmp "$host"
like "$answer" "^UP [0-9]+ $host answered an echo request" "an echo reply"
probe icmp fd00:18::2
like "$answer" "^UP [0-9]+ fd00:18::2 answered" "over IPv6"
settled() { [[ -z $(ip -6 -o address show tentative)$(segment_run lan ip -6 -o address show tentative) ]]; }
wait_until 5 settled
link_local=$(segment_run lan ip -6 -o address show dev br0 scope link | sed -E 's/.*inet6 ([^/]+).*/\1/')
probe icmp "$link_local%lan"
like "$answer" "^UP [0-9]+ $link_local" "link-local, with its zone"
probe icmp 127.0.0.1
like "$answer" "^UP " "the loopback: a reply, and not one's own request"
probe icmp 198.18.1.99
like "$answer" "^SILENT [0-9]+ no answer from 198.18.1.99" "nobody there"
ok "$(($(elapsed_ms) < 1000 || $(elapsed_ms) > 1500))" "silent after the timeout, $(elapsed_ms) ms"
probe icmp 203.0.113.1
like "$answer" "^ERROR .*: Network is unreachable" "no route"
probe icmp "$(segment_broadcast lan)"
like "$answer" "^ERROR .*: Permission denied" "a broadcast address is no host"
probe -n 1000 icmp "$host"
is "$(grep -c ^UP <<<"$answer")" 1000 "1000 probes at once are all answered"

# ---- a host that comes up while it is asked ----

segment_run lan ip address add 198.18.1.50/24 dev br0 noprefixroute
segment_run lan ip address del 198.18.1.50/24 dev br0
"$ask" -t 8000 icmp 198.18.1.50 >"$LAB/log/late" 2>&1 &
late_pid=$!
"$ask" -t 8000 tcp 198.18.1.50 22 >"$LAB/log/late-tcp" 2>&1 &
late_tcp_pid=$!
incomplete() { [[ $(ip neighbour show 198.18.1.50 dev lan) == *INCOMPLETE* || $(ip neighbour show 198.18.1.50 dev lan) == *FAILED* ]]; }
wait_until 3 incomplete
segment_run lan ip address add 198.18.1.50/24 dev br0
wait "$late_pid" "$late_tcp_pid"
like "$(<"$LAB/log/late")" "^UP [0-9]+ 198.18.1.50" "ICMP: asked again until it is there"
like "$(<"$LAB/log/late-tcp")" "^UP [0-9]+ 198.18.1.50" "TCP too"

# ---- TCP ----

probe tcp "$host" 22
like "$answer" "^UP [0-9]+ $host refused a TCP connection" "refused by the host itself"
probe tcp fd00:18::2 22
like "$answer" "^UP [0-9]+ fd00:18::2 refused" "over IPv6"
probe tcp 198.18.1.99 22
like "$answer" "^SILENT " "nobody there"
probe -t 5000 tcp 198.18.1.98 22
like "$answer" "^SILENT " "nobody there, longer than ARP tries"
ok "$(($(elapsed_ms) < 5000 || $(elapsed_ms) > 5500))" "silent after the timeout, $(elapsed_ms) ms"
probe tcp 203.0.113.1 22
like "$answer" "^ERROR .*network is unreachable" "no route"
probe -x tcp "$host" 22
like "$answer" "^CANCELLED " "cancelled"

# ---- a router that answers for the host ----

segment_run lan sysctl -q net.ipv4.ip_forward=1
segment_run lan ip route add unreachable 198.18.9.0/24
segment_run lan ip route add prohibit 198.18.10.0/24
ip route add 198.18.9.0/24 via "$host"
ip route add 198.18.10.0/24 via "$host"
for target in 198.18.9.1 198.18.10.1; do
    probe icmp "$target"
    like "$answer" "^SILENT " "ICMP, unreachable says the router: $target is not up"
    probe tcp "$target" 22
    like "$answer" "^SILENT " "TCP, unreachable says the router: $target is not up"
done

# A firewall on the way that rejects with "port unreachable": connect() reports a refusal then, too.
segment_run lan ip route replace blackhole 198.18.9.0/24
lab_spawn rejecter nsenter --net="/run/netns/$(<"$LAB/segment/lan/netns")" \
    "$programs/probe_rejecter" br0
wait_until 5 lab_log_has rejecter '^rejecting' || bail_out "the rejecting firewall is not up"
probe tcp 198.18.9.1 22
like "$answer" "^SILENT " "TCP, a firewall rejects with ICMP port unreachable: the host is not up"
ok "$(! lab_log_has rejecter '^rejected'; echo $(($? == 0)))" "and the firewall did reject"
lab_stop rejecter

# ---- names ----

printf '127.0.0.1 localhost\n%s two-addresses\nfd00:18::99 two-addresses\n' "$host" >"$LAB/etc/hosts"
mount --bind "$LAB/etc/hosts" /etc/hosts
probe icmp two-addresses
like "$answer" "^UP [0-9]+ $host answered" "a name with two addresses: one that answers is enough"
probe tcp two-addresses 22
like "$answer" "^UP [0-9]+ $host refused" "by TCP as well"
printf 'hosts: files\n' >"$LAB/etc/nsswitch.conf"
mount --bind "$LAB/etc/nsswitch.conf" /etc/nsswitch.conf
probe icmp nosuchhost.invalid
like "$answer" '^ERROR [0-9]+ cannot look up "nosuchhost.invalid": ' "a name that does not resolve"

# ---- privileges ----

cp "$ask" "$LAB/probe_ask"
chmod 755 "$LAB/probe_ask"
as_nobody() { answer=$(setpriv --reuid=65534 --regid=65534 --clear-groups "$LAB/probe_ask" "$@" 2>&1); }
sysctl -qw net.ipv4.ping_group_range="1 0"
as_nobody icmp "$host"
like "$answer" "^ERROR .*needs CAP_NET_RAW, or .*ping_group_range" "no privilege: said so"
as_nobody tcp "$host" 22
like "$answer" "^UP " "TCP needs none"
sysctl -qw net.ipv4.ping_group_range="0 65534"
as_nobody icmp "$host"
like "$answer" "^UP " "a ping socket is enough"
as_nobody icmp fd00:18::2
like "$answer" "^UP " "over IPv6"
as_nobody icmp 198.18.1.99
like "$answer" "^SILENT " "and silence is silence"

done_testing
