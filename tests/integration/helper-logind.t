#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# pmstack-host and systemd-logind, on a bus of its own at the system bus's place: what it is asked, what it answers, and who
# inhibits.
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

# ---- no logind, in every manner ----

native() {
    helper -j -n poweroff
    says ok 0 "by /usr/sbin/poweroff" "$1: the native command"
}
native "no bus"
/usr/bin/python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("/run/dbus/system_bus_socket")'
native "a socket without a bus"
rm "$LAB/bus/system_bus_socket"
touch "$LAB/bus/system_bus_socket"
native "a file in its place"
rm "$LAB/bus/system_bus_socket"
bus_begin
native "a bus without logind"
bus_end

# ---- what it is asked ----

bus_begin
logind_begin
helper report
is "$(member by) $(member can)" 'logind {"suspend": true, "hibernate": true}' "a report asks logind what is possible"
is "$(calls)" "CanSuspend,CanHibernate" "and nothing else"
while read -r verb name; do
    forget_calls
    helper -j -n "$verb"
    says ok 0 "^would .*, by systemd-logind\$" "-n $verb"
    is "$(calls)" "Can$name,ListInhibitors" "-n $verb asks whether, and nothing else"
    forget_calls
    helper -j "$verb"
    is "$(member result 1) $(member result 2) $STATUS" "going ok 0" "$verb goes"
    like "$(member text 1)" "^will .*, by systemd-logind\$" "$verb: the first answer says how"
    is "$(calls)" "Can$name,ListInhibitors,$name False" "$verb asks whether, then does it, without a dialogue"
done <<END
poweroff PowerOff
reboot Reboot
suspend Suspend
hibernate Hibernate
END
is "$(did)$(</sys/power/state)" "freeze mem disk" "no native command ran"
helper -j init 6
is "$(member result 2) $(did)" "ok telinit 6" "a run level is telinit's"
forget_did
DBUS_SYSTEM_BUS_ADDRESS=unix:path=/nowhere helper -j -n poweroff
says ok 0 "by systemd-logind" "the environment does not choose the bus"

# ---- na, no, challenge ----

logind_again '{"CanPowerOff": "na", "CanReboot": "no", "CanSuspend": "challenge", "CanHibernate": "na"}'
for run in -j -n; do
    helper -j $run poweroff
    says notSupported 4 "systemd-logind says \"na\" to CanPowerOff" "$run poweroff: na"
    helper -j $run reboot
    says noPermission 6 "systemd-logind says \"no\" to CanReboot" "$run reboot: no"
    helper -j $run suspend
    says noPermission 6 "systemd-logind says \"challenge\" to CanSuspend" "$run suspend: challenge"
    helper -j $run hibernate
    says notSupported 4 "systemd-logind says \"na\" to CanHibernate" "$run hibernate: na"
done
helper report
is "$(member can)" '{"suspend": true, "hibernate": false}' "a report tells what is possible, whoever may"
mount --bind /dev/null /usr/bin/sudo 2>/dev/null
helper_as_nobody -j suspend
says noPermission 6 "see pmstack-host setup \(there is no sudo\)" "as nobody: what to do is told"
nothing_done "nothing was done"
logind_again
helper_as_nobody -j poweroff
is "$(member result 1) $(member result 2) $(calls)" "going ok CanPowerOff,ListInhibitors,PowerOff False" "nobody may do what polkit allows"
logind_again '{"CanPowerOff": "inhibited", "CanSuspend": "inhibitor-blocked", "CanReboot": "challenge-inhibitor-blocked"}'
helper -j poweroff
says refused 3 "somebody inhibits it" "newer words for somebody inhibits it"
helper -j suspend
says refused 3 "inhibitor-blocked" "and newer ones"
helper -j reboot
says refused 3 "inhibitor-blocked" "and those for others than root"

# ---- inhibitors ----

logind_again
inhibit upgrade idle:shutdown "package upgrade" $'dpkg \e[1mruns' block
for verb in poweroff reboot "init 0" "init 6"; do
    for run in -j -n; do
        # shellcheck disable=SC2086 # two words
        helper -j $run $verb
        says refused 3 '^package upgrade \(process 123456 of user 1000\) inhibits shutdown: dpkg \?\[1mruns$' "$run $verb is inhibited"
    done
done
for verb in suspend hibernate "init 1"; do
    # shellcheck disable=SC2086 # two words
    helper -j -n $verb
    says ok 0 "^would" "$verb is not"
done
lab_kill upgrade
inhibit player sleep:handle-lid-switch player "" block
inhibit modem shutdown:sleep NetworkManager "turns off" delay
inhibit lid handle-lid-switch:shutdown-soon desktop lid block
for verb in suspend hibernate; do
    helper -j $verb
    says refused 3 "^player .* inhibits sleep: it does not say why\$" "$verb is inhibited"
done
helper -j -n poweroff
says ok 0 "^would" "a delay, or something else, is no block"
inhibit long shutdown "$(printf 'ä%.0s' {1..300})" "$(printf 'ö%.0s' {1..600})" block
helper -j poweroff
says refused 3 "^ä+ .*ö+\$" "however long their names are"
for name in player modem lid long; do lab_kill $name; done
nothing_done "nothing was done"
helper -j poweroff
is "$(member result)" ok "when they are gone, it goes"

done_testing
