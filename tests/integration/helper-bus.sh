# shellcheck shell=bash
# SPDX-License-Identifier: GPL-3.0-or-later
# A system bus, and systemd-logind on it (python3-dbusmock), for tests of pmstack-host. Sourced after helper.sh.

helper_bus_need() {
    lab_need dbus-daemon dbus-send
    /usr/bin/python3 -c 'import dbusmock' 2>/dev/null || bail_out "python3-dbusmock is not installed: make deps"
}

export DBUS_SYSTEM_BUS_ADDRESS=unix:path=/run/dbus/system_bus_socket
manager=org.freedesktop.login1.Manager
bus() { dbus-send --system --print-reply --dest=org.freedesktop.DBus / "org.freedesktop.DBus.$1" "${@:2}" >/dev/null 2>&1; }
bus_begin() {
    cat >"$LAB/etc/bus.conf" <<END
<busconfig><type>system</type><listen>$DBUS_SYSTEM_BUS_ADDRESS</listen><auth>EXTERNAL</auth>
<policy context="default"><allow send_destination="*"/><allow receive_sender="*"/><allow own="*"/><allow user="*"/></policy></busconfig>
END
    lab_spawn bus dbus-daemon --nofork --nopidfile --config-file="$LAB/etc/bus.conf"
    wait_until 10 bus ListNames || bail_out "no bus"
}
bus_end() {
    lab_kill bus
    rm -f "$LAB/bus/system_bus_socket"
}
# logind_begin [JSON]: with these answers to CanPowerOff and so on; "yes" to those that are not told.
logind_begin() {
    lab_spawn logind env PYTHONUNBUFFERED=1 /usr/bin/python3 -m dbusmock --system --template logind -p "${1:-{\}}"
    wait_until 10 bus GetNameOwner string:org.freedesktop.login1 || bail_out "no logind"
    forget_calls
}
logind_end() { lab_kill logind; }
logind_again() { logind_end && logind_begin "$@"; }
# method NAME IN OUT CODE: exchanges a method of logind.
method() {
    dbus-send --system --print-reply --dest=org.freedesktop.login1 /org/freedesktop/login1 org.freedesktop.DBus.Mock.AddMethod \
        "string:$manager" "string:$1" "string:$2" "string:$3" "string:$4" >/dev/null || bail_out "no method $1"
}
# What logind was asked, since forget_calls, on one line.
calls() { tail -n +$((LOG_MARK + 1)) "$LAB/log/logind.log" | awk '$2 != "Ping" { $1 = ""; print substr($0, 2) }' | paste -sd,; }
forget_calls() { LOG_MARK=$(wc -l <"$LAB/log/logind.log"); }
# inhibit NAME WHAT WHO WHY MODE: until lab_kill NAME.
inhibit() {
    lab_spawn "$1" /usr/bin/python3 -c '
import dbus, signal, sys
logind = dbus.SystemBus().get_object("org.freedesktop.login1", "/org/freedesktop/login1")
lock = logind.Inhibit(*sys.argv[1:], dbus_interface="org.freedesktop.login1.Manager").take()
print("inhibits", flush=True)
signal.pause()' "${@:2}"
    wait_until 10 lab_log_has "$1" inhibits || bail_out "no inhibitor"
}
nothing_done() { is "$(did)$(calls | grep -Eo '(PowerOff|Reboot|Suspend|Hibernate) ')" "" "$1"; }

