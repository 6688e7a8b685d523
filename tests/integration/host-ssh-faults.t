#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# The driver of hosts alone when things go wrong before a request has left: there is no connection, or it hangs, at every point;
# keys are not accepted; ssh itself is not well. Each ends in a result that tells what to do, and that nothing was sent.
# shellcheck disable=SC2119 # functions of the lab have optional arguments
set -u
# shellcheck source=tests/lab/lab.sh
. "$(dirname "$0")/../lab/lab.sh"
lab_begin "$@"
# shellcheck source=tests/integration/host.sh
. "$(dirname "$0")/host.sh"
hosts_begin

# asked N VERB REGEX TEXT: what comes of it, within 10 s.
asked() {
    client_mark
    client "$1 $2"
    client_expect 10 "$1 reply ${2%% *} $3" "$4"
}

# ---- no connection, no login: all of them at once ----

ssh-keygen -q -t ed25519 -N '' -f "$HOSTS/other_key"
host_sshd 1
host_sshd 2
host_sshd 3
host_sshd 4 '' 'AuthorizedKeysCommand /bin/sleep 60' 'AuthorizedKeysCommandUser root'
: >"$HOSTS/4/authorized_keys"
host_sshd 5 '' 'Ciphers aes128-cbc'
host_sshd 6 "$HOSTS/bin/helper 6" 'MaxSessions 0'
: >"$HOSTS/3/authorized_keys"
host_known 1 "$HOSTS/other_key.pub"
for n in 3 4 5 6; do host_known $n; done
printf '@revoked %s %s\n' "$(host_address 7)" "$(cut -d' ' -f1,2 "$HOSTS/host_key.pub")" >>"$HOSTS/known_hosts"
host_sshd 7
silent() { lab_spawn "silent-$1" socat "TCP-LISTEN:22,bind=$(host_address "$1"),reuseaddr,fork" "SYSTEM:$2"; }
silent 10 'sleep 60'
silent 11 'printf SSH-2.0-silent\\\\r\\\\n; sleep 60'
silent 12 'exit 0'
silent 13 'echo 220 smtp ready; sleep 60'
silent 14 'seq 100000; sleep 60'
# One that is there as far as anybody can tell, and does not answer.
ip link add near type veth peer name far && ip address add 192.0.2.1/24 dev near && ip link set near up && ip link set far up
ip neighbour add 192.0.2.9 lladdr 02:00:00:00:00:09 dev near
listens() { [[ $(ss -Hltn | grep -c '127.0.1.1[0-4]:22 ') == 5 ]]; }
wait_until 5 listens || bail_out "no socat listens"

host_start client -d "$LAB/run/c" -p 20 -t 4000 "$(host_address 1)" "$(host_address 2)" "op@$(host_address 3)" "$(host_address 4)" \
    "$(host_address 5)" "$(host_address 6)" "$(host_address 7)" "$(host_address 10)" "$(host_address 11)" "$(host_address 12)" \
    "$(host_address 13)" 192.0.2.9 "$(host_address 200)" no-such-host.invalid 192.0.3.1 "$(host_address 2),2222" "$(host_address 14)"
client '* report'
key=$HOSTS/known_hosts
client_expect 12 "1 reply report AUTH_FAILED unsent the host key of 127.0.1.1 is not the one in $key: if it was changed on purpose, take out the old one \(ssh-keygen -R '127.0.1.1' -f $key\) and add the new" "wrong host key"
client_expect 12 "2 reply report AUTH_FAILED unsent the host key of 127.0.1.2 is not in $key: add it \(ssh-keyscan -p 22 127.0.1.2\), .*" "unknown host key"
client_expect 12 "3 reply report AUTH_FAILED unsent op@127.0.1.3 does not accept the key $HOSTS/id: add its line to authorized_keys there .*, and see that the account is not locked" "our key is not accepted"
client_expect 12 '4 reply report TIMEOUT unsent 127.0.1.4 port 22 does not finish the login: .*' "hangs in the login"
client_expect 12 '5 reply report AUTH_FAILED unsent no common algorithms with 127.0.1.5: .*no matching cipher found.*' "no cipher in common"
client_expect 12 '6 reply report UNREACHABLE unsent ssh to 127.0.1.6 ended before anything was sent: .*' "no session is allowed"
client_expect 12 "7 reply report AUTH_FAILED unsent the host key of 127.0.1.7 is revoked in $key: .*" "a host key that is revoked"
client_expect 12 '8 reply report TIMEOUT unsent 127.0.1.10 port 22 takes the connection, but says nothing .*: is sshd the one that listens there.*' "hangs before the banner"
client_expect 12 '9 reply report TIMEOUT unsent 127.0.1.11 port 22 began to exchange keys and went silent: .*' "hangs after the banner"
client_expect 12 '10 reply report UNREACHABLE unsent 127.0.1.12 port 22 takes the connection, but does not speak SSH with us .*' "closes at once"
client_expect 12 '11 reply report (TIMEOUT|UNREACHABLE) unsent 127.0.1.13 port 22 takes the connection, but .*' "speaks something else"
client_expect 12 '12 reply report UNREACHABLE unsent no connection to 192.0.2.9 port 22 .*: is it up, does a firewall drop this\?' "silently dropped"
client_expect 12 '13 reply report UNREACHABLE unsent 127.0.1.200 refuses connections to port 22: is sshd running there, on this port\?' "refused"
client_expect 12 '14 reply report UNREACHABLE unsent the name no-such-host.invalid does not resolve \(.*\): correct it, or give an address' "does not resolve"
client_expect 12 '15 reply report UNREACHABLE unsent no connection to 192.0.3.1 port 22 \(Network is unreachable\).*' "no route"
client_expect 12 '16 reply report UNREACHABLE unsent 127.0.1.2 refuses connections to port 2222: .*' "another port"
client_expect 12 '17 reply report UNREACHABLE unsent 127.0.1.14 port 22 takes the connection, but does not speak SSH with us.*: is sshd the one that listens there.*' "speaks something else, without end"
wait_until 5 host_has_children 0
ok $? "no process is left"
client_stop
ok $? "the client ends"
is "$(host_masters)" 0 "no connection is left"

# ---- our own key ----

cp "$HOSTS/id" "$HOSTS/open" && chmod 644 "$HOSTS/open"
ssh-keygen -q -t ed25519 -N secret -f "$HOSTS/locked" && cat "$HOSTS/locked.pub" >>"$HOSTS/6/authorized_keys"
echo nonsense >"$HOSTS/nonsense" && chmod 600 "$HOSTS/nonsense"
cp "$HOSTS/id" "$HOSTS/%h" && chmod 600 "$HOSTS/%h"
host_sshd 8
host_known 8
cat "$HOSTS/locked.pub" >>"$HOSTS/8/authorized_keys"
# with_key KEY REGEX TEXT
with_key() {
    client_start "key-$RANDOM" -t 4000 -i "$HOSTS/$1" -k "$HOSTS/known_hosts" "root@$(host_address 8)"
    asked 1 report "$2" "$3"
    client_stop
}
with_key none "AUTH_FAILED unsent the private key $HOSTS/none cannot be read \(No such file or directory\): ssh-keygen -t ed25519 -N '' -f $HOSTS/none makes one" "a key that is not there"
with_key open "AUTH_FAILED unsent the private key $HOSTS/open can be read by others, so ssh does not use it: chmod 600" "a key that is too open"
with_key nonsense "AUTH_FAILED unsent $HOSTS/nonsense is not a private key that ssh can use: .*" "a key that is none"
with_key locked "AUTH_FAILED unsent root@127.0.1.8 knows the key $HOSTS/locked, but it cannot be used: it must not have a passphrase" "a key with a passphrase"
# shellcheck disable=SC2016 # it is not to be expanded
with_key '${x' 'AUTH_FAILED unsent ssh cannot be given the paths .*' "a name that ssh would take for a variable"
with_key '%h' 'OK sent .*' "a name that ssh would take for a token"
cp "$PM_TEST_BIN/host_client" "$LAB/run/" && chmod 755 "$LAB/run"
saved=$PM_TEST_BIN PM_TEST_BIN=$LAB/run
CLIENT_AS=(setpriv --reuid nobody --regid nogroup --clear-groups)
with_key id "AUTH_FAILED unsent the private key $HOSTS/id cannot be read by the agent's user: chown it, or its group" "a key that the agent may not read"
chown root:nogroup "$HOSTS/open" && chmod 640 "$HOSTS/open"
with_key open 'OK sent .*' "one that is root's, and that its group may read"
CLIENT_AS=() PM_TEST_BIN=$saved

# ---- this host's ssh ----

mkdir "$LAB/bin"
for program in false sleep; do ln -s "$(command -v $program)" "$LAB/bin/"; done
CLIENT_LIMIT=()
# with_ssh [SCRIPT]: in front of, or instead of ssh
with_ssh() {
    rm -f "$LAB/bin/ssh"
    [[ -z $1 ]] || { printf '#!/bin/bash\n%s\n' "$1" >"$LAB/bin/ssh" && chmod 755 "$LAB/bin/ssh"; }
    CLIENT_AS=("${CLIENT_LIMIT[@]}" env "PATH=$LAB/bin")
    host_start "ssh-$RANDOM" -t 2000 "$(host_address 8)"
    CLIENT_AS=()
}
with_ssh ''
asked 1 report "FAILED unsent there is no ssh in $LAB/bin: install openssh-client" "no ssh"
client_stop
CLIENT_LIMIT=(prlimit --nofile=12)
with_ssh 'exec /usr/bin/ssh "$@"'
CLIENT_LIMIT=()
asked 1 report 'FAILED unsent ssh cannot be run: too many open files' "too many open files"
client_stop
ok $? "the client ends"
with_ssh 'echo "command-line: line 0: Bad configuration option: updatehostkeys" >&2; exit 255'
asked 1 report "FAILED unsent this host's ssh is too old, .*" "an ssh that does not know an option"
client_stop
with_ssh 'kill -SEGV $$'
asked 1 report 'FAILED unsent ssh was ended here by signal 11' "an ssh that crashes"
client_stop
with_ssh 'trap "" TERM; while :; do sleep 1; done'
asked 1 report 'UNREACHABLE unsent ssh to 127.0.1.8 was not even connecting after 2 s: .*' "an ssh that hangs"
is "$(host_children)" 1 "and does not end by SIGTERM"
asked 1 'report deadline=1000' '.* unsent .*after 1 s: .*' "the next request of the host begins when it is gone"
took=$(($(client_ms '1 reply .*') - $(head -n "$CLIENT_MARK" "$CLIENT_LOG" | tail -n 1 | cut -d' ' -f1)))
ok $((took < 1900 || took > 3500)) "$took ms later: SIGKILL after a second"
client_stop
ok $? "it ends when the client does"

done_testing
