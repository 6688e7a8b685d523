# shellcheck shell=bash
# SPDX-License-Identifier: GPL-3.0-or-later
# What the tests of pmstack-host share. Sourced after lab.sh.
#
#   helper_machine            first, after lab_begin: nothing that a verb could do reaches this machine from here on
#   helper ARGUMENT...        /usr/sbin/pmstack-host, as installed: its answers are in $ANSWER, its exit status in $STATUS
#   helper_in PREPARE ARG...  in a mount namespace of its own, where the shell commands PREPARE were run before
#   member NAME [LINE]        of the last answer, or of line LINE (from 1): text, number, true, false, null, or JSON
#   did                       the native commands that were run, on one line; forget_did

ANSWER='' STATUS=''
PMSTACK_HOST=${PMSTACK_HOST:-$LAB_ROOT/build/pmstack-host}

# The namespace outside of which the script was started; it is restarted inside by lab_begin, with this in its environment.
: "${HELPER_OUTSIDE:=$(readlink /proc/self/ns/mnt)}"
export HELPER_OUTSIDE

# Whether mounts stay here: in another namespace, and nothing of it is shared with the one outside.
helper_is_apart() {
    [[ -z $LAB_HOST_NET && $(readlink /proc/self/ns/mnt) != "$HELPER_OUTSIDE" ]] && ! grep -q ' shared:' /proc/self/mountinfo
}

# /usr/sbin is a copy of what it was, with the helper, and with recorders in the place of what ends a machine; /sys/power is a
# directory of ours; there is no bus. What is mounted comes from $LAB, nothing is mounted below it: it is removed at the end. Files
# are made, changed and removed by their names in $LAB only, never by those of the system.
helper_machine() {
    local program
    lab_need unshare /usr/bin/python3
    helper_is_apart || bail_out "not in a mount namespace of its own: what is mounted here could reach this machine"
    mkdir "$LAB/native" "$LAB/sbin" "$LAB/bus" "$LAB/power"
    cp -a /usr/sbin/. "$LAB/sbin/" || bail_out "no copy of the system's programs"
    for program in poweroff reboot halt shutdown telinit init; do
        rm -f "$LAB/sbin/$program"
        [[ $program == halt || $program == shutdown ]] || helper_recorder "$program"
    done
    install -m 755 "$PMSTACK_HOST" "$LAB/sbin/pmstack-host" || bail_out "$PMSTACK_HOST is missing: make"
    mkdir -p /run/dbus
    if ! mount --bind "$LAB/sbin" /usr/sbin || ! mount --bind "$LAB/power" /sys/power || ! mount --bind "$LAB/bus" /run/dbus; then
        bail_out "this machine cannot be protected"
    fi
    [[ $(/usr/sbin/poweroff --check; cat "$LAB/native/did") == "poweroff --check" ]] || bail_out "the recorders do not record"
    forget_did
    printf 'freeze mem disk\n' >"$LAB/power/state"
    printf '0:0\n' >"$LAB/power/resume"
    printf 'Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n' >"$LAB/native/swaps"
    mount --bind "$LAB/native/swaps" /proc/swaps || bail_out "/proc/swaps cannot be replaced"
}

# helper_recorder NAME: a native command that notes when it was called how, and does what $LAB/native/behaviour says.
helper_recorder() {
    local file=$LAB/sbin/$1
    cat >"$file" <<END
#!/bin/sh
echo "\${0##*/}\${1:+ \$*}" >>$LAB/native/did
date +%s%3N >$LAB/native/when
id -un >$LAB/native/user
tr '\\0' '\\n' </proc/\$\$/environ | LC_ALL=C sort >$LAB/native/environment
[ ! -e $LAB/native/behaviour ] || . $LAB/native/behaviour
END
    chmod 755 "$file"
}
did() { [[ ! -e $LAB/native/did ]] || paste -sd, "$LAB/native/did"; }
forget_did() { rm -f "$LAB/native/did"; }

helper() {
    ANSWER=$(/usr/sbin/pmstack-host "$@" 2>"$LAB/native/errors")
    STATUS=$?
}
helper_in() {
    local prepare=$1
    shift
    ANSWER=$(unshare --mount bash -c "$prepare"' && exec "$@"' - /usr/sbin/pmstack-host "$@" 2>"$LAB/native/errors")
    STATUS=$?
}
# helper_as_nobody ARGUMENT...: without any right, and without sudo unless the caller has prepared it.
helper_as_nobody() {
    ANSWER=$(setpriv --reuid 65534 --regid 65534 --clear-groups /usr/sbin/pmstack-host "$@" 2>"$LAB/native/errors")
    STATUS=$?
}
errors() { cat "$LAB/native/errors"; }

# Each line must be an object of JSON, in UTF-8.
member() {
    /usr/bin/python3 -I -c '
import json, sys
lines = sys.stdin.buffer.read().decode("utf-8").splitlines()
value = json.loads(lines[int(sys.argv[2]) - 1 if sys.argv[2] else -1])
for name in sys.argv[1].split("."):
    value = value[int(name)] if isinstance(value, list) else value[name]
print(value if isinstance(value, str) else json.dumps(value))' "$1" "${2:-}" <<<"$ANSWER"
}
# says RESULT STATUS TEXT-REGEX NAME: what the last answer is.
says() {
    is "$(member result) $STATUS" "$1 $2" "$4" || diag "$ANSWER" "$(errors)"
    like "$(member text)" "$3" "$4: in words"
}
answer_count() { grep -c . <<<"$ANSWER"; }
boot_id() { cat /proc/sys/kernel/random/boot_id; }
