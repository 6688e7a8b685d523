#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# pmstack-host without systemd-logind: the native commands of the system, found where they are, run as they are to be; sleep by
# /sys/power/state; and every way in which that cannot be.
# shellcheck disable=SC2016,SC2094 # for other shells; a pipe is opened at both ends
set -u
# shellcheck source=tests/lab/lab.sh
. "$(dirname "$0")/../lab/lab.sh"
# shellcheck source=tests/integration/helper.sh
. "$(dirname "$0")/helper.sh"
lab_begin "$@"
helper_machine

# ---- what would be done ----

would() {
    local what=$1
    shift
    helper -j -n "$@"
    says ok 0 "^would $what\$" "-n $*"
    is "$(answer_count)" 1 "-n $* has one answer"
}
would "power off, by /usr/sbin/poweroff" poweroff
would "reboot, by /usr/sbin/reboot" reboot
would "suspend to memory, by /sys/power/state" suspend
for level in 0 1 2 3 4 5 6; do would "go to run level $level, by /usr/sbin/telinit $level" init "$level"; done
is "$(did)$(</sys/power/state)" "freeze mem disk" "nothing was done"

# ---- what is done ----

# does COMMAND VERB...: two answers, and the command was run once, half a second after the first.
does() {
    local program=$1 line first_ms
    shift
    forget_did
    ANSWER=
    while IFS= read -r line; do
        : "${first_ms:=$(tap_now_ms)}"
        ANSWER+=$line$'\n'
    done < <(/usr/sbin/pmstack-host -j "$@")
    is "$(member result 1) $(member result 2)" "going ok" "$* goes, and is done" || diag "$ANSWER"
    like "$(member text 1)" "^will .*, by /usr/sbin/$program\$" "$*: the first answer says how"
    is "$(did)" "$program" "$*: it is"
    ok $(($(<"$LAB/native/when") - first_ms < 400)) "$*: not before the answer is out"
}
does poweroff poweroff
does reboot reboot
does "telinit 1" init 1
does "telinit 6" init 6
helper poweroff
is "$ANSWER" "will power off, by /usr/sbin/poweroff
/usr/sbin/poweroff has agreed to power off" "in text"
rm "$LAB/sbin/telinit"
does "init 0" init 0
rm "$LAB/sbin/init"
helper_in 'mount --bind /dev/null /usr/bin/init 2>/dev/null; true' -j init 3
says notSupported 4 "there is no telinit, and no init in /usr/sbin:/sbin:/usr/bin:/bin" "without telinit and init"
helper_recorder telinit
forget_did

# ---- what fails ----

printf 'echo first >&2; echo "  nobody may   " >&2; exit 3\n' >"$LAB/native/behaviour"
helper -j poweroff
is "$(member result 1) $(member result 2) $STATUS" "going failed 7" "a command that fails"
is "$(member text)" "/usr/sbin/poweroff: exit status 3:   nobody may" "with the last line that it said"
printf 'kill -9 $$\n' >"$LAB/native/behaviour"
helper -j poweroff
is "$(member result 2) $(member text) $STATUS" "going /usr/sbin/poweroff was ended by signal 9 0" "a command that is ended, as all are when the machine goes down"
printf 'kill -SEGV $$\n' >"$LAB/native/behaviour"
helper -j poweroff
is "$(member result) $(member text)" "failed /usr/sbin/poweroff: exit status 139" "a command that crashes"
printf 'head -c 100000 /dev/zero | tr "\\0" x >&2; printf "\\n\\377\\n" >&2; exit 1\n' >"$LAB/native/behaviour"
helper -j poweroff
is "$(member text)" "/usr/sbin/poweroff: exit status 1: ?" "a command that says a lot of nonsense"
printf 'sleep 3 >/dev/null 2>&1 </dev/null &\n' >"$LAB/native/behaviour"
start_ms=$(tap_now_ms)
helper -j poweroff
is "$(member result)" ok "a command that leaves something behind"
ok $(($(tap_now_ms) - start_ms > 2500)) "is not waited for longer than it runs"
rm "$LAB/native/behaviour"
forget_did
printf 'not a program\n' >"$LAB/sbin/poweroff"
helper -j poweroff
is "$(member result) $(member text)" "failed /usr/sbin/poweroff: exit status 127: Exec format error" "what is not a program"
rm "$LAB/sbin/poweroff"
for run in -n -j; do
    helper_in 'for f in /usr/bin/poweroff /bin/poweroff; do [ ! -e $f ] || mount --bind /dev/null $f; done' -j $run poweroff
    says notSupported 4 "there is no poweroff" "no command"
done
helper_recorder poweroff

# ---- sleep ----

helper -j suspend
is "$(member result 1) $(member result 2) $(member text)" "going ok it slept, and is awake again" "suspend"
is "$(</sys/power/state)" mem "writes mem to /sys/power/state"
printf 'freeze mem disk\n' >"$LAB/power/state"
helper -j hibernate
says notSupported 4 "no swap for the image" "hibernate without swap"
helper report
is "$(member can.hibernate)" false "nor does a report say that it can"
printf '8:2\n' >"$LAB/power/resume"
printf '/dev/zram0 partition 1048572 0 100\n' >>"$LAB/native/swaps"
helper -j hibernate
says notSupported 4 "no swap for the image" "swap in memory is none"
printf '/dev/vda2 partition 1048572 0 -2\n' >>"$LAB/native/swaps"
printf '0:0\n' >"$LAB/power/resume"
helper -j hibernate
says notSupported 4 "no device to resume from" "nor is swap in which no boot would look for the image enough"
printf '8:2\n' >"$LAB/power/resume"
helper -j -n hibernate
says ok 0 "^would suspend to disk, by /sys/power/state" "hibernate with swap, and a device to resume from"
helper report
is "$(member can.hibernate)" true "and a report says so"
helper -j hibernate
is "$(member result 1) $(member result 2) $(</sys/power/state)" "going ok disk" "writes disk"
printf 'freeze mem disk\n' >"$LAB/power/state"
helper_in 'mount --bind /proc/self/mem /proc/swaps' -j hibernate
says failed 7 "whether there is swap is not known" "what cannot be read is not known"
for state in 'freeze' '' 'memory disks' 'standby'; do
    printf '%s\n' "$state" >"$LAB/power/state"
    for verb in suspend hibernate; do
        helper -j $verb
        says notSupported 4 "/sys/power/state has \"$state\"" "$verb where the kernel has \"$state\""
    done
    helper report
    is "$(member can)" '{"suspend": false, "hibernate": false}' "and a report says so"
done
is "$(</sys/power/state)" standby "nothing was written"
printf 'mem\n' >"$LAB/power/state"
helper_in 'mount -o remount,ro,bind /sys/power' -j suspend
says failed 7 "/sys/power/state is on a read-only file system" "a read-only /sys"
helper_in 'mount -t tmpfs tmpfs /sys/power' -j suspend
says notSupported 4 "/sys/power/state: No such file" "no such file"
helper_in 'mount --bind /dev/null /sys/power/state' -j -n suspend
says notSupported 4 'has "", not "mem"' "a file that says nothing"

# ---- nobody hears ----

forget_did
/usr/sbin/pmstack-host -j poweroff >&-
is "$?" 7 "with standard output closed"
/usr/sbin/pmstack-host -j poweroff >/dev/full
is "$?" 7 "or full"
mkfifo "$LAB/pipe"
(exec 3<>"$LAB/pipe" 4>"$LAB/pipe"; exec 3<&-; /usr/sbin/pmstack-host -j poweroff >&4 3<&- 4>&-; echo $? >"$LAB/status")
is "$(<"$LAB/status")" 7 "or without a reader"
is "$(did)" "" "nothing is done"
/usr/sbin/pmstack-host -j poweroff 2>&- <&- >"$LAB/answer"
is "$? $(did)" "0 poweroff" "the other two may be closed"
ANSWER=$(<"$LAB/answer")
is "$(answer_count)" 2 "the answers are where they belong"
(trap '' CHLD PIPE; exec /usr/sbin/pmstack-host -j reboot) >"$LAB/answer"
ANSWER=$(<"$LAB/answer")
is "$(member result)" ok "signals that the caller ignores do not matter"
forget_did

# ---- no rights, and no sudo ----

no_sudo='[ ! -e /usr/bin/sudo ] || mount --bind /dev/null /usr/bin/sudo'
mount --bind /dev/null /usr/bin/sudo 2>/dev/null || [[ ! -e /usr/bin/sudo ]] || bail_out "$no_sudo"
for verb in poweroff reboot "init 0" "init 3" suspend; do
    # shellcheck disable=SC2086 # two words
    helper_as_nobody -j $verb
    says noPermission 6 "only root may .*: see pmstack-host setup \(there is no sudo\)" "as nobody: $verb"
done
helper_as_nobody -j arm-wol lo
says notSupported 4 "no physical port" "what would not work anyway is told"
helper_as_nobody report
says ok 0 "not as root" "a report says that it has not seen all"
is "$(did)$(</sys/power/state)" mem "nothing was done"
done_testing
