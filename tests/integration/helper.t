#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# pmstack-host is asked: by arguments, by a line on standard input, by the command of ssh. What makes no sense is told so, and
# does nothing; what a report says is true; nothing in the environment, and nothing that is missing, leads it astray.
# shellcheck disable=SC2016 # what a shell would expand must reach the helper as it is
set -u
# shellcheck source=tests/lab/lab.sh
. "$(dirname "$0")/../lab/lab.sh"
# shellcheck source=tests/integration/helper.sh
. "$(dirname "$0")/helper.sh"
lab_begin "$@"
helper_machine
OTHER_BOOT=00000000-0000-4000-8000-000000000000

# ---- a report ----

helper report
is "$STATUS" 0 "a report is made"
is "$(answer_count)" 1 "it is one line"
is "$(member protocol) $(member verb) $(member result)" "1 report ok" "and says what it is"
is "$(member version)" "$(/usr/sbin/pmstack-host -V | cut -d' ' -f2)" "with the version of -V"
is "$(member boot-id)" "$(boot_id)" "which boot this is"
is "$(member hostname)" "$(hostname)" "which host"
is "$(member by)" native "who would switch it off: there is no logind"
is "$(member can)" '{"suspend": true, "hibernate": false}' "whether it can sleep: hibernate needs swap"
up=$(cut -d. -f1 /proc/uptime)
ok $(($(member uptime) > up || $(member uptime) < up - 60)) "how long it is up"
is "$(member interfaces.0.name) $(member interfaces.0.kind) $(member interfaces.0.physical)" "lo loopback false" "and its interfaces"

mkdir -p "$LAB/dmi/dmi/id"
with_uuid="mount --bind $LAB/dmi /sys/class"
printf '4C4C4544-0042-3510-8054-B7C04F4D4E31\n' >"$LAB/dmi/dmi/id/product_uuid"
helper_in "$with_uuid" report
is "$(member uuid)" 4c4c4544-0042-3510-8054-b7c04f4d4e31 "the UUID of SMBIOS is told"
for uuid in FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF 00000000-0000-0000-0000-000000000000 "Not Settable"; do
    printf '%s\n' "$uuid" >"$LAB/dmi/dmi/id/product_uuid"
    helper_in "$with_uuid" report
    is "$(member uuid) $(member result)" "null ok" "$uuid is none"
done

# ---- what is missing ----

helper_in 'mount --bind /dev/null /proc/sys/kernel/random/boot_id' report
says failed 7 "boot_id" "without a boot id there is no report"
is "$(member boot-id)" null "the answer has none either"
helper_in 'mount --bind /dev/null /proc/sys/kernel/random/boot_id' -j -b "$(boot_id)" poweroff
says failed 7 "boot_id" "nothing is done that depends on it"
# AddressSanitizer does not do without /proc itself: then it is /proc/sys that is not there
without_proc='mount -t tmpfs tmpfs /proc'
if grep -q __asan_init "$PMSTACK_HOST"; then without_proc+=/sys; fi
helper_in "$without_proc" report
says failed 7 "/proc/sys/kernel/random/boot_id: No such file" "without /proc there is no report"
helper_in "$without_proc" -j -n poweroff
says ok 0 "^would power off" "but a power-off would work"
helper_in 'mount -t tmpfs tmpfs /sys' report
is "$(member result) $(member can.suspend)" "ok false" "without /sys there is one"

# ---- only in this boot ----

helper -j -b "$(boot_id)" -n poweroff
says ok 0 "^would power off" "in this boot it would be done"
helper -j -b "$(boot_id | tr a-f A-F)" -n reboot
says ok 0 "^would reboot" "also when the boot id has capitals"
for verb in report poweroff reboot suspend hibernate "init 0" arm-wol; do
    # shellcheck disable=SC2086 # two words
    helper -j -b "$OTHER_BOOT" $verb
    says otherBoot 5 "this is boot $(boot_id), not $OTHER_BOOT: nothing was done" "$verb in another boot"
done
is "$(did)" "" "nothing was done"

# ---- what makes no sense ----

nonsense() {
    helper -j "$@"
    says usage 2 . "nonsense: $*"
}
nonsense init 9
nonsense init 7
nonsense init x
nonsense init -1
nonsense init ''
nonsense init 0 0
nonsense init
nonsense
nonsense halt
nonsense poweroff now
nonsense -b 1 poweroff
nonsense --ssh
nonsense arm-wol 52:54:00:00:00:0g
nonsense arm-wol a/b
helper init 9
is "$STATUS" 2 "in text, too"
is "$ANSWER$(errors)" "pmstack-host: init needs one run level, 0 to 6, not 9" "it says what would be right, on standard error"
helper poweroff --yes
like "$STATUS $(errors)" "^2 pmstack-host: unknown option --yes" "an unknown option is told"
helper poweroff -n
is "$STATUS $ANSWER" "0 would power off, by /usr/sbin/poweroff" "a dry run is one, wherever -n stands"
helper -h
like "$STATUS $ANSWER" "^0 usage: pmstack-host" "-h tells the options"
is "$(did)" "" "nothing was done"

# ---- a line on standard input ----

# line OCTETS...: as printf(1) writes them.
line() {
    # shellcheck disable=SC2059 # the octets are the format
    ANSWER=$(printf "$@" | /usr/sbin/pmstack-host --stdin 2>"$LAB/native/errors")
    STATUS=$?
}
line 'pmstack-host report\n'
is "$STATUS $(member verb) $(member result)" "0 report ok" "a request in a line"
line 'pmstack-host -j -n -b %s init 6\n' "$(boot_id)"
says ok 0 "^would go to run level 6" "with options"
line 'pmstack-host -n reboot\npmstack-host poweroff\n'
is "$STATUS $ANSWER" "0 would reboot, by /usr/sbin/reboot" "only the first line is read"
refused_line() {
    local name=$1
    shift
    line "$@"
    is "$(member result) $STATUS" "usage 2" "refused: $name" || diag "$ANSWER"
}
refused_line "nothing" ''
refused_line "an empty line" '\n'
refused_line "a line that was cut" 'pmstack-host poweroff'
refused_line "a NUL" 'pmstack-host poweroff\0 -n\n'
refused_line "1,025 octets" 'pmstack-host arm-wol %01004d\n' 0
refused_line "a million octets" '%01000000d\n' 0
refused_line "another program" 'reboot\n'
refused_line "another program's path" '/usr/sbin/reboot\n'
refused_line "setup" 'pmstack-host setup\n'
refused_line "--ssh" 'pmstack-host --ssh\n'
refused_line "--stdin" 'pmstack-host --stdin\n'
refused_line "two spaces" 'pmstack-host  report\n'
refused_line "a tab" 'pmstack-host\treport\n'
refused_line "a carriage return" 'pmstack-host report\r\n'
refused_line "octets above 127" 'pmstack-host arm-wol \303\244\n'
mkfifo "$LAB/silence"
start_ms=$(tap_now_ms)
ANSWER=$(/usr/sbin/pmstack-host --stdin <>"$LAB/silence") # open for writing, too: there is no end
is "$(member text)" "no request came within 10 s" "who says nothing is not waited for"
took_ms=$(($(tap_now_ms) - start_ms))
ok $((took_ms < 9500 || took_ms > 13000)) "longer than 10 s" || diag "$took_ms ms"

# ---- the command of ssh ----

command() {
    ANSWER=$(SSH_ORIGINAL_COMMAND=$1 /usr/sbin/pmstack-host --ssh 2>"$LAB/native/errors")
    STATUS=$?
}
command "pmstack-host -j report"
is "$STATUS $(member verb) $(member result)" "0 report ok" "a request by ssh"
for text in 'pmstack-host report; touch X' 'pmstack-host $(touch X)' 'pmstack-host `touch X`' 'pmstack-host report|sh' \
    'pmstack-host report && touch X' $'pmstack-host report\ntouch X' 'sh -c "touch X"' 'scp -t /tmp' 'internal-sftp' '' \
    'pmstack-host setup' 'pmstack-host --ssh' 'pmstack-host -u root setup' "pmstack-host arm-wol 'eth0'" \
    'pmstack-host arm-wol ../../etc' "pmstack-host $(printf '%01100d' 0)"; do
    command "$text"
    is "$(member result) $STATUS" "usage 2" "refused: $(head -c 60 <<<"${text//$'\n'/ }")"
done
ANSWER=$(/usr/sbin/pmstack-host --ssh)
is "$(member text)" "no request: ssh HOST pmstack-host report" "who asks for a shell gets none"

# ---- the environment has no influence ----

mkdir "$LAB/evil"
printf '#!/bin/sh\ntouch %s/evil/ran\n' "$LAB" >"$LAB/evil/poweroff"
chmod 755 "$LAB/evil/poweroff"
ln -s poweroff "$LAB/evil/sudo"
ANSWER=$(cd "$LAB/evil" && PATH=$LAB/evil:. LANG=de_DE.UTF-8 EVIL=1 POSIXLY_CORRECT=1 DBUS_SYSTEM_BUS_ADDRESS=unix:path=/nowhere \
    /usr/sbin/pmstack-host poweroff -j)
is "$(member result 1) $(member result 2)" "going ok" "a power-off with another PATH"
is "$(did)" poweroff "the system's program is run"
is "$(paste -sd' ' "$LAB/native/environment" | sed 's/ *PWD=[^ ]*//')" "LC_ALL=C PATH=/usr/sbin:/sbin:/usr/bin:/bin" "with an environment of its own"
[[ ! -e $LAB/evil/ran ]]
ok $? "and no other"

# ---- installing ----

make --no-print-directory -s -C "$LAB_ROOT" BUILD="${PMSTACK_HOST%/*}" -o "$PMSTACK_HOST" install-host DESTDIR="$LAB/root" PREFIX=/usr \
    >"$LAB/log/install.log" 2>&1
ok $? "make install-host"
is "$(cd "$LAB/root" && find . -type f | sort | paste -sd' ')" \
    "./usr/sbin/pmstack-host ./usr/share/bash-completion/completions/pmstack-host ./usr/share/man/man8/pmstack-host.8" \
    "has what a managed machine needs, and no more"
done_testing
