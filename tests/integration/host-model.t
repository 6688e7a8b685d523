#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# What a manager sees of operating systems: pmstackd and real sshds in network namespaces, which a script stands behind that
# knows of boots, of going down, and of coming back. Off and suspended are shown of those that had agreed to it, never of
# one that has vanished; over restarts and reloads, too.
# shellcheck disable=SC2119 # functions of the lab have optional arguments
set -u
# shellcheck source=tests/lab/lab.sh
. "$(dirname "$0")/../lab/lab.sh"
# shellcheck source=tests/integration/room.sh
. "$(dirname "$0")/room.sh"
lab_begin "$@"
lab_need sshd ssh ssh-keygen socat ip
PMSTACK_HOST=${PMSTACK_HOST:-$LAB_ROOT/build/pmstack-host}

# ---- given: two machines, each a network namespace with its sshd ----

H=$LAB/host
mkdir -p "$H/home" /run/sshd
chmod 711 "$H"
ssh-keygen -q -t ed25519 -N '' -C '' -f "$H/host_key"
ssh-keygen -q -t ed25519 -N '' -C '' -f "$H/other_key"
ssh-keygen -q -t ed25519 -N '' -C agent -f "$H/id"
chown nobody "$H/id"
address() { printf '10.77.%d.2' "$1"; }
# known N KEY: the host key that is known of it.
known() { printf '%s %s\n' "$(address "$1")" "$(cut -d' ' -f1,2 "$H/$2.pub")" >>"$H/known_hosts"; }

# The forced command: answers as pmstack-host does, from the files of its host; what it is told goes to the machine.
cat >"$H/helper" <<'END'
#!/bin/bash
dir=$1
set -- $SSH_ORIGINAL_COMMAND
boot=
shift # pmstack-host
while [[ $1 == -* ]]; do
    [[ $1 != -b ]] || { boot=$2 && shift; }
    shift
done
answer() { printf '{"protocol":1,"version":"0.4.0","verb":"%s","result":"%s","text":"%s","boot-id":"%s"%s}\n' "$verb" "$1" "$2" "$(<"$dir/boot")" "$3"; }
verb=$1
echo "$verb" >>"$dir/asked"
[[ -z $boot || $boot == "$(<"$dir/boot")" ]] || { answer otherBoot "it has rebooted" && exit 5; }
case $verb in
report) answer ok "report" ",\"uuid\":\"$(<"$dir/uuid")\",\"uptime\":7,\"can\":{\"suspend\":true,\"hibernate\":true},\"interfaces\":[$(<"$dir/ports")]" ;;
poweroff | reboot | suspend | hibernate) answer going "by the script: $verb" && echo "$verb" >"$dir/machine" ;;
arm-wol) answer ok "armed" ",\"ports\":[$(<"$dir/ports")]" ;;
*) answer usage "there is no verb $verb" && exit 2 ;;
esac
END
chmod 755 "$H/helper"

# machine N: runs one: what comes out of its pipe happens to it.
machine() {
    local dir=$H/$1 net=host$1 what boots=0
    exec 3<>"$dir/machine"
    while read -r what <&3; do
        [[ ! -e $dir/deaf ]] || continue
        case $what in
        poweroff | reboot | suspend | hibernate | vanish)
            ip -n "$net" link set eth0 down
            [[ $what == suspend || $what == hibernate ]] || ip netns pids "$net" | xargs -r kill -9
            ;;
        esac
        case $what in
        reboot | on)
            printf '%08d-0000-4000-8000-%012d\n' "$1" $((++boots)) >"$dir/boot"
            ip netns exec "$net" "$(command -v sshd)" -e -f "$dir/sshd_config" 2>>"$dir/sshd.log"
            ;;
        esac
        [[ $what != reboot && $what != on && $what != resume && $what != plug ]] || ip -n "$net" link set eth0 up
        [[ $what != unplug ]] || ip -n "$net" link set eth0 down
        echo "$what" >>"$dir/happened"
    done
}
make_machine() {
    local dir=$H/$1 net=host$1
    mkdir -p "$dir" && touch "$dir/happened" "$dir/asked"
    ip netns add "$net"
    ip link add "lab$1" type veth peer name eth0 netns "$net"
    ip addr add "10.77.$1.1/24" dev "lab$1" && ip link set "lab$1" up
    ip -n "$net" link set lo up
    ip -n "$net" addr add "$(address "$1")/24" dev eth0
    printf 'restrict,command="%s %s" %s\n' "$H/helper" "$dir" "$(<"$H/id.pub")" >"$dir/authorized_keys"
    printf '%s\n' "ListenAddress $(address "$1")" "HostKey $H/host_key" 'UsePAM no' 'StrictModes no' 'PidFile none' \
        "AuthorizedKeysFile $dir/authorized_keys" "SetEnv HOME=$H/home" >"$dir/sshd_config" # nobody's dotfiles
    printf '0badc0de-0000-4000-8000-00000000000%d' "$1" >"$dir/uuid"
    port eth0 "52:54:00:77:00:0$1" disarmed >"$dir/ports"
    mkfifo "$dir/machine"
    lab_spawn "machine$1" bash -c "$(declare -f machine address); H=$H; machine $1"
    happens "$1" on
}
# port NAME MAC STATE: of a report.
port() { printf '{"name":"%s","mac":"%s","permanent-mac":"%s","physical":true,"state":"%s"}' "$1" "$2" "$2" "$3"; }
# happens N WHAT: to the machine; returns when it has.
happens() {
    local before
    before=$(happened "$1" "$2")
    echo "$2" >"$H/$1/machine"
    wait_until "$WAIT_S" happened_more "$1" "$2" "$before"
}
happened() { grep -cx "$2" "$H/$1/happened"; }
happened_more() { (($(happened "$1" "$2") > $3)); }
was_asked() { (($(asked "$1" "$2") > 0)); }
asked() { grep -cx "$2" "$H/$1/asked"; }

make_machine 1
make_machine 2
known 1 other_key
known 2 host_key
chmod 644 "$H/known_hosts"
# the helper itself, on this host, by its socket, without any right
lab_spawn local socat "UNIX-LISTEN:$LAB/run/local.sock,fork,mode=666,user=nobody" "EXEC:$PMSTACK_HOST --stdin,su=nobody"
wait_until 5 test -S "$LAB/run/local.sock"
chmod 711 "$LAB/run"

# conf [HOST_2]: the second machine's host section.
conf() {
    local host
    host="host { ssh = \"root@$(address 2)\"  timeout = 3s }"
    cat <<END
agent { name = "room"  poll-interval = 2s  misses = 2  ssh-identity-file = "$H/id"  ssh-known-hosts = "$H/known_hosts" }
machine "one" {
  uuid = "dec0ad0b-0000-0040-8000-000000000001"
  nic "eth0" { mac = "52:54:00:77:00:01" }
  probe { address = "$(address 1)"  timeout = 500ms  poll-interval = 1s }
  host { ssh = "root@$(address 1)"  timeout = 3s }
}
machine "two" {
  nic "eth0" { mac = "52:54:00:77:00:02" }
  probe { address = "$(address 2)"  timeout = 500ms  poll-interval = 1s }
  ${1-$host}
}
machine "here" { nic "eth0" { mac = "52:54:00:77:00:03" }  host { local = true  socket = "$LAB/run/local.sock" } }
END
}
events() { snmp_as reader bulkwalk -Ov "pmEventText.$1"; }
has_event() { events "$1" | grep -Eq -- "$2"; }
# told_of N REGEX NAME: an event of the machine.
told_of() {
    wait_until "$WAIT_S" has_event "$1" "$2"
    ok $? "$3" || events "$1"
}
state_of() { printf '%s %s' "$(value "pmMachinePowerState.$1")" "$(value "pmMachineStateSource.$1")"; }
state_of_is() { [[ $(state_of "$1") == "$2" ]]; }
# shows N STATE SOURCE NAME
shows() {
    wait_until "$WAIT_S" state_of_is "$1" "$2 $3"
    is "$(state_of "$1")" "$2 $3" "$4" || events "$1"
}
counts() { printf '%s %s' "$(value "pmMachinePowerOnCount.$1")" "$(value "pmMachinePowerOffCount.$1")"; }

# ---- when they are asked for the first time ----

{ lab_snmptrapd && lab_snmpd; } || bail_out "no master agent"
conf | lab_agent_conf
lab_agent || bail_out "no agent"
shows 1 on probe "a machine answers its probe"
told_of 1 "cannot be asked: .*host key" "its host key is not the one that is known, and that is told"
is "$(value pmNicArmed.1.1) $(asked 1 report)" "unknown 0" "it was not asked, and nothing is known of its port"
becomes pmNicArmed.2.1 disarmed "the other one told of its port"
is "$(value pmMachineOsReachable.2)" yes "and answers its probe"
shows 3 on host "this host is on, as its own helper tells by its socket"
becomes pmMachineOsReachable.3 yes "and reachable, without a probe"
told_of 3 "disagrees with the configuration: nic \"eth0\" is configured with MAC 52:54:00:77:00:03" "though it has no port with the configured MAC"

: >"$H/known_hosts"
known 1 host_key
known 2 host_key
told_of 1 "can be asked again" "with the right key it is asked"
becomes pmNicArmed.1.1 disarmed "and tells of its port"
ok "$(! has_event 1 'disagrees'; echo $?)" "its UUID, in the byte order of old firmware, is the configured one"
port eth0 52:54:00:77:00:01 armed >"$H/1/ports"
echo 11111111-2222-4333-8444-555555555555 >"$H/2/uuid"
lab_signal pmstackd USR2
becomes pmNicArmed.1.1 armed "its port is armed now"

# ---- off and on ----

trap_mark
put pmMachineCommand.1 shutdown >/dev/null
shows 1 off host "off, as it had agreed"
told 'pmPowerStateChange.*pmMachinePowerState.1 = off.*pmMachineStateSource.1 = host' "which is told"
is "$(counts 1) $(value pmAgentMachinesOff.1) $(value pmMachineOsReachable.1)" "0 1 1 no" "and counted"
job_end 1
is "$(value pmMachineLastResult.1)" ok "the job has succeeded" || diag "$(result_text 1)"
is "$(value pmNicArmed.1.1)" armed "its port was armed when it was seen last"
lab_agent_kill
lab_agent || bail_out "no agent"
trap_mark
shows 1 off host "off after a restart, found out again"
is "$(counts 1) $(trap_count pmPowerStateChange)" "0 1 0" "which is no news"
asked_before=$(asked 1 report)
happens 1 on
shows 1 on probe "it comes up: on at once"
told_of 1 "up again, with a new boot" "and has another boot"
is "$(counts 1)" "1 1" "it is counted"
((asked_before < $(asked 1 report)))
ok $? "it was asked because its probe answers"

# ---- sleep ----

trap_mark
put pmMachineCommand.1 suspend >/dev/null
shows 1 suspended host "suspended, as it had agreed"
told 'pmPowerStateChange.*pmMachinePowerState.1 = suspended' "which is told"
is "$(counts 1)" "1 2" "and counted as down"
job_end 1
happens 1 resume
shows 1 on probe "it wakes up"
told_of 1 "has resumed" "in the same boot"
is "$(counts 1)" "2 2" "and counted as up"

# ---- one that only vanishes, or does not do what it says ----

happens 2 vanish
shows 2 unknown none "a machine that vanishes is unknown"
happens 2 on
shows 2 on probe "and on when it is back"
told_of 2 "has rebooted, and nobody here asked for it" "with another boot, that nobody has asked for"
: >"$H/2/deaf" # it says that it goes, and does not
conf | sed '/machine "two"/a off-timeout = 8s' | lab_agent_conf
lab_agent_reload
put pmMachineCommand.2 shutdown >/dev/null
wait_until "$WAIT_S" was_asked 2 poweroff
ip -n host2 link set eth0 down
shows 2 off host "it has agreed, and its network is cut: as far as anybody can see it is off"
ip -n host2 link set eth0 up
shows 2 on probe "the network is there again, and so is the machine"
told_of 2 "never off, only out of reach" "in the same boot, which is told as a warning"
is "$(value "pmEventSeverity.2.$(snmp_as reader bulkwalk pmEventText.2 | sed -n 's/^pmEventText\.2\.\([0-9]*\) .*only out of reach.*/\1/p')")" warning "of that severity"
rm "$H/2/deaf"
happens 2 vanish
shows 2 unknown none "and when it vanishes later, that it agreed once does not count"
happens 2 on
shows 2 on probe "it is there"

# ---- reloads ----

job_end 2
put pmMachineCommand.2 shutdown >/dev/null
shows 2 off host "off"
job_end 2
conf '' | lab_agent_conf
lab_agent_reload
shows 2 unknown none "without a host nobody can say so"
is "$(value pmNicArmed.2.1)" unknown "nor whether its port is armed"
conf | lab_agent_conf
lab_agent_reload
happens 2 on
shows 2 on probe "with it again, and the machine up"
becomes pmNicArmed.2.1 disarmed "it is asked"
trap_mark
lab_agent_stop
is "$LAB_STATUS" 0 "the agent stops in good order"
is "$(pgrep -fc "^ssh: $LAB|ssh .*$LAB")" 0 "and leaves no ssh behind" || pgrep -fa ssh
done_testing
