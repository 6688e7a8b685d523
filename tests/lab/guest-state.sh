# shellcheck shell=bash
# SPDX-License-Identifier: GPL-3.0-or-later
# What can be seen of a managed machine of the lab from outside: its directory is given. Sourced by guest.sh and guest-wake.

# guest_qmp DIRECTORY REQUEST: QEMU's answer. It serves one at a time.
guest_qmp() {
    flock "$1/qmp.lock" timeout 10 socat -t 5 - "UNIX-CONNECT:$1/qmp" \
        <<<"{\"execute\": \"qmp_capabilities\"}"$'\n'"$2" 2>/dev/null | grep '"return"' | sed -n 2p
}

# guest_wake_up DIRECTORY: from suspend to memory. A packet that came in the meantime stops QEMU from reading its tap
# interface, and this does not make it go on by itself (7.2): stop and cont do.
guest_wake_up() {
    local request
    for request in system_wakeup stop cont; do guest_qmp "$1" "{\"execute\": \"$request\"}" >/dev/null || return; done
}

# guest_power DIRECTORY: on, off or suspended.
guest_power() {
    if flock --nonblock --shared "$1/machine.lock" true; then
        echo off
    elif [[ $(guest_qmp "$1" '{"execute": "query-status"}') == *'"suspended"'* ]]; then
        echo suspended
    else
        echo on
    fi
}

# guest_port_is_armed DIRECTORY PORT: what ethtool has told of it last, since its operating system has started.
guest_port_is_armed() {
    tac "$1/console" | tr -d '\r' | awk -v port="$2" '
        /^guest: up/ { exit }
        $1 == "Wake-on:" { letters = $2 }
        $0 == "Settings for " port ":" { armed = letters ~ /g/; exit }
        END { exit !armed }'
}

# guest_went_down DIRECTORY: its operating system has switched it off itself. One whose power is cut arms nothing.
guest_went_down() {
    tac "$1/console" | awk '
        /^guest: on/ { exit }
        / reboot: Power down|ACPI: PM: Preparing to enter system sleep state S[45]/ { down = 1; exit }
        END { exit !down }'
}
