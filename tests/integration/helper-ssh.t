#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# pmstack-host by ssh, set up by what it prints itself: the forced command in authorized_keys, the rule of sudo. Who has the key
# can have its verbs done, and nothing else, whatever is sent; without the rule it does what a user may, and tells the rest.
# shellcheck disable=SC2016 # what a shell would expand must reach the other side as it is
set -u
# shellcheck source=tests/lab/lab.sh
. "$(dirname "$0")/../lab/lab.sh"
# shellcheck source=tests/integration/helper.sh
. "$(dirname "$0")/helper.sh"
lab_begin "$@"
lab_need sshd ssh ssh-keygen sudo visudo
sshd=$(command -v sshd)
helper_machine

# ---- given: a user, of whom this host knows nothing outside of the test, sudo's own rules, sshd ----

mkdir -p "$LAB/home/pmstack" "$LAB/etc/sudoers.d" /run/sshd
printf '%s\n' "$(</etc/passwd)" "pmstack:*:64002:64002::$LAB/home/pmstack:/bin/sh" >"$LAB/etc/passwd"
printf '%s\n' "$(</etc/group)" pmstack:x:64002: >"$LAB/etc/group"
printf 'Defaults env_reset, use_pty\nroot ALL=(ALL:ALL) ALL\n@includedir /etc/sudoers.d\n' >"$LAB/etc/sudoers"
chmod 440 "$LAB/etc/sudoers"
for file in passwd group sudoers sudoers.d; do
    mount --bind "$LAB/etc/$file" "/etc/$file" || bail_out "/etc/$file cannot be replaced"
done
chown -R 64002:64002 "$LAB/home/pmstack" && chmod 711 "$LAB/home"
port=$(lab_port 2222)
mkdir -m 700 "$LAB/ssh"
ssh-keygen -q -t ed25519 -N '' -f "$LAB/ssh/host"
ssh-keygen -q -t ed25519 -N '' -C 'the agent; $(x) "y"' -f "$LAB/ssh/id"
printf '[127.0.0.1]:%s %s\n' "$port" "$(cut -d' ' -f1,2 "$LAB/ssh/host.pub")" >"$LAB/ssh/known_hosts"
# the most careless of configurations: it is the forced command that holds
printf '%s\n' "Port $port" "ListenAddress 127.0.0.1" "HostKey $LAB/ssh/host" "UsePAM no" "PidFile none" "AcceptEnv *" \
    "PermitTTY yes" "AllowTcpForwarding yes" "Subsystem sftp internal-sftp" >"$LAB/etc/sshd.conf"
lab_spawn sshd "$sshd" -D -e -f "$LAB/etc/sshd.conf"
wait_until 10 lab_log_has sshd "listening on 127.0.0.1" || bail_out "no sshd"

login=pmstack
# by_ssh [OPTION...] COMMAND...: as that user; its answers are in $ANSWER, its exit status in $STATUS.
by_ssh() {
    ANSWER=$(ssh -F none -T -o BatchMode=yes -o StrictHostKeyChecking=yes -o UserKnownHostsFile="$LAB/ssh/known_hosts" \
        -o IdentitiesOnly=yes -i "$LAB/ssh/id" -p "$port" -l "$login" 127.0.0.1 "$@" 2>"$LAB/native/errors" </dev/null)
    STATUS=$?
}
as_user() { setpriv --reuid 64002 --regid 64002 --clear-groups env HOME="$LAB/home/pmstack" "$@"; }

# ---- setup: what it prints is good to be done ----

by_ssh pmstack-host -j report
is "$STATUS" 255 "before, the key is not accepted"
/usr/sbin/pmstack-host setup "$LAB/ssh/id.pub" >"$LAB/etc/setup"
is "$?" 0 "setup"
key=$(cut -d' ' -f1,2 "$LAB/ssh/id.pub")
is "$(grep -c "^restrict,command=\"/usr/sbin/pmstack-host --ssh\" $key\$" "$LAB/etc/setup")" 1 "has the line of authorized_keys, without the key's comment"
is "$(grep -v '^#' "$LAB/etc/setup" | grep -c '^pmstack ALL=(root) NOPASSWD: /usr/sbin/pmstack-host$')" 1 "and that of sudoers"
is "$(grep -c WARNING "$LAB/etc/setup")" 0 "nobody but root can exchange what sudo runs"
sh -e "$LAB/etc/setup" >"$LAB/log/setup.log" 2>&1
is "$?" 0 "it is done as it stands there" || diag "$(<"$LAB/log/setup.log")"
is "$(stat -c '%U %a' "$LAB/home/pmstack/.ssh" "$LAB/home/pmstack/.ssh/authorized_keys" "$LAB/etc/sudoers.d/pmstack-host" | paste -sd,)" \
    "pmstack 700,pmstack 600,root 440" "with the modes that sshd and sudo want"

# ---- then the agent may ask ----

by_ssh pmstack-host -j report
is "$STATUS $(member verb) $(member result) $(member boot-id)" "0 report ok $(boot_id)" "a report by ssh" || diag "$ANSWER" "$(errors)"
like "$(member text)" "^pmstack-host [0-9.]+\$" "as root"
is "$(errors)" "" "and nothing else is said"
by_ssh pmstack-host -j -n -b "$(boot_id)" init 6
says ok 0 "^would go to run level 6, by /usr/sbin/telinit 6" "options and arguments come through"
by_ssh pmstack-host -j -b 00000000-0000-4000-8000-000000000000 poweroff
says otherBoot 5 "nothing was done" "and exit statuses come back"
by_ssh pmstack-host -j arm-wol lo
says notSupported 4 "no physical port" "also this one"
by_ssh pmstack-host -j init 9
says usage 2 "0 to 6, not 9" "and this one"
by_ssh pmstack-host -n poweroff
is "$STATUS $ANSWER" "0 would power off, by /usr/sbin/poweroff" "people get text"
by_ssh pmstack-host -j poweroff
is "$STATUS $(answer_count) $(member result 1) $(member result 2)" "0 2 going ok" "a power-off by ssh"
is "$(did) $(<"$LAB/native/user")" "poweroff root" "is done, by root"
is "$(grep -Ev '^PWD=' "$LAB/native/environment" | paste -sd' ')" "LC_ALL=C PATH=/usr/sbin:/sbin:/usr/bin:/bin" "with an environment of its own"
forget_did
ANSWER=$(PATH=/evil:$PATH LD_PRELOAD_X=1 DBUS_SYSTEM_BUS_ADDRESS=unix:path=/evil SSH_ORIGINAL_COMMAND='pmstack-host reboot' SUDO_UID=0 \
    ssh -F none -T -o BatchMode=yes -o UserKnownHostsFile="$LAB/ssh/known_hosts" -i "$LAB/ssh/id" -p "$port" -l pmstack \
    -o 'SendEnv=PATH LD_PRELOAD_X DBUS_* SSH_ORIGINAL_COMMAND SUDO_UID' 127.0.0.1 pmstack-host -j poweroff 2>&1)
is "$(member result) $(did)" "ok poweroff" "the caller's environment has no influence"
is "$(grep -Ev '^PWD=' "$LAB/native/environment" | paste -sd' ')" "LC_ALL=C PATH=/usr/sbin:/sbin:/usr/bin:/bin" "and reaches nobody"
forget_did

# ---- and nothing else ----

for text in 'id' 'sh' 'pmstack-host report; touch /tmp/pwned' 'pmstack-host $(touch /tmp/pwned)' 'pmstack-host `touch /tmp/pwned`' \
    'pmstack-host report|touch /tmp/pwned' 'pmstack-host report&touch /tmp/pwned' $'pmstack-host report\ntouch /tmp/pwned' \
    'pmstack-host arm-wol "$(touch /tmp/pwned)"' "pmstack-host arm-wol '" 'pmstack-host arm-wol ;reboot' 'pmstack-host >/tmp/pwned report' \
    'PATH=/tmp pmstack-host report' '/usr/sbin/pmstack-host poweroff' '../usr/sbin/pmstack-host poweroff' 'pmstack-host setup' \
    'pmstack-host setup /etc/shadow' 'pmstack-host --ssh' 'pmstack-host --stdin' 'sudo pmstack-host poweroff' 'scp -f /etc/shadow' \
    'rsync --server . /' 'pmstack-host init 0;' 'pmstack-host  poweroff' 'pmstack-host poweroff ' ' pmstack-host poweroff' \
    "pmstack-host arm-wol $(printf 'a%.0s' {1..1100})"; do
    by_ssh "$text"
    is "$STATUS $(member result)" "2 usage" "refused: $(head -c 60 <<<"${text//$'\n'/ }")"
done
by_ssh
is "$STATUS $(member text)" "2 no request: ssh HOST pmstack-host report" "no shell"
by_ssh -s sftp
is "$STATUS $(member result)" "2 usage" "no subsystem"
by_ssh -tt pmstack-host -j report
like "$(errors)" "PTY allocation request failed" "no terminal"
by_ssh -o ExitOnForwardFailure=yes -R 0:127.0.0.1:22 pmstack-host -j report
isnt "$STATUS" 0 "no forwarding to the agent"
by_ssh -W 127.0.0.1:"$port"
like "$(errors)" "administratively prohibited|open failed" "nor from it"
[[ ! -e /tmp/pwned ]]
ok $? "nothing was run"
is "$(did)" "" "and nothing was done"

# ---- the rule of sudo is for this program alone ----

as_user sudo -n id >"$LAB/log/sudo.log" 2>&1
isnt $? 0 "no other program as root"
as_user sudo -n /usr/sbin/poweroff >>"$LAB/log/sudo.log" 2>&1
isnt "$? $(did)" "0 poweroff" "not even those that it runs"
as_user sudo -n LD_PRELOAD=/evil.so /usr/sbin/pmstack-host -j report >>"$LAB/log/sudo.log" 2>&1
isnt $? 0 "no environment for it"
install -m 600 "$LAB/ssh/id.pub" "$LAB/etc/secret.pub"
as_user sudo -n /usr/sbin/pmstack-host setup "$LAB/etc/secret.pub" >"$LAB/answer" 2>&1
is "$? $(<"$LAB/answer")" "2 pmstack-host: $LAB/etc/secret.pub: Permission denied" "setup reads what its caller may read, not more"
as_user sudo -n /usr/sbin/pmstack-host setup /etc/shadow >"$LAB/answer" 2>&1
is "$? $(<"$LAB/answer")" "2 pmstack-host: /etc/shadow: Permission denied" "whatever it is"
ANSWER=$(as_user env SSH_ORIGINAL_COMMAND='pmstack-host -j poweroff' sudo -n /usr/sbin/pmstack-host --ssh)
is "$(member text)" "no request: ssh HOST pmstack-host report" "sudo drops the variable"
is "$(did)" "" "nothing was done"

# ---- by hand, as that user ----

ANSWER=$(cd "$LAB/home" && as_user env PATH=/evil /usr/sbin/pmstack-host -j reboot)
is "$(member result) $(did) $(<"$LAB/native/user")" "ok reboot root" "the user runs it by hand"
forget_did

# ---- without the rule, or without sudo ----

: >"$LAB/etc/sudoers.d/pmstack-host"
by_ssh pmstack-host -j report
says ok 0 "not as root: not all can be seen, see pmstack-host setup" "a report without the rule"
is "$(errors)" "" "sudo's own words are not for standard error"
for verb in poweroff reboot "init 0"; do
    by_ssh pmstack-host -j "$verb"
    says noPermission 6 "only root may run .*: see pmstack-host setup \(.*(password is required|not in the sudoers).*\)" "$verb without the rule"
done
by_ssh pmstack-host poweroff
like "$STATUS $ANSWER$(errors)" "^6 pmstack-host: only root may run" "in text, too"
printf 'not a rule\n' >"$LAB/etc/sudoers.d/pmstack-host"
by_ssh pmstack-host -j poweroff
says noPermission 6 "see pmstack-host setup" "with a broken one"
mount --bind /dev/null "$(command -v sudo)"
by_ssh pmstack-host -j poweroff
says noPermission 6 "see pmstack-host setup \(there is no sudo\)" "without sudo"
umount "$(command -v sudo)"
is "$(did)" "" "nothing was done"

# ---- setup, and files that are no public keys ----

# no_key NAME: $LAB/key is none.
no_key() {
    /usr/sbin/pmstack-host setup "$LAB/key" >"$LAB/answer" 2>&1
    is "$?" 2 "no key: $1"
    is "$(wc -l <"$LAB/answer")" 1 "no key: $1: one line tells so"
    unlike "$(<"$LAB/answer")" "BEGIN|evil|restrict" "no key: $1: and has nothing of the file"
    rm -rf "$LAB/key"
}
cp "$LAB/ssh/id" "$LAB/key" && no_key "the private one"
printf 'command="evil" %s\n' "$key" >"$LAB/key" && no_key "with options before it"
printf '%s,evil\n' "$key" >"$LAB/key" && no_key "with something behind it"
printf '\n%s\n' "$key" >"$LAB/key" && no_key "behind an empty line"
printf 'ssh-dss AAAAB3NzaC1kc3MAAACBAevilevilevilevil\n' >"$LAB/key" && no_key "of an old kind"
printf 'ssh-ed25519 AAAA\n' >"$LAB/key" && no_key "too short"
: >"$LAB/key" && no_key "an empty file"
mkdir "$LAB/key" && no_key "a directory"
mkfifo "$LAB/key" && no_key "a pipe"
ln -s /dev/zero "$LAB/key" && no_key "a device"
no_key "no file"
printf '%s\r\nevil\n' "$key" >"$LAB/key"
is "$(/usr/sbin/pmstack-host setup "$LAB/key" | grep -c evil)" 0 "only the first line is read"
is "$(/usr/sbin/pmstack-host setup | grep -c 'AAAA...the-public-key')" 1 "without a file it says where the key goes"
like "$(/usr/sbin/pmstack-host setup -u web-ops)" $'\nuseradd --system --create-home --home-dir /var/lib/web-ops .*web-ops\n' \
    "who is not there is made"
# a whole machine's /etc and /var/lib, to do as it stands there for a user who is not there yet, and for one who is locked
mkdir "$LAB/varlib"
cp -a /etc "$LAB/etc.all" || bail_out "no copy of /etc"
if ! mount --bind "$LAB/etc.all" /etc || ! mount --bind "$LAB/varlib" /var/lib; then bail_out "/etc and /var/lib cannot be replaced"; fi
login=webops
/usr/sbin/pmstack-host setup -u $login "$LAB/ssh/id.pub" >"$LAB/answer"
sh -e "$LAB/answer" >"$LAB/log/setup-new.log" 2>&1
is "$?" 0 "all of it is done for a new user" || diag "$(<"$LAB/log/setup-new.log")"
by_ssh pmstack-host -j report
says ok 0 "^pmstack-host [0-9.]+\$" "who may ask then, as root, also where sshd does without PAM"
usermod --lock webops
/usr/sbin/pmstack-host setup -u webops "$LAB/ssh/id.pub" >"$LAB/answer"
is "$(grep -c "^usermod --password '\*' webops\$" "$LAB/answer")" 1 "a user who is there, and locked, is unlocked"
by_ssh pmstack-host -j report
is "$STATUS" 255 "as it has to be"
sh -e "$LAB/answer" >"$LAB/log/setup-locked.log" 2>&1
by_ssh pmstack-host -j report
is "$STATUS $(member result)" "0 ok" "and may ask then"
is "$(/usr/sbin/pmstack-host setup -u webops | grep -c usermod)" 0 "who is not locked is left as it is"
for name in 'a b' 'root;id' '$(id)' '-x' '' 'ALL=(ALL)'; do
    /usr/sbin/pmstack-host setup -u "$name" >"$LAB/answer" 2>&1
    is "$?" 2 "no user: $name"
done
mkdir -m 777 "$LAB/open" && install -m 755 "$PMSTACK_HOST" "$LAB/open/pmstack-host"
like "$("$LAB/open/pmstack-host" setup)" "WARNING: $LAB/open is not root's alone" "from where others can exchange it, it warns"
mkdir "$LAB/a b" && install -m 755 "$PMSTACK_HOST" "$LAB/a b/pmstack-host"
"$LAB/a b/pmstack-host" setup >"$LAB/answer" 2>&1
like "$? $(<"$LAB/answer")" "^7 .*cannot stand in sudoers" "where the line would need quotes, it says so"
done_testing
