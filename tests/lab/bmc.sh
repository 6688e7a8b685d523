# shellcheck shell=bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Part of the lab: machines that are processes, and ipmi_sim BMCs in front of them. Sourced by lab.sh.
#
# machine/NAME is a machine's directory; what is in it is told in chassis and machine.c. A machine may have a BMC
# (lab_bmc), a sleeping NIC (lab_sleeper in segment.sh) or both.

LAB_BMC_USER="admin"
LAB_BMC_PASSWORD_FILE=
lab_bmc_count=0

# lab_machine NAME [MACHINE_OPTION...]: makes the directory; options as in machine.c, added to earlier ones.
lab_machine() {
    local directory=$LAB/machine/$1
    shift
    mkdir -p "$directory" && touch "$directory"/{machine.options,machine.lock,boots,commands}
    (($# == 0)) || printf '%s\n' "$@" >>"$directory/machine.options"
}

# machine_power NAME on|off|reset|shutdown: by its front panel, behind the agent's back.
machine_power() {
    local item
    if [[ -e $LAB/machine/$1/qemu ]]; then
        lab_qemu_power "$1" "$2"
        return
    fi
    case $2 in
    on) item='power 1' ;;
    off) item='power 0' ;;
    reset) item='reset 1' ;;
    shutdown) item='shutdown 1' ;;
    *) lab_complain "machine_power: on, off, reset or shutdown, not $2" || return 1 ;;
    esac
    # shellcheck disable=SC2086 # two arguments
    PM_LAB_CALLER=panel lab_chassis "$1" set $item
}
bmc_power() { machine_power "$@"; }

lab_chassis() {
    local name=$1
    shift
    PM_LAB_MACHINE=$(lab_program machine) "$LAB_ROOT/tests/lab/chassis" "$LAB/machine/$name" "$@"
}

machine_is_on() { ! flock --nonblock --shared "$LAB/machine/$1/machine.lock" true; }
machine_is_off() { ! machine_is_on "$1"; }
machine_pid() { machine_is_on "$1" && cat "$LAB/machine/$1/machine.pid"; }
machine_boots() { printf '%d' "$(cat "$LAB/machine/$1/boots")"; }
# machine_commands NAME [REGEX]: the chassis commands that arrived: `SECONDS bmc|nic|panel set ITEM VALUE`.
machine_commands() { grep -E -- "${2:-.}" "$LAB/machine/$1/commands"; }
machine_count() { grep -Ec -- "${2:-.}" "$LAB/machine/$1/commands"; }

# machine_slow NAME SECONDS: each chassis command takes so long; 0 ends it.
machine_slow() {
    rm -f "$LAB/machine/$1/slow"
    [[ $2 == 0 ]] || printf '%s\n' "$2" >"$LAB/machine/$1/slow"
}

# machine_refuse NAME yes|no: chassis commands fail.
machine_refuse() {
    rm -f "$LAB/machine/$1/refuse"
    [[ $2 == no ]] || touch "$LAB/machine/$1/refuse"
}

lab_machines_end() {
    local directory
    for directory in "$LAB"/machine/*/; do
        [[ -d $directory ]] || continue
        directory=${directory%/}
        flock --nonblock --shared "$directory/machine.lock" true || kill -KILL "$(cat "$directory/machine.pid")"
    done
}

# ---- BMCs ----

# lab_bmc NAME [ADDRESS:PORT] [--user NAME] [--password TEXT] [--kg TEXT] [--on] [-- MACHINE_OPTION...]
# ipmi_sim for machine NAME: IPMI 2.0 with cipher suites 0-3, IPMI 1.5 with md5. By default the BMCs have the addresses
# 127.0.1.1, .2 … .250, 127.0.2.1 …, port 623 (a free one on the host's network), user LAB_BMC_USER and the password in
# LAB_BMC_PASSWORD_FILE, which the agent's user owns. K_g: at most 19 printable characters. --on: starts switched on.
lab_bmc() {
    local name=$1 address='' user=$LAB_BMC_USER password='' kg='' on=''
    shift
    if [[ ${1:-} == *:* ]]; then address=$1 && shift; fi
    while (($#)); do
        case $1 in
        --user) user=$2 && shift ;;
        --password) password=$2 && shift ;;
        --kg) kg=$2 && shift ;;
        --on) on=yes ;;
        --) shift && break ;;
        *) lab_complain "lab_bmc: unknown option $1" || return 1 ;;
        esac
        shift
    done
    lab_bmc_password
    lab_machine "$name" "$@"
    [[ -n $address ]] || lab_bmc_next_address
    printf '%s\n' "$address" >"$LAB/machine/$name/address"
    lab_bmc_files "$name" "$user" "${password:-$(cat "$LAB_BMC_PASSWORD_FILE")}" "$kg"
    [[ -z $on ]] || machine_power "$name" on
    bmc_start "$name"
}

lab_bmc_password() {
    [[ -z $LAB_BMC_PASSWORD_FILE ]] || return 0
    LAB_BMC_PASSWORD_FILE=$LAB/etc/bmc.password
    lab_secret "$LAB_BMC_PASSWORD_FILE" "$(lab_random 8)" "$LAB_AGENT_USER"
}

# Sets the caller's address; one port for all, so that a range of addresses describes them.
lab_bmc_next_address() {
    lab_bmc_count=$((lab_bmc_count + 1))
    LAB_BMC_PORT=${LAB_BMC_PORT:-$(lab_port 623)}
    address=127.0.$((1 + (lab_bmc_count - 1) / 250)).$((1 + (lab_bmc_count - 1) % 250)):$LAB_BMC_PORT
}

lab_bmc_files() {
    local directory=$LAB/machine/$1
    mkdir -p "$directory/sim"
    printf '%s\n' 'mc_setbmc 0x20' \
        'mc_add 0x20 0 no-device-sdrs 0x23 9 8 0x9f 0x1291 0xf02 persist_sdr' \
        'sel_enable 0x20 1000 0x0a' 'mc_enable 0x20' >"$directory/sim.emu"
    lab_secret "$directory/lan.conf" "$(lab_bmc_lan_conf "$@")"
}

lab_bmc_lan_conf() {
    local address
    address=$(<"$LAB/machine/$1/address")
    cat <<END
name "$1"
set_working_mc 0x20
  startlan 1
    addr ${address%:*} ${address##*:}
    priv_limit admin
    allowed_auths_callback none md2 md5 straight
    allowed_auths_user none md2 md5 straight
    allowed_auths_operator none md2 md5 straight
    allowed_auths_admin none md2 md5 straight
    guid $(lab_random 16)
    ${4:+bmc_key \"$4\"}
  endlan
$(lab_bmc_chassis "$1")
  user 1 false "" "" user 10 none md2 md5 straight
  user 2 true "$2" "$3" admin 10 none md2 md5 straight
END
}

# A process (machine.c), or QEMU (stack.sh, guest.sh).
lab_bmc_chassis() {
    if [[ -e $LAB/machine/$1/guest ]]; then
        lab_guest_chassis "$1"
    elif [[ -e $LAB/machine/$1/qemu ]]; then
        lab_qemu_chassis "$1"
    else
        printf '  chassis_control "%s %s"\n' "$LAB_ROOT/tests/lab/chassis" "$LAB/machine/$1"
    fi
}

bmc_start() {
    local directory=$LAB/machine/$1 address
    lab_spawn "bmc-$1" env PM_LAB_MACHINE="$(lab_program machine)" \
        ipmi_sim -n -c "$directory/lan.conf" -f "$directory/sim.emu" -s "$directory/sim"
    address=$(<"$directory/address")
    wait_until 10 lab_udp_bound "$address" || lab_complain "BMC $1 does not listen on $address"
}

# lab_udp_bound ADDRESS:PORT: /proc/net/udp has the address in host byte order. An IPv6 address is looked for by its port.
lab_udp_bound() {
    local octets endpoint
    if [[ ${1%:*} == *:* ]]; then
        printf -v endpoint ':%04X' "${1##*:}"
        grep -q "$endpoint 0*:0000 " /proc/net/udp6
        return
    fi
    IFS=. read -ra octets <<<"${1%:*}"
    printf -v endpoint '%02X%02X%02X%02X:%04X' "${octets[3]}" "${octets[2]}" "${octets[1]}" "${octets[0]}" "${1##*:}"
    grep -q ": $endpoint " /proc/net/udp
}

bmc_address() { sed 's/:[0-9]*$//' "$LAB/machine/$1/address"; }
bmc_port() { sed 's/.*://' "$LAB/machine/$1/address"; }

bmc_stop() { lab_stop "bmc-$1"; }
bmc_kill() { lab_kill "bmc-$1"; }
# Silent: packets are taken by its socket and nobody answers, as from a hung BMC.
bmc_silence() { lab_signal "bmc-$1" STOP; }
bmc_resume() { lab_signal "bmc-$1" CONT; }
