# shellcheck shell=bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Part of the lab: machines with an operating system of their own, Debian's kernel in QEMU, which are reached by ssh and
# carry pmstack-host. Sourced by lab.sh.
#
#   the segment's bridge ─ veth ─ eth0 ─ bridge "wire" (the machine's namespace) ─ tap0 ─ lan0 (the guest)
#                                                                                └ tap1 ─ lan1 …
#
# A sleeper on eth0 stands for each port that can wake: it wakes the machine by a magic packet when the guest has left
# that port armed, and gone down in order. QEMU itself does not know Wake-on-LAN.

PM_GUEST=${PM_GUEST:-$LAB_ROOT/build/guest}
PMSTACK_HOST=${PMSTACK_HOST:-$LAB_ROOT/build/pmstack-host}
LAB_GUEST_UP_S=60 # a start takes 4 to 9 s on an idle machine

# shellcheck source=tests/lab/guest-state.sh
. "$LAB_ROOT/tests/lab/guest-state.sh"

lab_guest_count=0

# lab_guest NAME SEGMENT [--user USER] [--mac MAC] [--nic MODEL[,MAC]]... [--network TEXT] [--disk] [--bmc] [--bare] [--on]
# A machine in the segment, whose address is machine_address NAME. Its first port, lan0, is an RTL8139 with --mac.
#   --nic      a further port, lan1, lan2 …: rtl8139 (8139cp: can be armed) or e1000 (says that it can, and cannot)
#   --network  commands that give it its network; they find its address in $address, and the ports without one
#   --user     who the agent comes as: root (default), or pmstack, who may what sudo allows
#   --disk     with a disk to hibernate to; without one its kernel cannot
#   --bmc      ipmi_sim in front of it (bmc.sh)
#   --bare     without pmstack-host, and whoever has the key may run anything
# The agent needs guest_conf_agent and guest_conf_host in its configuration.
lab_guest() {
    local name=$1 segment=$2 dir=$LAB/machine/$1 user=root mac='' nics=() network='' disk='' bmc='' bare='' on=''
    shift 2
    lab_guest_count=$((lab_guest_count + 1))
    while (($#)); do
        case $1 in
        --user) user=$2 && shift ;;
        --mac) mac=$2 && shift ;;
        --nic) nics+=("$2") && shift ;;
        --network) network=$2 && shift ;;
        --disk) disk=yes ;;
        --bmc) bmc=yes ;;
        --bare) bare=yes ;;
        --on) on=yes ;;
        *) lab_complain "lab_guest: unknown option $1" || return 1 ;;
        esac
        shift
    done
    lab_guest_need && lab_machine "$name" || return
    touch "$dir/guest" "$dir/console" && ln -s "$dir/console" "$LAB/log/guest-$name.log"
    printf '%s\n' "$user" >"$dir/user"
    lab_guest_nics "$name" "rtl8139,${mac:-$(lab_guest_mac 0)}" "${nics[@]}" &&
        lab_guest_links "$segment" "$name" &&
        lab_guest_ssh "$name" &&
        lab_guest_files "$name" "$network" "$bare" &&
        lab_guest_options "$name" "$disk" &&
        lab_guest_sleepers "$name" || lab_complain "guest $name could not be made" || return
    if [[ -n $bmc ]]; then
        lab_machine_count=$((lab_machine_count + 1))
        lab_port $((9100 + lab_machine_count)) >"$dir/qemu.port"
        lab_bmc "$name" || return
    fi
    [[ -z $on ]] || guest_on "$name"
}

lab_guest_need() {
    lab_need qemu-system-x86_64 socat ssh ssh-keygen cpio
    [[ -e $PM_GUEST/vmlinuz && -e $PM_GUEST/base.cpio ]] || lab_complain "$PM_GUEST is missing: make guest" || return
    [[ -e /dev/net/tun ]] || lab_complain "there is no /dev/net/tun"
}

lab_guest_mac() { printf '52:54:00:20:%02x:%02x' "$lab_guest_count" "$1"; }

# ---- its network ----

# lab_guest_nics NAME MODEL[,MAC]...: a line `PORT TAP MODEL MAC` each, in the machine's nics.
lab_guest_nics() {
    local name=$1 n=0 nic mac
    shift
    for nic; do
        mac=${nic#*,}
        [[ $nic == *,* ]] || mac=$(lab_guest_mac "$n")
        printf 'lan%d tap%d %s %s\n' "$n" "$n" "${nic%%,*}" "${mac,,}"
        n=$((n + 1))
    done >"$LAB/machine/$name/nics"
}

# The end of the cable has an address of its own: the guest's is behind it.
lab_guest_links() {
    local netns tap
    netns=$(lab_netns "machine-$2")
    lab_sleeper_address "$1" >"$LAB/machine/$2/host"
    printf '%s\n' "/run/netns/$netns" >"$LAB/machine/$2/netns"
    lab_sleeper_links "$1" "$netns" "$(printf '02:00:5e:21:00:%02x' "$lab_guest_count")" || return
    ip -n "$netns" link add wire type bridge stp_state 0 forward_delay 0 mcast_snooping 0 &&
        ip -n "$netns" link set eth0 master wire &&
        ip -n "$netns" link set wire up || return
    while read -r _ tap _; do
        ip -n "$netns" tuntap add "$tap" mode tap && ip -n "$netns" link set "$tap" master wire up || return
    done <"$LAB/machine/$2/nics"
}

# guest_unplug NAME; guest_plug NAME: the machine's cable.
guest_unplug() { ip -n "$(basename "$(<"$LAB/machine/$1/netns")")" link set eth0 down; }
guest_plug() { ip -n "$(basename "$(<"$LAB/machine/$1/netns")")" link set eth0 up; }

# A sleeper each for the ports of a kind that can wake; of ports with the same MAC the first one stands for both.
lab_guest_sleepers() {
    local port tap model mac seen=' '
    while read -r port tap model mac; do
        [[ $model == rtl8139 && $seen != *" $mac "* ]] || continue
        seen+="$mac "
        lab_spawn "sleeper-$1${port/lan0/}" env PM_LAB_TAPEXEC="$(lab_program tapexec)" \
            nsenter --net="$(<"$LAB/machine/$1/netns")" "$(lab_program sleeper)" -i eth0 -m "$mac" \
            "$LAB_ROOT/tests/lab/guest-wake" "$LAB" "$1" "$port" 9</proc/self/ns/net
        wait_until 5 lab_log_has "sleeper-$1${port/lan0/}" '^# listening' || return
    done <"$LAB/machine/$1/nics"
}

# ---- how it is reached ----

# The agent's key is one for all guests, and what they show is in the agent's known_hosts.
lab_guest_ssh() {
    local dir=$LAB/machine/$1
    LAB_SSH_KEY=$LAB/etc/id_ed25519
    LAB_KNOWN_HOSTS=$LAB/etc/known_hosts
    if [[ ! -e $LAB_SSH_KEY ]]; then
        ssh-keygen -q -t ed25519 -N '' -C pmstack -f "$LAB_SSH_KEY" && chown "$LAB_AGENT_USER" "$LAB_SSH_KEY" || return
    fi
    ssh-keygen -q -t ed25519 -N '' -C "$1" -f "$dir/host_key" || return
    printf '%s %s\n' "$(machine_address "$1")" "$(cut -d' ' -f1,2 "$dir/host_key.pub")" >>"$LAB_KNOWN_HOSTS"
    chmod 644 "$LAB_KNOWN_HOSTS"
}

# guest_conf_agent: the lines for the agent's section; guest_conf_host NAME: the host section of the machine.
guest_conf_agent() { printf 'ssh-identity-file = "%s"  ssh-known-hosts = "%s"\n' "$LAB_SSH_KEY" "$LAB_KNOWN_HOSTS"; }
guest_conf_host() { printf 'host { ssh = "%s@%s" }\n' "$(<"$LAB/machine/$1/user")" "$(machine_address "$1")"; }
guest_uuid() { cat "$LAB/machine/$1/uuid"; }
# guest_mac NAME [PORT]
guest_mac() { awk -v port="${2:-lan0}" '$1 == port { print $4 }' "$LAB/machine/$1/nics"; }

# ---- its files ----

# Two archives one after the other are one: what all guests have, and what is this one's.
lab_guest_files() {
    local dir=$LAB/machine/$1 root=$LAB/machine/$1/root user home=/root
    user=$(<"$dir/user")
    [[ $user == root ]] || home=/home/$user
    mkdir -p "$root"/etc/{guest,ssh,sudoers.d} "$root$home/.ssh" || return
    printf '%s\n' "$1" >"$root/etc/guest/name"
    printf 'address=%s/24\n%s\n' "$(machine_address "$1")" "${2:-ip address add \$address dev lan0; ip link set lan0 up}" \
        >"$root/etc/guest/network"
    printf '%s\n' "127.0.0.1 localhost $1" >"$root/etc/hosts"
    cp "$dir/host_key" "$root/etc/ssh/host_key"
    if [[ -n $3 ]]; then
        cp "$LAB_SSH_KEY.pub" "$root$home/.ssh/authorized_keys"
    else
        lab_guest_helper "$root" && lab_guest_setup "$root" "$user" "$home" || return
    fi
    lab_guest_modes "$root" "$user" "$home"
    (cd "$root" && find . | cpio --quiet -o -H newc) >"$dir/own.cpio" || return
    cat "$PM_GUEST/base.cpio" "$dir/own.cpio" >"$dir/guest.cpio" || return
    rm -rf "$dir/own.cpio" "$root"
    ln -s "$PM_GUEST/vmlinuz" "$dir/vmlinuz"
}

lab_guest_helper() {
    local library
    [[ -x $PMSTACK_HOST ]] || lab_complain "$PMSTACK_HOST is missing: make" || return
    install -D -m 755 "$PMSTACK_HOST" "$1/usr/sbin/pmstack-host"
    for library in $(ldd "$PMSTACK_HOST" | awk '/=> \// { print $3 } $1 ~ /^\// { print $1 }'); do
        install -D -m 755 "$(readlink -f "$library")" "$1$library" || return
    done
}

# lab_guest_setup ROOT USER HOME: the lines that pmstack-host itself prints; in the guest it is where it is installed.
lab_guest_setup() {
    local said
    said=$("$PMSTACK_HOST" setup -u "$2" "$LAB_SSH_KEY.pub") || lab_complain "pmstack-host setup: $said" || return
    said=${said//"$(readlink -f "$PMSTACK_HOST")"//usr/sbin/pmstack-host}
    grep -E '^restrict,command="/usr/sbin/pmstack-host --ssh" ' <<<"$said" >"$1$3/.ssh/authorized_keys" ||
        lab_complain "pmstack-host setup prints no line for authorized_keys: $said" || return
    [[ $2 != root ]] || return 0
    grep -E "^$2 .*NOPASSWD: /usr/sbin/pmstack-host$" <<<"$said" >"$1/etc/sudoers.d/pmstack-host" ||
        lab_complain "pmstack-host setup prints no line for sudoers: $said" || return
    chmod 440 "$1/etc/sudoers.d/pmstack-host"
}

# sshd asks for them.
lab_guest_modes() {
    chmod 700 "$1$3" "$1$3/.ssh" && chmod 600 "$1$3/.ssh/authorized_keys"
    [[ $2 == root ]] || chown -R 1000:1000 "$1$3"
}

# ---- its hardware ----

lab_guest_options() {
    local dir=$LAB/machine/$1 megabytes=192 n=0 port tap model mac
    [[ -z $2 ]] || megabytes=288 # its image is read into memory before it takes its place
    cat /proc/sys/kernel/random/uuid >"$dir/uuid"
    cut -d' ' -f2 "$dir/nics" | paste -sd, >"$dir/guest.taps"
    cp "$PM_GUEST/accel" "$dir/guest.accel"
    {
        printf '%s\n' -name "$1" -m "$megabytes" -cpu max -uuid "$(<"$dir/uuid")"
        while read -r port tap model mac; do
            printf '%s\n' -netdev "tap,id=$port,fd=$((20 + n))" \
                -device "$model,netdev=$port,mac=$mac,addr=$((4 + n)),romfile="
            n=$((n + 1))
        done <"$dir/nics"
        if [[ -n $2 ]]; then
            truncate -s 256M "$dir/disk"
            printf '%s\n' -drive "if=none,id=disk,format=raw,file=$dir/disk" -device virtio-blk-pci,drive=disk,addr=0x10
        fi
    } >"$dir/guest.options"
    mkfifo "$dir/shell.in" "$dir/shell.out"
}

# lab_guest_chassis NAME: of ipmi_sim's configuration; QEMU connects to that port.
lab_guest_chassis() {
    cat <<END
  serial 15 127.0.0.1 $(<"$LAB/machine/$1/qemu.port") codec VM
  startcmd "env PM_LAB_TAPEXEC=$(lab_program tapexec) $LAB_ROOT/tests/lab/guest-machine $LAB $1"
  poweroff_wait 60
  kill_wait 5
END
}

# ---- its power ----

guest_is_on() { [[ $(guest_power "$LAB/machine/$1") == on ]]; }
guest_is_off() { [[ $(guest_power "$LAB/machine/$1") == off ]]; }
guest_is_suspended() { [[ $(guest_power "$LAB/machine/$1") == suspended ]]; }
# guest_boots NAME: how often its operating system has started.
guest_boots() { guest_count "$1" '^guest: up'; }

# guest_on NAME: by its power button, until its operating system is up. guest_off NAME: by its plug.
guest_on() {
    guest_push "$1"
    guest_wait_up "$1"
}
guest_push() {
    if [[ -e $LAB/machine/$1/qemu.port ]]; then
        ipmitool -I lanplus -C 3 -H "$(bmc_address "$1")" -p "$(bmc_port "$1")" -U "$LAB_BMC_USER" \
            -f "$LAB_BMC_PASSWORD_FILE" chassis power on >/dev/null
    else
        PM_LAB_TAPEXEC=$(lab_program tapexec) setsid --fork "$LAB_ROOT/tests/lab/guest-machine" "$LAB" "$1"
    fi
}
guest_off() {
    if machine_is_on "$1"; then kill -KILL "$(machine_pid "$1")"; fi
    wait_until 10 machine_is_off "$1"
}
# guest_stop NAME; guest_cont NAME: the whole machine hangs, and goes on.
guest_stop() { kill -STOP "$(machine_pid "$1")"; }
guest_cont() { kill -CONT "$(machine_pid "$1")"; }
# guest_wake NAME: by its keyboard, from suspend to memory.
guest_wake() { guest_wake_up "$LAB/machine/$1"; }

# guest_wait_up NAME: until it is up in this start; it answers ssh.
guest_wait_up() {
    wait_until "$LAB_GUEST_UP_S" guest_is_up "$1" || lab_complain "guest $1 does not come up: $(guest_console "$1" | tail -n 3)"
}
guest_is_up() { machine_is_on "$1" && [[ $(guest_last_start "$1") == *"guest: up"* ]] && guest_answers_ssh "$1"; }
guest_last_start() { tac "$LAB/machine/$1/console" | awk '{ print } /^guest: on/ { exit }'; }
guest_answers_ssh() {
    local banner
    # shellcheck disable=SC2016 # the inner shell expands it
    banner=$(timeout 2 bash -c 'exec 3<>"/dev/tcp/$0/22" && head -n 1 <&3' "$(machine_address "$1")" 2>/dev/null)
    [[ $banner == SSH-2* ]]
}

# ---- what it says, and looking into it ----

# guest_console NAME [REGEX]: its console, since its first start.
guest_console() { tr -d '\r' <"$LAB/machine/$1/console" | grep -E -- "${2:-}"; }
guest_said() { guest_console "$@" >/dev/null; }
guest_count() { guest_console "$@" | wc -l; }

# guest_run NAME COMMAND: by its serial port, as root, whether or not there is a network; what it prints, and its status.
guest_run() {
    local dir=$LAB/machine/$1 id=$RANDOM$RANDOM line shell lines=()
    wait_until "${LAB_GUEST_RUN_S:-30}" guest_has_shell "$1" || lab_complain "guest $1 has no shell now for: $2" || return 124
    exec {shell}<>"$dir/shell.out"
    printf '%s %s\n' "$id" "$(base64 -w0 <<<"$2")" >"$dir/shell.in"
    while IFS= read -r -t "${LAB_GUEST_RUN_S:-30}" -u "$shell" line; do
        line=${line%$'\r'}
        if [[ $line == "#$id "* ]]; then
            exec {shell}<&-
            [[ -z ${lines[-1]:-} ]] && unset 'lines[-1]'
            ((${#lines[@]} == 0)) || printf '%s\n' "${lines[@]}"
            return "${line##* }"
        fi
        lines+=("$line")
    done
    exec {shell}<&-
    lab_complain "guest $1 does not answer on its serial port: $2"
    return 124
}

# What comes for it while it starts or sleeps would be lost.
guest_has_shell() {
    machine_is_on "$1" && tac "$LAB/machine/$1/console" | awk '
        /^guest: shell/ { shell = 1; exit }
        /PM: suspend exit/ { awake = 1 }
        /PM: hibernation: hibernation exit/ { saved = 1 }
        /^guest: on/ && saved { saved = 0; next }
        /PM: suspend entry/ && !awake || /^guest: (on|up)|reboot: / { exit }
        END { exit !shell }'
}

# guest_ssh NAME ARGUMENT...: as the agent does it, with its key and its known hosts: pmstack-host's answer. A connection to
# a machine that falls asleep ends after 4 s.
guest_ssh() {
    local name=$1
    shift
    ssh -F none -T -n -o ServerAliveInterval=2 -o ServerAliveCountMax=1 -o BatchMode=yes -o StrictHostKeyChecking=yes -o UserKnownHostsFile="$LAB_KNOWN_HOSTS" -o IdentitiesOnly=yes \
        -o ConnectTimeout=10 -i "$LAB_SSH_KEY" "$(<"$LAB/machine/$name/user")@$(machine_address "$name")" pmstack-host "$@"
}
