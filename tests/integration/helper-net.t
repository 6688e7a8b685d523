#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# pmstack-host and interfaces of every kind that this kernel makes by itself: what they are, what they stand on, and that none of
# them can wake a machine. Names of whatever octets, hundreds of interfaces, another network namespace.
# shellcheck disable=SC1003,SC2001,SC2016 # what a shell would expand must reach the helper as it is
set -u
# shellcheck source=tests/lab/lab.sh
. "$(dirname "$0")/../lab/lab.sh"
# shellcheck source=tests/integration/helper.sh
. "$(dirname "$0")/helper.sh"
lab_begin "$@"
helper_machine

# interface NAME: kind, physical, lowers, state, of the last report.
interface() {
    /usr/bin/python3 -I -c '
import json, sys
report = json.loads(sys.stdin.buffer.read().decode("utf-8"))
for i in report["interfaces"]:
    if i["name"] == sys.argv[1]:
        print(i["kind"], "physical" if i["physical"] else "virtual", ",".join(sorted(i["lowers"])) or "-", i["state"])' "$1" <<<"$ANSWER"
}
of_interface() {
    /usr/bin/python3 -I -c '
import json, sys
report = json.loads(sys.stdin.buffer.read().decode("utf-8"))
print(*(json.dumps(i[sys.argv[2]]) for i in report["interfaces"] if i["name"] == sys.argv[1]))' "$1" "$2" <<<"$ANSWER"
}

# ---- given: a stack of all that there is ----

ip link add br0 type bridge
ip link add veth0 type veth peer name veth1
ip link set veth0 master br0
ip tuntap add tap0 mode tap && ip link set tap0 master br0
ip tuntap add tun0 mode tun
ip link add vxlan0 type vxlan id 7 remote 127.0.0.1 dstport 4789 && ip link set vxlan0 master br0
ip link add link br0 macvlan0 type macvlan
ip link add ifb9 type ifb
ip link set br0 up
# but for the clocks that tick in a bridge
links() { ip -d link | sed -E 's/[a-z_]+_timer +[0-9.]+//g'; }
before=$(links)

helper report
is "$(interface lo)" "loopback virtual - notSupported" "lo"
is "$(interface br0)" "bridge virtual tap0,veth0,vxlan0 notSupported" "a bridge stands on its ports"
is "$(interface veth0)" "veth virtual - notSupported" "a veth does not stand on its other end"
is "$(interface veth1)" "veth virtual - notSupported" "nor the other way round"
is "$(interface tap0)" "tun virtual - notSupported" "a tap, of virtual machines"
is "$(interface tun0)" "tun virtual - notSupported" "a tun"
is "$(interface vxlan0)" "vxlan virtual - notSupported" "a vxlan"
is "$(interface macvlan0)" "macvlan virtual br0 notSupported" "a macvlan stands on what it was made on"
is "$(interface ifb9)" "ifb virtual - notSupported" "an ifb"
is "$(of_interface br0 up) $(of_interface veth1 up)" "true false" "it is told what is up"
is "$(of_interface veth1 mac)" "\"$(cat /sys/class/net/veth1/address)\"" "and which MAC they have"
is "$(of_interface lo mac) $(of_interface tun0 mac)" "null null" "those without a MAC have none"
is "$(of_interface br0 wol)" '{"supported": null, "set": null}' "and what would wake them: nothing"

for name in br0 veth0 tap0 tun0 vxlan0 macvlan0 ifb9 lo; do
    for run in -j -n; do
        helper -j $run arm-wol $name
        says notSupported 4 "^$name \([a-z]+\) is no physical port, and has none under it\$" "$run arm-wol $name"
    done
done
helper -j arm-wol
says notSupported 4 "no physical port" "arm-wol, without a port"
is "$(member ports)" "[]" "no port is told"
helper -j arm-wol "$(cat /sys/class/net/veth1/address)"
says failed 7 "no physical port has the MAC .*; physical ports: none" "the MAC of something that is no port"
helper -j arm-wol nothing
says failed 7 "there is no interface nothing, but .*br0" "an interface that is not there: it says which are"
is "$(links)" "$before" "nothing was changed"

# ---- in two namespaces ----

ip netns add other
ip link add link br0 name away type macvlan && ip link set away netns other
ANSWER=$(ip netns exec other /usr/sbin/pmstack-host report)
is "$(interface away)" "macvlan virtual - notSupported" "what stands on something in another namespace stands on nothing here"
is "$(interface br0)" "" "and that is not seen"
ip netns del other

# ---- names ----

names=('a;b' '$(x)' '`id`' '"' "'" '\' '&&' '|' '<>' '*' '-n' '--ssh' 'ä' '{"a"' $'\177' $'a\001')
if ip link add "$(printf 'x\377\376')" type bridge 2>/dev/null; then names+=("$(printf 'x\377\376')"); fi
for name in "${names[@]}"; do
    ip link show dev "$name" >/dev/null 2>&1 || ip link add name "$name" type bridge || fail "the kernel takes $name"
done
helper report
is "$(member result)" ok "a report of names of any octets is JSON, in UTF-8"
for name in "${names[@]}"; do
    shown=$(LC_ALL=C sed 's/[\x01-\x1f\x7f\xfe\xff]/?/g' <<<"$name")
    is "$(interface "$shown")" "bridge virtual - notSupported" "a bridge named $shown"
    helper_before=$ANSWER
    helper -j arm-wol -- "$name"
    is "$(member result) $STATUS" "notSupported 4" "it is found by that name"
    ANSWER=$helper_before
done
ip link add 'x y' type bridge 2>"$LAB/log/space.log"
isnt $? 0 "a space is not for names"
helper -j arm-wol 'x y'
says failed 7 "there is no interface x y" "nor is it found"
helper -j arm-wol $'\e[2J\xff\n'
says failed 7 'there is no interface \?\[2J\?\?, but' "what is shown of it does no harm"

# ---- many ----

# as iproute2's batch: half a second instead of five
for i in {1..400}; do printf 'link add many%d type veth peer name manyb%d\nlink set many%d master br0\n' "$i" "$i" "$i"; done |
    ip -batch - || fail "800 interfaces"
start_ms=$(tap_now_ms)
helper report
took_ms=$(($(tap_now_ms) - start_ms))
is "$(member result)" ok "a report of 800 interfaces"
ok $((${#ANSWER} > 60000)) "is shorter than 60 kB: ${#ANSWER}"
like "$(member text)" "; [0-9]+ interfaces are left out\$" "it tells how many are left out"
shown=$(member interfaces | /usr/bin/python3 -c 'import json, sys; print(len(json.load(sys.stdin)))')
is $((shown + $(member text | grep -Eo '[0-9]+ interfaces' | cut -d' ' -f1))) "$(ip -o link | wc -l)" "and no other is missing"
ok $((took_ms > 2000)) "it takes $took_ms ms"
helper -j arm-wol br0
says notSupported 4 "^br0 \(bridge\)" "arm-wol finds its way among them"
done_testing
