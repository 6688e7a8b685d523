#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# The driver of hosts alone, when all is well: over real sshds, to the real pmstack-host and to one that says what is
# wanted; connections are shared, the children have nothing of the agent's, and nothing is left behind.
# shellcheck disable=SC2119 # functions of the lab have optional arguments
set -u
# shellcheck source=tests/lab/lab.sh
. "$(dirname "$0")/../lab/lab.sh"
lab_begin "$@"
# shellcheck source=tests/integration/host.sh
. "$(dirname "$0")/host.sh"
hosts_begin

# ---- the real helper ----

# It is asked for nothing that it would do. If it did all the same: there is no logind here, and what ends machines is away.
away=$(readlink -f "$(command -v poweroff || echo /nonexistent)")
for directory in /run/dbus /run/systemd; do [[ ! -d $directory ]] || mount -t tmpfs tmpfs "$directory" || bail_out "$directory"; done
if [[ -e $away ]]; then
    mount --bind /bin/false "$away" || bail_out "$away cannot be covered"
    cmp -s /bin/false "$away" || bail_out "$away is not covered"
fi

host_sshd 1 "$PMSTACK_HOST --ssh"
host_known 1
host_start real -d "$LAB/run/c" "root@$(host_address 1)"
client report
client_expect 10 '1 reply report OK sent .*' "the real helper reports"
boot=$(</proc/sys/kernel/random/boot_id)
client_saw "1 report $boot .* up=[0-9]+ suspend=(yes|no) hibernate=(yes|no)" "with the boot id of this kernel"
client_mark
client "poweroff boot=$HOST_BOOT"
client_expect 10 '1 reply poweroff OTHER_BOOT sent .*' "another boot: nothing is done"
client "arm-wol 52:54:00:99:99:99"
client_expect 10 '1 reply arm-wol FAILED sent .*52:54:00:99:99:99.*' "a MAC address that it does not have: failed, and says so"
client_stop
ok $? "the client ends"

# ---- verbs ----

host_sshd 2
host_known 2
host_start client -d "$LAB/run/c" "$(host_address 2)"
client report
client_expect 10 '1 reply report OK sent pmstack-host 0.4.0' "a report"
client_saw "1 report $HOST_BOOT 4c4c4544-0042-3010-8052-b4c04f4e4d31 0.4.0 up=77 suspend=yes hibernate=no" "what it says"
client_saw '1 port eth0 52:54:00:00:00:01 52:54:00:00:00:02 armed' "and its port"
ok $((! $(host_has_masters 1 && echo 1 || echo 0))) "the connection is kept"
is "$(stat -c '%a %U' "$LAB/run/c")" "700 $(id -un)" "in a directory that is nobody else's"

client_mark
client "arm-wol 52:54:00:00:00:01 52:54:00:00:00:02" "suspend boot=$HOST_BOOT" "init 3" "init 0" poweroff reboot hibernate report
client_expect 10 '1 reply arm-wol OK sent armed' "arming"
client_saw '1 port eth0 52:54:00:00:00:01 52:54:00:00:00:01 armed' "what is armed now"
client_expect 20 '1 reply report OK .*' "all verbs, one after another"
for verb in suspend init poweroff reboot hibernate; do client_saw "1 reply $verb OK sent it has slept" "$verb"; done
is "$(host_asked 2)" "pmstack-host -j report
pmstack-host -j arm-wol 52:54:00:00:00:01 52:54:00:00:00:02
pmstack-host -j -b $HOST_BOOT suspend
pmstack-host -j init 3
pmstack-host -j init 0
pmstack-host -j poweroff
pmstack-host -j reboot
pmstack-host -j hibernate
pmstack-host -j report" "each was asked once, in order"

# ---- shared connections ----

# The first two share; what goes down ends its connection, so that the next begins anew.
is "$(host_logins 2)" 6 "requests share a connection, until one goes down"
client_mark
client report report report
three() { [[ $(client_count '1 reply report OK .*') == 3 ]]; }
wait_until 10 three
ok $? "three more"
is "$(host_logins 2)" 6 "over the same connection"
ok $((! $(host_has_masters 1 && echo 1 || echo 0))) "one is open"
client close
wait_until 5 host_has_masters 0
ok $? "closed: it is ended"
is "$(find "$LAB/run/c" -type s | wc -l)" 0 "and its socket is gone"
client reopen report
client_expect 10 '1 reply report OK .*' "opened again"
client_stop
ok $? "the client ends"
is "$(host_masters) $(find "$LAB/run/c" -type s | wc -l)" "0 0" "stopped: no connection is left, no socket"

# ---- without sharing ----

long=$LAB/run/$(printf 'x%.0s' {1..80})
mkdir -m 700 "$long" "$LAB/run/open" && chmod 755 "$LAB/run/open"
for directory in "$long" "$LAB/run/open" "$LAB/run/none/none"; do
    before=$(host_logins 2)
    name=alone-$(basename "$directory" | cut -c1-6)
    host_start "$name" -d "$directory" "$(host_address 2)"
    client report report
    twice() { [[ $(client_count '1 reply report OK .*') == 2 ]]; }
    wait_until 10 twice
    ok $? "${directory##*/}: asked all the same"
    client_stop
    is "$(host_logins 2) $(host_masters "$directory")" "$((before + 2)) 0" "nothing was shared"
    is "$(grep -c 'not shared' "$LAB/log/$name.stderr.log")" 1 "the log tells why, once: $(cat "$LAB/log/$name.stderr.log")"
done
host_start unshared "$(host_address 2)"
client report
client_expect 10 '1 reply report OK .*' "without a directory nothing is shared"
client_stop
is "$(cat "$LAB/log/unshared.stderr.log")" "" "and nothing is to tell"

# ---- what children have of the agent's ----

mkdir "$LAB/spy"
cat >"$LAB/spy/ssh" <<'END'
#!/usr/bin/perl
# In one process, without a shell, which would change what there is to see.
open my $told, '>', "$0.told" or die;
print $told "$_=$ENV{$_}\n" for sort keys %ENV;
open my $status, '<', '/proc/self/status' or die;
print $told grep { /^(Sig(Blk|Ign)|Cap(Prm|Eff|Amb)):/ } <$status>;
for my $fd (sort { $a <=> $b } map { m{/(\d+)$} } glob '/proc/self/fd/*') {
    my $what = readlink "/proc/self/fd/$fd" or next;
    print $told "fd $fd ", $what =~ /^(\w+):/ ? $1 : $what, "\n" unless $what =~ m{^\Q$0\E|^/proc/};
}
print $told "group ", getpgrp == $$ ? 1 : 0, " terminal ", -e '/dev/tty' && open(my $tty, '<', '/dev/tty') ? 1 : 0, "\n";
print $told "arg $_\n" for @ARGV;
close $told;
exec '/usr/bin/ssh', @ARGV;
END
chmod 755 "$LAB/spy/ssh" && chown -R nobody "$LAB/spy"
install -o nobody -m 600 "$HOSTS/id" "$HOSTS/id-of-nobody"
chmod 644 "$HOSTS/known_hosts"
mkdir -m 755 "$LAB/run/bin" && cp "$PM_TEST_BIN/host_client" "$LAB/run/bin/" && chmod 755 "$LAB/run"
saved=$PM_TEST_BIN
PM_TEST_BIN=$LAB/run/bin
# shellcheck disable=SC2054 # commas in words
CLIENT_AS=(env SSH_AUTH_SOCK=/nowhere DISPLAY=:0 LC_ALL=de_DE.UTF-8 HOME=/nonexistent PATH="$LAB/spy:$PATH" setpriv --reuid nobody
    --clear-groups --inh-caps -all,+net_raw --ambient-caps -all,+net_raw bash -c 'trap "" PIPE INT; exec 7</etc/passwd 8>/dev/null; exec "$@"' --)
host_start spied -i "$HOSTS/id-of-nobody" "root@$(host_address 2)"
client report
client_expect 10 '1 reply report OK .*' "as an ordinary user with CAP_NET_RAW"
like "$(grep CapAmb "/proc/$(pgrep -f "^$LAB/run/bin/host_client")/status")" '0$' "the ambient capability is given up"
client_stop
CLIENT_AS=()
PM_TEST_BIN=$saved
told=$(<"$LAB/spy/ssh.told")
for set in Prm Eff Amb; do like "$told" "Cap$set:[[:space:]]0{16}" "a child has no capability: $set"; done
like "$told" "SigBlk:[[:space:]]0{16}" "no signal is blocked"
# and perhaps the two that glibc keeps to itself, by whoever has started the test
like "$told" "SigIgn:[[:space:]]0{7}[01]80{5}80|SigIgn:[[:space:]]0{14}80" "none is ignored, but for SIGFPE, by perl itself"
is "$(grep ^fd <<<"$told")" "fd 0 /dev/null
fd 1 socket
fd 2 socket" "it has no descriptor of the agent's"
like "$told" "group 1 terminal 0" "it leads a process group of its own, without a terminal"
is "$(grep -E '^[A-Z_]+=' <<<"$told")" "HOME=/nonexistent
LC_ALL=C
PATH=$LAB/spy:$PATH" "its environment is clean"
like "$told" "arg --
arg 127.0.1.2
arg pmstack-host -j report" "the request is one argument, behind --"

# ---- this host: by its socket ----

cat >"$HOSTS/bin/service" <<END
#!/bin/bash
read -r SSH_ORIGINAL_COMMAND
export SSH_ORIGINAL_COMMAND
exec $HOSTS/bin/helper local
END
chmod 755 "$HOSTS/bin/service" && mkdir "$HOSTS/local"
host_mode local good
lab_spawn socket socat "UNIX-LISTEN:$LAB/run/host.sock,fork" "EXEC:$HOSTS/bin/service"
lab_spawn real-socket socat "UNIX-LISTEN:$LAB/run/real.sock,fork" "EXEC:$PMSTACK_HOST --stdin"
wait_until 5 test -S "$LAB/run/real.sock" && wait_until 5 test -S "$LAB/run/host.sock"
lab_spawn dead socat "UNIX-LISTEN:$LAB/run/dead.sock" "EXEC:/bin/true" && wait_until 5 test -S "$LAB/run/dead.sock" && lab_kill dead
host_start local -t 3000 "$LAB/run/host.sock" "$LAB/run/none.sock" "$LAB/run/dead.sock" "/$(printf 'x%.0s' {1..120})" "$LAB/run/real.sock"
client report poweroff "2 report" "3 report" "4 report" "5 report"
client_expect 10 '1 reply report OK sent pmstack-host 0.4.0' "a report"
client_saw "1 report $HOST_BOOT .*" "read"
client_expect 10 '1 reply poweroff OK sent it has slept' "it goes down"
client_expect 10 '2 reply report NO_HELPER unsent there is no .*none.sock: systemctl enable --now pmstack-host.socket' "no socket"
client_expect 10 '3 reply report UNREACHABLE unsent nobody listens at .*dead.sock: systemctl enable --now pmstack-host.socket' "nobody listens"
client_expect 10 '4 reply report FAILED unsent .*the path of a socket has at most 107 octets' "a path that is too long"
client_expect 10 "5 report $boot .*" "the real helper reports"
for mode in hang nothing words binary endless huge going-hang answer-hang; do
    host_mode local $mode
    client_mark
    case $mode in
    going-hang)
        client poweroff
        client_expect 10 '1 reply poweroff OK sent it goes' "local, $mode"
        ;;
    *)
        client report
        client_expect 10 '1 reply report .*' "local, $mode: $(client_told)"
        case $mode in
        hang) client_saw "1 reply report TIMEOUT sent .*host.sock did not answer within 3 s: journalctl .*" "timeout" ;;
        answer-hang) client_saw "1 reply report OK sent .*" "the answer counts" ;;
        *) client_saw "1 reply report NO_HELPER sent what listens at .*host.sock is no pmstack-host .*" "no helper" ;;
        esac
        ;;
    esac
done
client_stop
ok $? "the client ends"

chmod 600 "$LAB/run/host.sock"
PM_TEST_BIN=$LAB/run/bin CLIENT_AS=(setpriv --reuid nobody --clear-groups)
host_start stranger "$LAB/run/host.sock"
client report
client_expect 10 "1 reply report NOT_PERMITTED unsent the agent's user may not use .*host.sock: put it into the socket's group" "a socket that is not for us"
client_stop

done_testing
