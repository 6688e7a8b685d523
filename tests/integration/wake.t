#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Wake-on-LAN through SNMP: what the sleeping NICs heard, what was proved, what is said when it cannot work.
# shellcheck disable=SC2119 # functions of the lab have optional arguments
set -u
# shellcheck source=tests/lab/lab.sh
. "$(dirname "$0")/../lab/lab.sh"
# shellcheck source=tests/integration/room.sh
. "$(dirname "$0")/room.sh"
lab_begin "$@"

# ---- given: two segments, and machines that sleep in them, each in its own way ----

mac() { printf '02:00:5e:20:00:%02d' "$1"; }
{ lab_snmptrapd && lab_snmpd; } || bail_out "no master agent"
{ lab_segment lan && lab_segment far; } || bail_out "no segments"
lan=$(segment_interface lan)
lab_secret "$LAB/etc/nic.secureon" 01:02:03:04:05:06
lab_sleeper lan nas1 "$(mac 1)" || bail_out "no sleeper"
lab_sleeper lan nas2 "$(mac 2)" --only udp
lab_sleeper far nas3 "$(mac 3)" --only udp
lab_sleeper lan nas4 "$(mac 4)" --secureon "$LAB/etc/nic.secureon"
lab_sleeper lan nas5 "$(mac 5)" --secureon "$LAB/etc/nic.secureon"
lab_sleeper lan nas6 "$(mac 6)" --deaf 4
lab_sleeper lan nas7 "$(mac 7)" --port 2222
lab_sleeper lan nas8 "$(mac 8)"
lab_sleeper lan nas10 "$(mac 10)"
lab_bmc nas10 || bail_out "no BMC"
secureon=$(lab_agent_secret agent.secureon 01:02:03:04:05:06)
wrong=$(lab_agent_secret wrong.secureon 01:02:03:04:05:07)
ip link add gone0 type veth peer name gone1 && ip link set gone0 up && ip link set gone1 up
ip link add idle0 type veth peer name idle1

# conf: the configuration of all machines; nas9 exists nowhere.
conf() {
    local probe='probe { method = "icmp"  timeout = 500ms  address'
    cat <<END
agent { name = "wake"  poll-interval = 1s }
credentials "lab" { username = "$LAB_BMC_USER"  password-file = "$LAB_BMC_PASSWORD_FILE"  cipher-suites = { 3 } }
machine "nas1" { $probe = "$(machine_address nas1)" }
  nic "eth0" { mac = "$(mac 1)"  interface = "$lan" } }
machine "nas2" { $probe = "$(machine_address nas2)" }  on-timeout = 4s
  nic "eth0" { mac = "$(mac 2)"  wol = "udp"  address = "$(segment_broadcast lan)" } }
machine "nas3" { $probe = "$(machine_address nas3)" }
  nic "eth0" { mac = "$(mac 3)"  wol = "udp"  address = "255.255.255.255"  interface = "$(segment_interface far)"  port = 40000 } }
machine "nas4" { $probe = "$(machine_address nas4)" }
  nic "eth0" { mac = "$(mac 4)"  interface = "$lan"  secureon-file = "$secureon" } }
machine "nas5" { $probe = "$(machine_address nas5)" }  on-timeout = 3s
  nic "eth0" { mac = "$(mac 5)"  interface = "$lan"  secureon-file = "$wrong" } }
machine "nas6" { $probe = "$(machine_address nas6)" }
  nic "eth0" { mac = "$(mac 6)"  interface = "$lan" } }
machine "nas7" { probe { method = "tcp"  address = "$(machine_address nas7)"  port = 2222  timeout = 500ms }
  nic "eth0" { mac = "$(mac 7)"  interface = "$lan" } }
machine "nas8" { nic "eth0" { mac = "$(mac 8)"  interface = "$lan" } }
machine "nas9" { $probe = "198.18.1.99" }  on-timeout = 2s
  nic "eth0" { mac = "$(mac 9)"  interface = "$lan" } }
machine "nas10" { bmc { address = "$(bmc_address nas10)"  credentials = "lab" }  power-on-method = "wol"
  nic "eth0" { mac = "$(mac 10)"  interface = "$lan" } }
machine "bare" { nic "eth0" { interface = "$lan" } }
machine "none" { nic "eth0" { mac = "$(mac 11)"  interface = "wol99" } }
machine "down" { nic "eth0" { mac = "$(mac 12)"  interface = "idle0" } }
machine "gone" { nic "eth0" { mac = "$(mac 13)"  interface = "gone0" } }
END
}
conf | lab_agent_conf
lab_agent || bail_out "no agent"
wait_until "$WAIT_S" snmp_is reader pmMachinePowerState.10 off
is "$(value pmMachinePowerState.1) $(value pmMachinePowerState.8)" "unknown unknown" "no answer to a probe is not off, nor is no probe"
is "$(value pmMachineOsReachable.8)" unknown "nobody asks whether nas8 is there"

# heard N: what nasN's NIC heard that was for it.
heard() { sleeper_heard "nas$1" "$(mac "$1")"; }
heard_count() { heard "$1" | wc -l; }

# wake INDEX RESULT NAME: pmNicWake, and how its job ends.
wake() {
    put "pmNicWake.$1.1" send >/dev/null || fail "$3: the SET is accepted" || return
    job_end "$1"
    is "$(value "pmMachineLastResult.$1")" "$2" "$3" || diag "$(result_text "$1")"
}

# ---- by Ethernet, and all that is told of it ----

is "$(value pmNicWakeSent.1.1) $(value pmNicWakeSeen.1.1) $(value pmNicLastResult.1.1)" "0 0 none" "no wake yet"
like "$(value pmNicLastSent.1.1)" '^0-0-0,' "and no time of one"
trap_mark
wake 1 ok "a wake by Ethernet"
machine_is_on nas1
ok $? "the machine runs"
is "$(value pmMachinePowerState.1) $(value pmMachineStateSource.1) $(value pmMachineOsReachable.1)" "on probe yes" "seen up by the probe"
like "$(heard 1 | head -n 1)" "ethernet $(mac 1) secureon=0 .*woken" "its NIC heard an Ethernet magic packet"
count=$(heard_count 1)
is "$(value pmNicWakeSent.1.1) $(value pmNicWakeSeen.1.1)" "$count $count" "sent, seen and heard are the same number: $count"
[[ $count -ge 1 && $count -le 3 ]]
ok $? "one burst was enough"
is "$(value pmNicLastResult.1.1)" ok "the NIC's result"
like "$(value pmNicLastSent.1.1) $(value pmNicLastSeen.1.1)" '^20[0-9]+-.* 20[0-9]+-' "the times of the last packet sent and seen"
like "$(result_text 1)" "on, observed by the probe.*$count of $count magic packets seen" "the result in words"
told pmWakeSeen "pmWakeSeen"
is "$(trap_names "$told")" "pmMachineName.1 pmNicMacAddress.1.1 pmNicInterface.1.1 pmNicLastResult.1.1 pmNotifyText.0 pmNotifyEventIndex.0" \
    "pmWakeSeen: names and instances in order"
is "$(trap_objects "$told")" "$(mib_objects pmWakeSeen)" "as in the MIB"
is "$(trap_value "$told" pmMachineName.1) $(trap_value "$told" pmNicMacAddress.1.1) $(trap_value "$told" pmNicInterface.1.1) $(trap_value "$told" pmNicLastResult.1.1)" \
    "nas1 2:0:5e:20:0:1 $lan none" "pmWakeSeen: values"
like "$(trap_value "$told" pmNotifyText.0)" "$lan" "the text has the interface that was used"
is "$(value "pmEventKind.1.$(trap_value "$told" pmNotifyEventIndex.0)")" wakeSeen "its event row"
told 'pmPowerStateChange.*pmMachinePowerState.1 = on' "the machine's coming up is told"
told 'pmJobFinished.*pmNotifyJobAction.0 = wake' "and the end of the job"
is "$(trap_count pmWakeSeen)" 1 "pmWakeSeen was told once"
snmp_as reader walk -Ov pmEventKind.1 2>/dev/null | grep -qx wakeSent
ok $? "the history has the sending"

# ---- a wake of what is up, and verbs instead ----

wake 1 ok "a wake of a machine that is up is sent all the same"
[[ $(heard_count 1) -gt $count ]]
ok $? "and heard"
count=$(heard_count 1)
verb 1 powerOn alreadyInState "powerOn of a machine that is up"
is "$(heard_count 1)" "$count" "sends nothing"
put pmNicWake.1.1 idle >/dev/null
isnt $? 0 "idle is no verb"

# ---- by UDP ----

wake 2 ok "a wake by UDP to a directed broadcast"
like "$(heard 2 | head -n 1)" "udp $(mac 2) .*to=ff:ff:ff:ff:ff:ff port=9 woken" "its NIC heard a broadcast to port 9"
is "$(value pmNicWakeSent.2.1)" "$(value pmNicWakeSeen.2.1)" "each was seen on the wire"
wake 3 ok "a wake by UDP to the limited broadcast, on the given interface and port"
like "$(heard 3 | head -n 1)" "udp $(mac 3) .*to=ff:ff:ff:ff:ff:ff port=40000 woken" "its NIC heard it"
is "$(value pmNicWakeSent.3.1)" "$(value pmNicWakeSeen.3.1)" "each was seen on the wire"
is "$(sleeper_heard nas1 "$(mac 3)" | wc -l)" 0 "and not in the other segment"

# ---- SecureOn ----

is "$(value pmNicSecureOn.4.1) $(value pmNicSecureOn.1.1)" "true false" "that there is a password is shown"
wake 4 ok "a wake with the right SecureOn password"
like "$(heard 4 | head -n 1)" "secureon=6 .*woken" "the NIC took it"
trap_mark
wake 5 wakeNoResponse "a wake with a wrong SecureOn password"
like "$(heard 5 | head -n 1)" "wrong-password" "the NIC did not take it"
machine_is_off nas5
ok $? "the machine sleeps"
like "$(result_text 5)" "[0-9]+ of [0-9]+ magic packets seen on the wire, but the machine did not come up in 3 s" "in words"
is "$(value pmNicLastResult.5.1)" wakeNoResponse "the NIC's result"
told 'pmJobFailed.*pmMachineLastResult.5 = wakeNoResponse' "it is told"
is "$(value pmMachinePowerState.5)" unknown "and the state is not guessed"
is "$(grep -rl '01:02:03:04:05:0[67]' "$LAB"/log)" "" "no password is in any log"

# ---- repeats, other observers ----

wake 6 ok "a NIC that is deaf to the first packets is waked by a later burst"
is "$(heard 6 | sed -n 5p | grep -c woken)" 1 "by the fifth packet"
wake 7 ok "a wake that a TCP probe observes"
is "$(value pmMachineStateSource.7)" probe "by the probe"
verb 10 powerOn ok "powerOn by method wol, observed by the BMC"
is "$(value pmMachineStateSource.10)" bmc "by the BMC"
is "$(commands_of nas10 | tr , "\n" | sort -u)" "nic set power 1" "the NIC woke it, the BMC was not used"
trap_mark
wake 8 wakeNoResponse "a machine that nobody observes"
like "$(result_text 8)" "neither a bmc nor a probe" "the text says so"
machine_is_on nas8
ok $? "though it came up"
is "$(value pmMachinePowerState.8)" unknown "its state is not guessed"
told 'pmWakeSeen.*pmMachineName.8' "and that the packet was seen is told"
wake 9 wakeNoResponse "a machine that does not exist"

# ---- what cannot work says so, quickly ----

start_ms=$(tap_now_ms)
trap_mark
wake 12 wakeNotSeen "an interface that does not exist"
like "$(result_text 12)" wol99 "the text names it"
told 'pmWakeNotSeen.*pmMachineName.12' "pmWakeNotSeen"
is "$(trap_objects "$told")" "$(mib_objects pmWakeNotSeen)" "has the OBJECTS of the MIB"
is "$(trap_value "$told" pmNicLastResult.12.1)" wakeNotSeen "with the result"
like "$(trap_value "$told" pmNotifyText.0)" wol99 "and the reason"
is "$(value "pmEventKind.12.$(trap_value "$told" pmNotifyEventIndex.0)")" wakeNotSeen "and an event row"
is "$(value pmNicLastResult.12.1) $(value pmNicWakeSent.12.1)" "wakeNotSeen 0" "the NIC's row"
wake 13 wakeNotSeen "an interface that is down"
like "$(result_text 13)" "idle0.*down|down.*idle0" "the text says that it is down"
ip link delete gone0
wake 14 wakeNotSeen "an interface that is gone"
like "$(result_text 14)" gone0 "the text names it"
(($(tap_now_ms) - start_ms < 10000))
ok $? "these three took $((($(tap_now_ms) - start_ms) / 1000)) s"
like "$(put pmNicWake.11.1 send)" inconsistentValue "a NIC without a MAC address: refused"
lab_agent_logged 'NIC 1 of machine bare has no MAC'
ok $? "the log says why"
like "$(put pmNicWake.1.2 send)" inconsistentName "a NIC that is not there"

# ---- written by SNMP, used by the next wake, kept over a restart ----

lab_sleeper_down nas1
wait_until "$WAIT_S" state_is 1 unknown
is "$(put pmNicInterface.1.1 wol98 >/dev/null; value pmNicInterface.1.1)" wol98 "Interface is written"
wake 1 wakeNotSeen "the next wake uses it"
like "$(result_text 1)" wol98 "and fails with its name"
is "$(put pmNicWolMethod.1.1 udp pmNicPort.1.1 4711 pmNicInterface.1.1 "$lan" >/dev/null; value pmNicWolMethod.1.1) $(value pmNicPort.1.1)" \
    "udp 4711" "WolMethod, Port and Interface in one SET"
snmp_as operator set pmNicAddr.1.1 x "C6 12 01 FF" >/dev/null
ok $? "Addr is written: $(segment_broadcast lan)"
is "$(value pmNicAddrType.1.1)" ipv4 "its type"
lab_agent_stop
is "$LAB_STATUS" 0 "the agent stops cleanly"
lab_agent
ok $? "and starts again"
is "$(value pmNicWolMethod.1.1) $(value pmNicPort.1.1) $(value pmNicInterface.1.1) $(value pmNicAddr.1.1)" \
    "udp 4711 $lan $(value pmNicAddr.2.1)" "what was written is kept"
wake 1 ok "and used"
like "$(heard 1 | tail -n 1)" "udp $(mac 1) .*port=4711" "by UDP to that port"

# ---- without CAP_NET_RAW ----

lab_agent_stop
lab_sleeper_down nas1
lab_sleeper_down nas2
lab_sleeper_down nas4
wait_until "$WAIT_S" machine_is_off nas1
lab_agent --no-cap
ok $? "the agent starts without CAP_NET_RAW"
lab_agent_logged 'without CAP_NET_RAW'
ok $? "and says what it therefore cannot do"
wake 4 wakeNotSeen "a wake by Ethernet"
like "$(result_text 4)" CAP_NET_RAW "says what is missing"
wake 2 wakeNotSeen "a wake by UDP that no probe can confirm, as ICMP needs the same capability"
machine_is_on nas2
ok $? "was sent all the same"
like "$(result_text 2)" CAP_NET_RAW "and says what is missing"
lab_sleeper_down nas7
wait_until "$WAIT_S" state_is 7 unknown
trap_mark
put pmNicWolMethod.7.1 udp >/dev/null
wake 7 ok "a wake by UDP that a TCP probe confirms"
is "$(value pmNicWakeSeen.7.1) $(value pmNicLastResult.7.1)" "0 wakeNotSeen" "nothing was seen on the wire"
like "$(result_text 7)" "no magic packet was seen on the wire.*CAP_NET_RAW" "and the result says why"
told 'pmWakeNotSeen.*pmMachineName.7' "as does pmWakeNotSeen"
verb 10 powerOff ok "BMCs are served as ever"
lab_agent_stop
is "$LAB_STATUS" 0 "the agent stops cleanly"
done_testing
