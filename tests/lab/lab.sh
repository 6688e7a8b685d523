# shellcheck shell=bash
# SPDX-License-Identifier: GPL-3.0-or-later
# The lab: real daemons in a private directory and in private namespaces, for the integration tests and the demo.
#
#   . tests/lab/lab.sh
#   lab_begin "$@"                    first thing a test does; see there
#   lab_snmptrapd; lab_snmpd          snmp.sh     master agent, users, notifications
#   lab_bmc web01                     bmc.sh      ipmi_sim in front of a process that is the machine
#   lab_farm --count 100; farm …      farm.sh     thousands of simulated BMCs in one process, with faults to order
#   lab_segment lan; lab_sleeper …    segment.sh  Ethernet segments and machines that wake on a magic packet
#   lab_libvirtd hv; lab_vm hv db1    stack.sh    hypervisors, VMs nested in VMs, machines of QEMU
#   lab_guest host1 lan --on          guest.sh    machines with an operating system: Debian's kernel, sshd, pmstack-host
#   lab_agent_conf <<END; lab_agent   agent.sh    pmstackd as an ordinary user with CAP_NET_RAW
#
# Functions return 0, or 1 with a line on standard error. Variables for the caller are in capitals:
#   LAB           the private directory: log/ etc/ snmp/ machine/ run/ state/
#   LAB_ROOT      the repository            LAB_BIN    where machine and sleeper are (PM_LAB_BIN, else build/lab)
# KEEP=1 keeps the directory of a test. Everything that runs is ended by its recorded pid and start time.

LAB_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
LAB_BIN=${PM_LAB_BIN:-$LAB_ROOT/build/lab}
LAB_HOST_NET=
PATH=$PATH:/usr/sbin:/sbin

# shellcheck source=tests/lab/tap.sh
. "$LAB_ROOT/tests/lab/tap.sh"
# shellcheck source=tests/lab/snmp.sh
. "$LAB_ROOT/tests/lab/snmp.sh"
# shellcheck source=tests/lab/bmc.sh
. "$LAB_ROOT/tests/lab/bmc.sh"
# shellcheck source=tests/lab/farm.sh
. "$LAB_ROOT/tests/lab/farm.sh"
# shellcheck source=tests/lab/segment.sh
. "$LAB_ROOT/tests/lab/segment.sh"
# shellcheck source=tests/lab/stack.sh
. "$LAB_ROOT/tests/lab/stack.sh"
# shellcheck source=tests/lab/guest.sh
. "$LAB_ROOT/tests/lab/guest.sh"
# shellcheck source=tests/lab/agent.sh
. "$LAB_ROOT/tests/lab/agent.sh"

lab_complain() {
    printf 'lab: %s\n' "$*" >&2
    return 1
}

# lab_begin [--host-net] [ARGUMENT...]
# Restarts the calling script, with its arguments, in network, mount and pid namespaces of its own: ports are fixed,
# tests run beside each other, and nothing outlives the script. With --host-net it stays where it is, and ports and names
# are chosen so that they do not clash.
lab_begin() {
    if [[ $(id -u) != 0 ]]; then
        bail_out "the lab makes network namespaces and captures packets: it needs root (sudo -E make test, sudo make demo)"
    fi
    lab_need ip ping unshare nsenter setpriv flock snmpd snmptrapd snmpget ipmi_sim
    if [[ ${1:-} == --host-net ]]; then
        LAB_HOST_NET=yes
        LAB=
    elif [[ -z ${PM_LAB_INSIDE:-} ]]; then
        lab_outside "$@"
    else
        LAB=$PM_LAB_INSIDE
        unset PM_LAB_INSIDE
        lab_private_namespaces || bail_out "the lab's namespaces could not be prepared"
    fi
    lab_make_directory
    trap 'lab_end $?' EXIT
    trap 'exit 129' HUP
    trap 'exit 130' INT
    trap 'exit 143' TERM
}

# The script runs again inside, and this one waits: its directory goes also when the inner one is killed, and with it
# everything inside.
lab_outside() {
    LAB=$(mktemp -d "${TMPDIR:-/tmp}/pmstack-lab.XXXXXX") || bail_out "no private directory"
    set -m # a process group of its own
    PM_LAB_INSIDE=$LAB setpriv --pdeathsig KILL unshare --net --mount --pid --fork --kill-child --mount-proc bash "$0" "$@" <&0 &
    trap 'lab_outside_end $?' EXIT
    trap 'exit 143' HUP INT TERM
    wait $!
    exit
}

lab_outside_end() {
    kill -KILL -- "-$!" 2>/dev/null
    [[ ${KEEP:-} == 1 ]] || lab_remove || { sleep 1 && lab_remove; } # who was killed may still be writing
    exit "$1"
}

# lab_need PROGRAM...
lab_need() {
    local program
    for program; do
        command -v "$program" >/dev/null || bail_out "$program is not installed: make deps"
    done
}

lab_private_namespaces() {
    ip link set lo up &&
        mkdir -p /run/netns &&
        mount -t tmpfs tmpfs /run/netns &&
        mount -t sysfs sysfs /sys
}

# The agent's user passes through it; what is secret in it has its own mode.
lab_make_directory() {
    [[ -n $LAB ]] || LAB=$(mktemp -d "${TMPDIR:-/tmp}/pmstack-lab.XXXXXX") || bail_out "no private directory"
    umask 022
    chmod 711 "$LAB"
    mkdir "$LAB"/{etc,log,machine,run,segment,snmp,state}
    export LAB
}

# lab_end STATUS: the EXIT trap. Logs are shown when the script or an assertion failed.
lab_end() {
    local status=$1
    trap - EXIT HUP INT TERM
    if ((status != 0 || tap_failed > 0)); then lab_show_logs; fi
    lab_end_all
    if [[ ${KEEP:-} == 1 ]]; then
        diag "kept: $LAB"
    else
        lab_remove
    fi
    exit "$status"
}

# What is mounted below the directory is not the lab's: removing it would go through to what it is. A bind mount has the
# device number of its source, so that rm --one-file-system does not see it.
lab_remove() {
    local points
    mapfile -t points < <(lab_mounts)
    ((${#points[@]} == 0)) || umount --lazy "${points[@]}"
    if [[ -n $(lab_mounts) ]]; then
        lab_complain "$LAB is kept, as something is mounted below it: $(lab_mounts | paste -sd' ')"
    else
        rm -rf --one-file-system "$LAB"
    fi
}
# The last one first, as one may be below another. proc(5): a blank is written \040.
lab_mounts() { awk -v below="${LAB// /\\\\040}/" 'index($5, below) == 1 { print $5 }' /proc/self/mountinfo | tac; }

# Everything that runs and every network object of the lab; callable from another shell with LAB set.
lab_end_all() {
    local file name
    for file in "$LAB"/run/*.pid; do
        [[ -e $file ]] || continue
        name=${file##*/}
        lab_signal "${name%.pid}" TERM
    done
    for file in "$LAB"/run/*.pid; do
        [[ -e $file ]] || continue
        name=${file##*/}
        lab_stop "${name%.pid}"
    done
    lab_machines_end
    lab_segments_end
}

lab_show_logs() {
    local file
    for file in "$LAB"/log/*; do
        [[ -s $file ]] || continue
        diag "---- ${file##*/} (last 30 lines)"
        diag "$(tail -n 30 "$file")"
    done
}

# ---- processes ----

# lab_spawn NAME COMMAND...: in the background, with its output in log/NAME.log and its pid in run/NAME.pid. In a session
# of its own: an interrupt from the keyboard ends the script, and the script ends the daemons in order.
lab_spawn() {
    local name=$1
    shift
    setsid "$@" >>"$LAB/log/$name.log" 2>&1 </dev/null &
    lab_record "$name" $!
}

lab_record() {
    printf '%s %s\n' "$2" "$(lab_start_time "$2")" >"$LAB/run/$1.pid"
}

# Start time in clock ticks: with the pid it names one process, also after the number was used again.
lab_start_time() {
    local stat fields
    stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
    read -ra fields <<<"${stat##*) }"
    [[ ${fields[0]} != Z ]] && printf '%s' "${fields[19]}"
}

# lab_pid NAME: prints the pid while the process lives.
lab_pid() {
    local pid start
    [[ -e $LAB/run/$1.pid ]] || return 1
    read -r pid start <"$LAB/run/$1.pid"
    [[ -n $start && $(lab_start_time "$pid") == "$start" ]] && printf '%s' "$pid"
}

lab_is_running() { lab_pid "$1" >/dev/null; }
lab_is_gone() { ! lab_is_running "$1"; }

# lab_signal NAME SIGNAL
lab_signal() {
    local pid
    pid=$(lab_pid "$1") && kill -"$2" "$pid" 2>/dev/null # it may be ending by itself just now
}

# lab_stop NAME: SIGTERM, and SIGKILL when that has not worked within 5 s (then 1). LAB_STATUS is its exit status.
lab_stop() {
    local rc=0
    lab_signal "$1" CONT # first: behind SIGTERM it can wake a process that LeakSanitizer holds, and hang both
    lab_signal "$1" TERM
    if ! wait_until 5 lab_is_gone "$1"; then
        lab_complain "$1 did not end within 5 s of SIGTERM"
        lab_signal "$1" KILL
        rc=1
    fi
    lab_forget "$1"
    return "$rc"
}

# lab_kill NAME: SIGKILL, and it is gone when this returns.
lab_kill() {
    lab_signal "$1" KILL
    lab_forget "$1"
}

# Collects the exit status, which bash would otherwise report for a killed process, into LAB_STATUS.
# shellcheck disable=SC2034 # for the caller
lab_forget() {
    local pid rest
    read -r pid rest <"$LAB/run/$1.pid" || return 1
    wait "$pid" 2>/dev/null
    LAB_STATUS=$?
    wait_until 5 lab_is_gone "$1" && rm -f "$LAB/run/$1.pid"
}

# ---- small things ----

# lab_port DEFAULT: that port in a private network, a free one on the host's.
lab_port() {
    local port used
    if [[ -z $LAB_HOST_NET ]]; then
        printf '%d' "$1"
        return
    fi
    used=$(cat /proc/net/{tcp,udp,tcp6,udp6} 2>/dev/null)
    while :; do
        port=$((20000 + RANDOM % 10000))
        [[ $used == *:"$(printf '%04X' "$port")"\ * ]] || break
    done
    printf '%d' "$port"
}

# lab_random BYTES: so many random octets in hexadecimal.
lab_random() { od -An -N"$1" -tx1 /dev/urandom | tr -d ' \n'; }

# lab_secret FILE TEXT [USER]: a file that only USER (root) can read. TEXT passes through the shell only, never an argv.
lab_secret() {
    (umask 077 && printf '%s\n' "$2" >"$1") && chown "${3:-root}" "$1"
}

# lab_program NAME: prints the path of one of the lab's compiled programs.
lab_program() {
    [[ -x $LAB_BIN/$1 ]] || lab_complain "$LAB_BIN/$1 is missing: make $LAB_BIN/$1" || return 1
    printf '%s' "$LAB_BIN/$1"
}

# lab_log_has NAME REGEX: whether log/NAME.log has a matching line.
lab_log_has() { grep -Eq -- "$2" "$LAB/log/$1.log"; }
