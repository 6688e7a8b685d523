# shellcheck shell=bash
# SPDX-License-Identifier: GPL-3.0-or-later
# What the tests with managed machines share: their configuration, and what is looked at from both sides. Sourced after
# lab.sh, room.sh and jobs.sh.

# shellcheck disable=SC2034 # of room.sh and jobs.sh
WAIT_S=90 # a machine starts in 5 s alone, and in 30 when the tests beside it take all processors

# host_section NAME [LINE...]: a machine section for guest NAME: a probe each second, a NIC, its operating system.
host_section() {
    local name=$1
    shift
    printf 'machine "%s" {\n  on-timeout = 90s  off-timeout = 60s  %s\n' "$name" "$*"
    printf '  probe { method = "icmp"  address = "%s"  timeout = 500ms }\n' "$(machine_address "$name")"
    printf '  nic "lan0" { mac = "%s"  interface = "%s" }\n' "$(guest_mac "$name")" "$(segment_interface lan)"
    printf '  %s }\n' "$(guest_conf_host "$name")"
}
host_agent_section() { printf 'agent { name = "hosts"  poll-interval = 1s  misses = 3  %s }\n' "$(guest_conf_agent)"; }

# observed INDEX: state, how it is known, and whether the operating system answers, on one line.
observed() { printf '%s %s %s' "$(value "pmMachinePowerState.$1")" "$(value "pmMachineStateSource.$1")" "$(value "pmMachineOsReachable.$1")"; }
observed_is() { [[ $(observed "$1") == "$2" ]]; }
seen() {
    wait_until "$WAIT_S" observed_is "$1" "$2"
    is "$(observed "$1")" "$2" "$3"
}
boot_id() { guest_run "$1" 'cat /proc/sys/kernel/random/boot_id'; }
wol_of() { guest_run "$1" 'ethtool lan0' | awk '$1 == "Wake-on:" { print $2 }'; }
# woken NAME: how many magic packets have woken it; deaf NAME: how many it did not hear, being disarmed.
woken() { sleeper_count "$1" ' woken$'; }
deaf() { sleeper_count "$1" ' disarmed$'; }
# event_told INDEX REGEX: in pmEventTable.
events_of() { snmp_as reader walk -Ov "pmEventText.$1" 2>/dev/null; }
event_told() { events_of "$1" | grep -Eq -- "$2"; }
event() {
    wait_until "$WAIT_S" event_told "$1" "$2"
    ok $? "$3" || diag "$(events_of "$1")"
}
