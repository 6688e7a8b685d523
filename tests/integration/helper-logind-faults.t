#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# pmstack-host and a systemd-logind, or a bus, that fails, dies or hangs: before it is told to do something nothing is done, also not
# by other means; afterwards it may be going.
# shellcheck disable=SC2016,SC2119 # for another shell; logind_again has optional arguments
set -u
# shellcheck source=tests/lab/lab.sh
. "$(dirname "$0")/../lab/lab.sh"
# shellcheck source=tests/integration/helper.sh
. "$(dirname "$0")/helper.sh"
# shellcheck source=tests/integration/helper-bus.sh
. "$(dirname "$0")/helper-bus.sh"
lab_begin "$@"
helper_bus_need
helper_machine

# ---- meanwhile: something that hangs in the kernel, as a driver may ----

mkdir -p "$LAB/dmi/dmi/id" && mkfifo "$LAB/dmi/dmi/id/product_uuid"
(
    start_ms=$(tap_now_ms)
    unshare --mount bash -c 'mount --bind "$1" /sys/class && exec /usr/sbin/pmstack-host report' - "$LAB/dmi" >"$LAB/hangs.answer" 2>&1
    echo "$? $(($(tap_now_ms) - start_ms))" >"$LAB/hangs"
) &
hanging=$!

# ---- a bus that is there, and does not work: there may be inhibitors ----

# bad_bus NAME PROGRAM: of Python, with connections to the bus's place as c.
bad_bus() {
    lab_spawn bad_bus /usr/bin/python3 -c '
import socket, sys, time
s = socket.socket(socket.AF_UNIX)
s.bind("/run/dbus/system_bus_socket")
s.listen(16)
while True:
    c = s.accept()[0]
    exec(sys.argv[1])' "$2"
    wait_until 10 test -S "$LAB/bus/system_bus_socket"
    for verb in poweroff suspend "init 6"; do
        # shellcheck disable=SC2086 # two words
        helper -j $verb
        says failed 7 "the system's D-Bus (cannot be reached: |does not answer)" "$1: $verb"
    done
    helper report
    is "$(member result) $(member can)" 'ok {"suspend": null, "hibernate": null}' "$1: a report does not know what it can"
    lab_kill bad_bus
    rm -f "$LAB/bus/system_bus_socket"
}
bad_bus "a bus that closes the connection" 'c.close()'
bad_bus "a bus that rejects us" 'c.recv(999); c.send(b"REJECTED EXTERNAL\r\n"); c.close()'
bad_bus "a bus that talks nonsense" 'c.send(b"HTTP/1.1 400 Bad Request\r\n\r\n" * 9); c.close()'
is "$(did)" "" "no native command ran"

bus_begin
logind_begin

# ---- it fails ----

# error NAME: what the method Suspend does from now on.
error() { method Suspend b '' "raise dbus.exceptions.DBusException('because\nof it', name='$1')"; }
error org.freedesktop.login1.SleepVerbNotSupported
helper -j suspend
is "$(member result 1) $(member result 2) $STATUS" "going notSupported 4" "it finds out that it cannot"
is "$(member text)" "systemd-logind does not do Suspend: because?of it" "and says why"
error org.freedesktop.login1.OperationInProgress
helper -j suspend
is "$(member result) $STATUS" "refused 3" "it is busy"
error org.freedesktop.DBus.Error.AccessDenied
helper -j suspend
is "$(member result) $STATUS" "noPermission 6" "it does not allow it"
error org.freedesktop.DBus.Error.Failed
helper -j suspend
is "$(member result) $STATUS" "failed 7" "it fails"
method CanSuspend '' u 'ret = 1'
helper -j suspend
says failed 7 "CanSuspend" "it answers nonsense"
method CanSuspend '' s 'ret = "perhaps\xff"'
helper -j suspend
says noPermission 6 'says "perhaps' "or a word that nobody knows"

# ---- it dies ----

dies='import os; os._exit(1)'
method CanPowerOff '' s "$dies"
forget_calls
helper -j poweroff
says failed 7 "^systemd-logind has ended while it was asked for CanPowerOff\$" "it dies when it is asked whether"
nothing_done "nothing was done, also not behind its back"
logind_again
method CanSuspend '' s "$dies"
helper report
says ok 0 "systemd-logind has ended while it was asked for CanSuspend" "a report is made nevertheless"
is "$(member can.suspend) $(member by)" "null logind" "what it would have said is not known"
logind_again
method PowerOff b '' "$dies"
helper -j poweroff
is "$(member result 1) $(member result 2) $STATUS" "going going 0" "it dies when it shall do it: it may be going"
is "$(member text)" "systemd-logind has ended while it was asked for PowerOff" "and that is told"
is "$(did)" "" "no native command ran"

# ---- it hangs ----

# in_time NAME COMMAND...: it ends in less than what the agent waits for.
in_time() {
    local name=$1 start_ms took_ms
    shift
    start_ms=$(tap_now_ms)
    "$@"
    took_ms=$(($(tap_now_ms) - start_ms))
    ok $((took_ms > 7000)) "$name: after $took_ms ms"
}
logind_again
method Reboot b '' 'import time; time.sleep(60)'
in_time "it hangs when it shall do it" helper -j reboot
is "$(member result 1) $(member result 2) $STATUS" "going going 0" "it was told, and may be going: that is no failure"
is "$(member text)" "systemd-logind does not answer Reboot within 4 s" "in words"
in_time "it hangs now" helper -j poweroff
says failed 7 "^systemd-logind does not answer Ping within 4 s\$" "nothing is asked of it"
in_time "a report" helper report
is "$(member result) $(member by) $(member text | grep -o 'systemd-logind does not.*')" "ok logind systemd-logind does not answer Ping within 4 s" \
    "is made nevertheless, and tells"
is "$(member can)" '{"suspend": null, "hibernate": null}' "what it can is not known"
lab_signal bus STOP
in_time "the bus hangs" helper -j poweroff
says failed 7 "D-Bus does not answer within 4 s" "it is told"
in_time "a report" helper report
is "$(member result) $(member can.suspend)" "ok null" "is made nevertheless"
lab_signal bus CONT
is "$(did)" "" "no native command ran"

wait "$hanging"
read -r status took_ms <"$LAB/hangs"
is "$status $(<"$LAB/hangs.answer")" "142 " "what hangs for good is ended by SIGALRM, and says nothing any more"
ok $((took_ms < 29500 || took_ms > 36000)) "after 30 s" || diag "$took_ms ms"
done_testing
