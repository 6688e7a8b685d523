#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# A hypervisor by ssh, as pmstack.conf(5) tells to set it up: pmstackd runs as an ordinary user with a key, the user there
# is in the group that may, and has no other right. Nobody is asked for anything: what is missing is told in words.
# shellcheck disable=SC2119,SC2016 # functions of the lab have optional arguments; programs of awk
set -u
# shellcheck source=tests/lab/lab.sh
. "$(dirname "$0")/../lab/lab.sh"
# shellcheck source=tests/integration/room.sh
. "$(dirname "$0")/room.sh"
lab_begin "$@"
lab_need sshd ssh-keygen virsh
sshd=$(command -v sshd)

# ---- given: users of both sides, of which this host knows nothing outside of the test ----

mkdir -p "$LAB/home"/{agent,remote}/.ssh
printf '%s\n' "$(</etc/passwd)" "pmagent:*:64001:65534::$LAB/home/agent:/usr/sbin/nologin" \
    "pmremote:*:64002:64002::$LAB/home/remote:/bin/sh" >"$LAB/etc/passwd"
printf '%s\n' "$(</etc/group)" pmremote:x:64002: labvirt:x:64003:pmremote >"$LAB/etc/group"
for file in passwd group; do mount --bind "$LAB/etc/$file" "/etc/$file"; done
chown -R 64001 "$LAB/home/agent" && chown -R 64002:64002 "$LAB/home/remote" && chmod 711 "$LAB/home"
chmod 700 "$LAB/home/agent/.ssh" "$LAB/home/remote/.ssh"
as_agent() { setpriv --reuid 64001 --regid 65534 --clear-groups env HOME="$LAB/home/agent" "$@"; }

# ---- given: sshd, and a hypervisor that is open for the group labvirt alone ----

port=$(lab_port 2222)
mkdir -p "$LAB/ssh" /run/sshd
ssh-keygen -q -t ed25519 -N '' -f "$LAB/ssh/host"
as_agent ssh-keygen -q -t ed25519 -N '' -f "$LAB/home/agent/.ssh/id_ed25519"
printf '%s\n' "Port $port" "ListenAddress 127.0.0.1" "HostKey $LAB/ssh/host" "UsePAM no" "StrictModes no" "PidFile none" \
    "AuthorizedKeysFile .ssh/authorized_keys" "PasswordAuthentication no" >"$LAB/etc/sshd.conf"
lab_spawn sshd "$sshd" -D -e -f "$LAB/etc/sshd.conf"
lab_test_libvirtd hv || bail_out "no hypervisor"
lab_test_vms hv web 2
socket=$LAB/hv/hv/libvirt-sock
chgrp 64003 "$socket" && chmod 660 "$socket"
chmod 711 "$LAB"
as_agent virsh -c "$(libvirt_uri hv)" list >/dev/null 2>&1
isnt $? 0 "the agent's user cannot open the hypervisor's socket itself"

# ---- when the agent starts, nothing is set up yet ----

LAB_AGENT_USER=pmagent
lab_snmpd || bail_out "no master agent"
lab_agent_conf <<END
machine "room1" { stack { uri = "test+ssh://pmremote@127.0.0.1:$port/default?socket=$socket" } }
END
lab_agent -v || bail_out "no agent"
wait_until "$WAIT_S" lab_agent_logged "room1: .*[Hh]ost key verification failed"
ok $? "an unknown host key is refused, and the log says so" || tail -n 5 "$LAB/log/pmstackd.log"
is "$(value pmMachineVmCount.1) $(value pmMachinePowerState.1)" "0 unknown" "nothing is known"

# again: reads the configuration anew with another key to the same place, so that it does not wait for its next attempt.
again() {
    lab_agent_conf <<END
machine "room1" { stack { uri = "test+ssh://pmremote@127.0.0.1:$port/default?socket=$socket&mode=auto&x=$1" } }
END
    log_mark
    lab_agent_reload
}
printf '[127.0.0.1]:%s %s\n' "$port" "$(cut -d' ' -f1,2 "$LAB/ssh/host.pub")" >"$LAB/home/agent/.ssh/known_hosts"
again 1
refused_key() { logged "room1: .*Permission denied"; }
wait_until "$WAIT_S" refused_key
ok $? "a key that the other side does not know is refused" || log_lines | tail -n 5

# ---- then all is there ----

printf 'restrict %s\n' "$(<"$LAB/home/agent/.ssh/id_ed25519.pub")" >"$LAB/home/remote/.ssh/authorized_keys"
again 2
becomes pmMachineVmCount.1 3 "with the key in its place, with restrict before it, the VMs are there"
becomes pmMachinePowerState.1 on "and the machine is on"
like "$(value pmVmHypervisor.1.1)" "^test\+ssh://pmremote@127\.0\.0\.1:$port/default\?socket=$socket" "its URI is shown"
row=$(snmp_as reader walk pmVmName | sed -n 's/^pmVmName\.\(1\.[0-9]*\) web1$/\1/p')
put "pmVmAdminState.$row" running >/dev/null
becomes "pmVmState.$row" running "a VM is switched on through it"
libvirt hv destroy web1 >/dev/null
becomes "pmVmState.$row" shutdown "and its events come back"
mapfile -t ssh < <(pgrep -x ssh -u 64001)
ok $((${#ssh[@]} < 1)) "ssh runs"
# of_each FILE PROGRAM: what awk's PROGRAM says of that file of each ssh, without repetitions.
of_each() { for pid in "${ssh[@]}"; do awk "$2" "/proc/$pid/$1"; done | sort -u; }
is "$(of_each status '/^Cap(Inh|Prm|Eff|Amb):/ { print $2 }')" 0000000000000000 "with no capability at all"
is "$(of_each status '/^NoNewPrivs:/ { print $2 }')" 1 "and it cannot get any"
is "$(of_each cmdline 'BEGIN { RS = "\\0" } /BatchMode/')" "BatchMode=yes" "and it asks for nothing"

# ---- the way is lost, and comes back ----

lab_stop sshd
kill "${ssh[@]}"
becomes "pmVmState.$row" unknown "ssh has ended: nothing is known of the VMs"
lab_spawn sshd "$sshd" -D -e -f "$LAB/etc/sshd.conf"
becomes "pmVmState.$row" shutdown "it is there again by itself"
without=$(sed 's/^labvirt:.*/labvirt:x:64003:/' "$LAB/etc/group")
printf '%s\n' "$without" >"$LAB/etc/group" # the same file: it is mounted
log_mark
mapfile -t ssh < <(pgrep -x ssh -u 64001)
kill "${ssh[@]}"
no_right() { logged "room1: .*Permission denied|room1: .*end of file"; }
wait_until "$WAIT_S" no_right
ok $? "a user there who is not in the group is refused" || log_lines | tail -n 5

lab_agent_stop
is "$LAB_STATUS" 0 "the agent ends well"
is "$(pgrep -x ssh -u 64001)" "" "and so has ssh"
done_testing
