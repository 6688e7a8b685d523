#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# pmstack-host on a machine of its own, with Debian's kernel and network cards of two kinds: it is asked as an agent asks
# it, by ssh with a forced command, as a user who may what sudo allows. What it says that it has done is looked at by
# other programs: ethtool, iproute2, the machine itself.
# shellcheck disable=SC2016 # what the guest's shell expands
set -u
# shellcheck source=tests/lab/lab.sh
. "$(dirname "$0")/../lab/lab.sh"
lab_begin "$@"
lab_need etherwake

# ---- given: a machine with five ports; the first one is its way to the network, two have the same MAC ----

WAIT_S=20
lab_segment lan || bail_out "no segment"
twin=52:54:00:20:77:77
lab_guest box lan --user pmstack --nic "rtl8139,$twin" --nic e1000 --nic "rtl8139,$twin" --nic rtl8139 --on || bail_out "no guest"

# host ARGUMENT...: by ssh; its lines are in $answer, without what sshd says, its exit status in $status.
host() {
    answer=$(guest_ssh box "$@" 2>"$LAB/log/ssh.log")
    status=$?
}
# root ARGUMENT...: as root in the guest, which spares the time of ssh.
root() {
    answer=$(guest_run box "pmstack-host $*")
    status=$?
}
on_box() { guest_run box "$1"; }
wol_of() { on_box "ethtool $1" | awk '$1 == "Wake-on:" { print $2 }'; }
wol_of_all() { on_box 'for p in lan0 lan1 lan2 lan3 lan4; do ethtool $p; done' | awk '$1 == "Wake-on:" { print $2 }' | paste -sd' '; }
disarm() { on_box 'for p in lan0 lan1 lan3 lan4; do ethtool -s $p wol d; done'; }
# going: whether its first line says so; if the machine is still there afterwards, another one says how it went.
going() { [[ $(head -n 1 <<<"$answer") == *'"result":"going"'* ]]; }
# field NAME: of the answer's last line; a port's are behind it: "lan1 armed".
field() { tail -n 1 <<<"$answer" | grep -oE "\"$1\":(\"[^\"]*\"|[^,}]*)" | head -n 1 | sed -E 's/^"[^"]*"://; s/^"//; s/"$//'; }
ports() { tail -n 1 <<<"$answer" | grep -oE '"ports":.*' | grep -oE '"(name|state)":"[^"]*"' | cut -d'"' -f4 | paste -sd' '; }
# interface NAME: what the report says of it.
interface() { grep -oE "\{\"name\":\"$1\",[^{]*\{[^}]*\}[^}]*\}" <<<"$answer"; }
boot_id() { on_box 'cat /proc/sys/kernel/random/boot_id'; }

# ---- report ----

host report
is "$status $(field result)" "0 ok" "report, as a user by sudo" || diag "$(<"$LAB/log/ssh.log")"
is "$(field uuid)" "$(guest_uuid box)" "the UUID of the firmware"
is "$(field boot-id) $(field hostname)" "$(boot_id) box" "boot id and name"
like "$answer" '"can":\{"suspend":true,"hibernate":false\}' "it can suspend, and cannot hibernate: there is no swap"
like "$(interface lan0)" '"kind":"ethernet","mac":"52:54:00:20:01:00","permanent-mac":"52:54:00:20:01:00","up":true,.*"physical":true,"wol":\{"supported":"pumbg","set":"d"\},"state":"disarmed"' \
    "a port that can be armed"
like "$(interface dummy0)" '"kind":"dummy",.*"physical":false' "a dummy is not a port"
host -j poweroff\;reboot
is "$status $(field result)" "2 usage" "nothing else than requests comes through the forced command"
guest_ssh box -j setup >"$LAB/log/setup.log" 2>&1
like "$(<"$LAB/log/setup.log")" '"result":"usage"' "nor is setup a request"

# ---- arm-wol: ports by themselves ----

host -j arm-wol lan0
is "$status $(field result) $(ports)" "0 ok lan0 armed" "lan0 is armed, by ssh and sudo"
is "$(wol_of_all)" "g d d d d" "and no other port"
disarm
root -j arm-wol lan2
is "$status $(field result) $(ports)" "4 notSupported lan2 notSupported" "e1000 cannot be armed"
like "$(field text)" "offers it, but refuses" "and that is told as it is: its driver offers it"
is "$(wol_of lan2)" d "ethtool sees so, too"
root -j arm-wol
is "$status $(field result)" "0 ok" "without a name: all that can be armed"
is "$(ports)" "lan0 armed lan1 armed lan3 armed lan4 armed lan2 notSupported" "each port is told of" || diag "$answer"
is "$(wol_of_all)" "g g d g g" "ethtool sees so, too"
disarm
on_box 'ethtool -s lan4 wol p'
root -j arm-wol lan4
is "$(wol_of lan4)" pg "what woke it before still does"
disarm
root -j -n arm-wol lan4
is "$status $(field result) $(wol_of lan4)" "0 ok d" "dry run: nothing is armed"
like "$(field text)" '^would ' "and it says what would be"
root -j arm-wol "$twin"
is "$status $(ports)" "0 lan1 armed lan3 armed" "two ports have the same MAC: both are armed"
like "$(field text)" "2 ports have the MAC $twin" "and it says so"
is "$(wol_of_all)" "d g d g d" "ethtool sees so, too"
disarm
root -j arm-wol lan9
like "$status $(field result) $(field text)" "^7 failed .*lan9.*lan0" "an unknown port: it says which there are"
root -j arm-wol 02:00:00:00:00:99
like "$status $(field text)" "^7 .*02:00:00:00:00:99.*lan0" "an unknown MAC, too"
root -j arm-wol dummy0
like "$status $(field text)" "^[47] .*no physical port" "a dummy has no port"

# ---- arm-wol: under what administrators put over ports ----

on_box 'for c in all default; do echo 1 >/proc/sys/net/ipv6/conf/$c/disable_ipv6; done' # its addresses come by themselves

# over NAME COMMANDS PORTS: with these interfaces, arming NAME arms PORTS, and changes nothing else.
snapshot() { on_box '/bin/ip -d link; /bin/ip address; /bin/ip route' | sed -E 's/[a-z_]+_timer +[0-9.]+//g'; }
over() {
    local before
    on_box "$2" >"$LAB/log/over.log" || fail "$1: $(<"$LAB/log/over.log")" || return
    on_box 'for p in '"${3//armed/} $1"'; do i=0; until /bin/ip link show $p | grep -q "state UP" || [ $i = 50 ]; do sleep 0.1; i=$((i + 1)); done; done'
    before=$(snapshot)
    root -j arm-wol "$1"
    is "$status $(ports)" "0 $3" "$4" || diag "$answer"
    is "$(diff <(echo "$before") <(snapshot))" "" "... and the interfaces are as before"
}
over br1 '/bin/ip link add br1 type bridge && /bin/ip link set lan1 master br1 up && /bin/ip link set dummy0 master br1 up &&
    /bin/ip address add 10.1.0.1/24 dev br1 && /bin/ip link set br1 up' "lan1 armed" "a bridge stands for its port"
is "$(wol_of_all)" "d g d d d" "and for no other"
disarm
on_box '/bin/ip link delete br1; /bin/ip link set lan1 down'
over br2 '/bin/ip link add bond1 type bond mode active-backup && for p in lan1 lan4; do
    /bin/ip link set $p down && /bin/ip link set $p master bond1 || exit; done
    /bin/ip link set bond1 up && /bin/ip link add link bond1 name bond1.5 type vlan id 5 && /bin/ip link set bond1.5 up &&
    /bin/ip link add br2 type bridge && /bin/ip link set bond1.5 master br2 && /bin/ip address add 10.2.0.1/24 dev br2 &&
    /bin/ip link set br2 up' "lan1 armed lan4 armed" "a bridge over a VLAN over a bond: the bond's two ports"
is "$(wol_of_all)" "d g d d g" "and no other"
like "$answer" "\"name\":\"lan4\",\"mac\":\"$twin\",\"permanent-mac\":\"52:54:00:20:01:04\"" "a port in a bond has another MAC than its own"
disarm
root -j arm-wol 52:54:00:20:01:04
is "$status $(ports)" "0 lan4 armed" "it is found by its own one, too"
disarm
root -j arm-wol bond1.5
is "$status $(ports) $(wol_of_all)" "0 lan1 armed lan4 armed d g d d g" "the VLAN stands for the same ports"
disarm
on_box '/bin/ip link delete br2; /bin/ip link delete bond1.5; /bin/ip link delete bond1; /bin/ip link set lan1 down; /bin/ip link set lan4 down'
over team1 '/bin/ip link add team1 type team && /bin/ip link set lan1 master team1 && /bin/ip link set lan4 master team1 &&
    /bin/ip link set lan1 up; /bin/ip link set lan4 up; /bin/ip link set team1 up' "lan1 armed lan4 armed" "a team: its two ports"
disarm
on_box '/bin/ip link delete team1; /bin/ip link set lan1 down'
over mv4 '/bin/ip link set lan4 up; /bin/ip link add link lan4 name mv4 type macvlan && /bin/ip link set mv4 up' "lan4 armed" "a macvlan: the port below"
disarm
on_box '/bin/ip link delete mv4'

# ---- runlevels, reboot ----

id=$(boot_id)
host -j init 3
is "$status $(guest_count box 'guest: runlevel 3')" "0 1" "init 3, by the machine's own telinit" || diag "$answer"
host -j init 9
is "$status $(field result)" "2 usage" "init 9"
host -j reboot
going
ok $? "reboot" || diag "$answer"
again() { [[ $(guest_boots box) == "$1" ]] && guest_answers_ssh box; }
wait_until "$LAB_GUEST_UP_S" again 2
isnt "$(boot_id)" "$id" "it has started again, with another boot id"

# ---- suspend ----

host -j arm-wol lan0
id=$(boot_id)
host -j -n suspend
like "$status $(field result) $(field text)" "^0 ok would suspend" "suspend, dry"
host -j -b 00000000-0000-4000-8000-000000000000 suspend
is "$status $(field result)" "5 otherBoot" "in another boot: refused"
host -j hibernate
is "$status $(field result)" "4 notSupported" "it cannot hibernate, and says so"
is "$(guest_is_on box; echo $?)" 0 "the machine is on"
host -j -b "$id" suspend
going
ok $? "it suspends" || diag "$answer"
wait_until "$WAIT_S" guest_is_suspended box
ok $? "and it is: QEMU says so"
etherwake -i "$(segment_interface lan)" "$(guest_mac box)"
wait_until "$WAIT_S" guest_said box 'PM: suspend exit'
is "$(sleeper_heard box " woken$" | wc -l)" 1 "a magic packet wakes it"
wait_until "$WAIT_S" guest_answers_ssh box
host report
is "$(field boot-id) $(guest_boots box)" "$id 2" "and it is the same boot"
like "$(interface lan0)" '"state":"disarmed"' "in which this card is not armed any more"
is "$(wol_of lan0)" d "ethtool says so, too"

# ---- poweroff ----

host -j poweroff
going
ok $? "poweroff" || diag "$answer"
wait_until "$WAIT_S" guest_is_off box
ok $? "it is off"
etherwake -i "$(segment_interface lan)" "$(guest_mac box)"
wait_until 5 sleeper_heard box ' disarmed$' >/dev/null
ok $? "the card has forgotten in its sleep that it was armed: it does not hear the magic packet"
is "$(guest_is_off box; echo $?) $(machine_boots box)" "0 1" "and stays off"
done_testing
