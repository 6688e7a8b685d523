# shellcheck shell=bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Part of the lab: hypervisors and VMs, nested to any depth, and machines of QEMU with a BMC. Sourced by lab.sh.
#
#   lab_stack_machine room01 --on        QEMU behind ipmi_sim; hypervisor room01 lives and dies with it
#   lab_libvirtd hv                      a hypervisor on nothing: real libvirtd, QEMU without KVM, sockets of its own
#   lab_vm hv db1 --start                a guest of 8 MiB (tiny-guest.S) that honours its power button
#   lab_nested_libvirtd hv db1 inner     a second hypervisor "inside" of db1 (carrier)
#   lab_test_libvirtd many               libvirt's test driver: no processes, thousands of VMs
#
# A hypervisor is known by its name: hv/NAME/ has its directories, libvirt_uri NAME is how anybody reaches it, also the
# agent's user. What a guest did is told by itself on its serial console (console.c): see vm_history.

LAB_LIBVIRT_TIMEOUT_S=20

# ---- hypervisors ----

# lab_libvirtd NAME [--down]: returns when it answers. --down: it is described, and started by libvirt_start.
lab_libvirtd() {
    local name=$1
    lab_hypervisor_files "$name" || return
    [[ ${2:-} == --down ]] || libvirt_start "$name"
}

# lab_nested_libvirtd PARENT_HV PARENT_VM NAME [BOOT_SECONDS]: it is there when PARENT_VM is up, and so many seconds have
# passed (0.3).
lab_nested_libvirtd() { lab_carried_libvirtd "$1/$2" "$3" "${4:-0.3}" "$(libvirt_uri "$1")"; }

# lab_carried_libvirtd GUEST NAME BOOT_SECONDS URI|-: as in carrier
lab_carried_libvirtd() {
    local command
    lab_console && lab_hypervisor_files "$2" || return
    mapfile -t command < <(lab_hypervisor_command "$2")
    lab_spawn "hv-$2" "$LAB_ROOT/tests/lab/carrier" "$LAB/log/console.log" "$1" "$4" "$3" "$LAB/hv/$2" "${command[@]}"
}

# lab_test_libvirtd NAME: the test driver. Its VMs are there as long as somebody is connected; that one also writes
# log/hv-NAME-events.log.
lab_test_libvirtd() {
    lab_hypervisor_files "$1" test+unix:///default || return
    libvirt_start "$1" || return
    lab_spawn "hv-$1-events" virsh -q -c "$(libvirt_uri "$1")" event --all --loop --timestamp
    wait_until 5 libvirt_has_client "$1" || lab_complain "nobody is connected to $1"
}

# lab_hypervisor_files NAME [DRIVER_URI]
lab_hypervisor_files() {
    local directory=$LAB/hv/$1
    lab_need libvirtd virsh qemu-system-x86_64
    mkdir -p "$directory"/{etc/qemu/autostart,lib,cache,log,disk} && chmod 711 "$LAB/hv" "$directory"
    mkfifo "$directory/control"
    : >"$directory/options"
    printf '%s?socket=%s\n' "${2:-qemu+unix:///system}" "$directory/libvirt-sock" >"$directory/uri"
    cat >"$directory/etc/libvirtd.conf" <<END
unix_sock_dir = "$directory"
unix_sock_rw_perms = "0777"
auth_unix_ro = "none"
auth_unix_rw = "none"
host_uuid = "$(</proc/sys/kernel/random/uuid)"
log_outputs = "4:file:$directory/log/libvirtd.log"
END
    # what guests have is the lab's own, and the lab is root
    cat >"$directory/etc/qemu.conf" <<END
user = "root"
group = "root"
dynamic_ownership = 0
remember_owner = 0
security_driver = "none"
namespaces = []
cgroup_controllers = []
stdio_handler = "file"
END
    # the first one of a lab asks QEMU what it can do, which takes more than a second
    [[ ! -d $LAB/hv-cache ]] || cp -r "$LAB/hv-cache/." "$directory/cache"
}

# An argument a line. Nothing of a sanitizer's or of a preloaded library may get into the daemons.
lab_hypervisor_command() {
    printf '%s\n' env -u LD_PRELOAD -u ASAN_OPTIONS -u LSAN_OPTIONS -u UBSAN_OPTIONS LC_ALL=C \
        unshare --mount --pid --fork --kill-child --mount-proc "$LAB_ROOT/tests/lab/hypervisor" "$LAB/hv/$1"
}

# libvirt_start NAME: switches a hypervisor on that is on nothing, and returns when it answers.
libvirt_start() {
    local command
    mapfile -t command < <(lab_hypervisor_command "$1")
    lab_spawn "hv-$1" "$LAB_ROOT/tests/lab/carrier" /dev/null - - 0 "$LAB/hv/$1" "${command[@]}"
    libvirt_wait "$1"
}

# libvirt_wait NAME [SECONDS]: until it answers.
libvirt_wait() {
    wait_until "${2:-$LAB_LIBVIRT_TIMEOUT_S}" libvirt_answers "$1" || lab_complain "hypervisor $1 does not answer" || return
    [[ -d $LAB/hv-cache || $(<"$LAB/hv/$1/uri") == test* ]] || lab_keep_capabilities "$1"
}

lab_keep_capabilities() {
    libvirt "$1" domcapabilities --virttype qemu >"$LAB/hv/$1/domcapabilities" &&
        cp -r "$LAB/hv/$1/cache" "$LAB/hv-cache"
}

libvirt_uri() { cat "$LAB/hv/$1/uri"; }

# libvirt NAME VIRSH_ARGUMENT...
libvirt() {
    local name=$1
    shift
    env -u LD_PRELOAD LC_ALL=C virsh -q -c "$(<"$LAB/hv/$name/uri")" "$@"
}

libvirt_answers() { [[ -S $LAB/hv/$1/libvirt-sock ]] && timeout 2 virsh -q -c "$(<"$LAB/hv/$1/uri")" hostname >/dev/null 2>&1; }
libvirt_has_client() { [[ -n $(ss -xH state established "src = $LAB/hv/$1/libvirt-sock") ]]; }
libvirt_is_silent() { ! libvirt_answers "$1"; }

# libvirt_pid NAME: of libvirtd. It is a child of the first process of its namespace.
libvirt_pid() {
    local first
    first=$(pgrep -o -f "^bash $LAB_ROOT/tests/lab/hypervisor $LAB/hv/$1\$") && pgrep -o -x -P "$first" libvirtd
}

libvirt_signal() {
    local pid
    pid=$(libvirt_pid "$1") && kill -"$2" "$pid"
}
libvirt_is_gone() { ! libvirt_pid "$1" >/dev/null; }

# Guests live on without libvirtd. _stop: SIGTERM; _kill: SIGKILL; _return: a new one takes up what it finds.
libvirt_stop() { libvirt_end "$1" TERM; }
libvirt_kill() { libvirt_end "$1" KILL; }
libvirt_end() {
    libvirt_signal "$1" "$2"
    wait_until 10 libvirt_is_gone "$1" || lab_complain "libvirtd of $1 did not end"
}
libvirt_return() { printf 'start\n' >"$LAB/hv/$1/control" && libvirt_wait "$1"; }
libvirt_restart() { libvirt_stop "$1" && libvirt_return "$1"; }
# Silent: connections are accepted by its socket, and nobody answers.
libvirt_silence() { libvirt_signal "$1" STOP; }
libvirt_resume() { libvirt_signal "$1" CONT; }
# Reset: every client is disconnected, and libvirtd lives on.
libvirt_reset() {
    local admin=(virt-admin -q -c "libvirtd:///system?socket=$LAB/hv/$1/libvirt-admin-sock") id
    for id in $("${admin[@]}" client-list libvirtd | awk '{ print $1 }'); do
        # one of them is this program itself, which has gone by then
        "${admin[@]}" client-disconnect libvirtd "$id" >/dev/null 2>&1
    done
}
# libvirt_power_off NAME: a hypervisor on nothing, and its guests, at once.
libvirt_power_off() { lab_kill "hv-$1"; }

# ---- VMs ----

lab_console() {
    [[ ! -d $LAB/console ]] || return 0
    mkdir "$LAB/console"
    lab_spawn console "$(lab_program console)" "$LAB/console"
    wait_until 5 test -S "$LAB/console/socket" || lab_complain "the console does not listen"
}

# lab_vm HV NAME [--delay SECONDS] [--ignore-acpi|--panic] [--uuid UUID] [--autostart] [--start] [--transient]
# --delay: between power button and off (0.1); --ignore-acpi: the button does nothing; --panic: the guest panics when it
# is pressed. Of a hypervisor that is not there, the VM is there when that comes. --transient: started, and gone when off.
lab_vm() {
    local hv=$1 name=$2 delay=0.1 uuid='' autostart='' start='' transient=''
    shift 2
    while (($#)); do
        case $1 in
        --delay) delay=$2 && shift ;;
        --ignore-acpi) delay=never ;;
        --panic) delay=panic ;;
        --uuid) uuid=$2 && shift ;;
        --autostart) autostart=yes ;;
        --start) start=yes ;;
        --transient) transient=yes ;;
        *) lab_complain "lab_vm: unknown option $1" || return 1 ;;
        esac
        shift
    done
    lab_console && lab_tiny_guest "$hv" "$name" "$delay" || return
    lab_vm_xml "$hv" "$name" "${uuid:-$(</proc/sys/kernel/random/uuid)}" >"$LAB/hv/$hv/disk/$name.xml"
    if [[ -n $transient ]]; then
        libvirt "$hv" create "$LAB/hv/$hv/disk/$name.xml"
        return
    fi
    [[ -z $autostart ]] || ln -s "/etc/libvirt/qemu/$name.xml" "$LAB/hv/$hv/etc/qemu/autostart/$name.xml"
    lab_define "$hv" "$name" || return
    [[ -z $start ]] || libvirt "$hv" start "$name"
}

lab_define() {
    if libvirt_answers "$1"; then
        libvirt "$1" define "$LAB/hv/$1/disk/$2.xml"
    else
        cp "$LAB/hv/$1/disk/$2.xml" "$LAB/hv/$1/etc/qemu/$2.xml"
    fi
}

# lab_tiny_guest HV NAME DELAY: its disk, and its end of the console.
lab_tiny_guest() {
    local disk=$LAB/hv/$1/disk/$2.img ticks
    mkdir -p "$LAB/console/$1" "${disk%/*}" && ln -s ../socket "$LAB/console/$1/$2" || return
    case $3 in
    never) ticks=65535 ;;
    panic) ticks=65534 ;;
    *) ticks=$(awk -v s="$3" 'BEGIN { print int(s * 18.2 + 0.5) }') ;;
    esac
    cp "$(lab_program tiny-guest.img)" "$disk" &&
        printf '%b' "$(printf '\\x%02x\\x%02x' $((ticks & 255)) $((ticks >> 8)))" |
        dd of="$disk" bs=1 seek=508 conv=notrunc status=none
}

lab_vm_xml() {
    cat <<END
<domain type='qemu'>
  <name>$2</name>
  <uuid>$3</uuid>
  <memory unit='MiB'>8</memory>
  <vcpu>1</vcpu>
  <os><type arch='x86_64' machine='pc'>hvm</type><boot dev='fd'/></os>
  <features><acpi/></features>
  <on_poweroff>destroy</on_poweroff><on_reboot>restart</on_reboot><on_crash>destroy</on_crash>
  <devices>
    <emulator>$(command -v qemu-system-x86_64)</emulator>
    <disk type='file' device='floppy'>
      <driver name='qemu' type='raw'/><source file='$LAB/hv/$1/disk/$2.img'/><target dev='fda'/><readonly/>
    </disk>
    <serial type='unix'><source mode='connect' path='$LAB/console/$1/$2'/></serial>
    <panic model='isa'/>
    <controller type='usb' model='none'/>
    <memballoon model='none'/>
  </devices>
</domain>
END
}

# lab_test_vms HV PREFIX COUNT: VMs of the test driver, PREFIX1 to PREFIXCOUNT, off, in one connection.
lab_test_vms() {
    local i directory=$LAB/hv/$1/disk
    for ((i = 1; i <= $3; i++)); do
        printf "<domain type='test'><name>%s</name><memory>8192</memory><os><type>hvm</type></os></domain>\n" \
            "$2$i" >"$directory/$2$i.xml"
        printf 'define %s\n' "$directory/$2$i.xml"
    done | libvirt "$1" >"$LAB/hv/$1/defined"
}

# vm_state HV NAME: as virsh has it: running, paused, "in shutdown", "shut off", crashed, pmsuspended.
vm_state() { libvirt "$1" domstate "$2" 2>/dev/null; }
vm_is() { [[ $(vm_state "$1" "$2") == "$3" ]]; }
vm_reason() { libvirt "$1" domstate --reason "$2" 2>/dev/null; }
# vm_history HV NAME: what the guest said since console_mark, with times: `SECONDS EVENT`, as in console.c.
vm_history() { lab_said "$LAB_CONSOLE_MARK" "$1" "$2"; }
# vm_events HV NAME: without times, on one line: begun,up,button,off,gone is a guest that went down gracefully; one that
# was killed lacks the off.
vm_events() { vm_history "$1" "$2" | cut -d' ' -f2 | paste -sd,; }
# vm_time HV NAME EVENT: seconds of the last such event.
vm_time() { vm_history "$1" "$2" | awk -v event="$3" '$2 == event { time = $1 } END { print time }'; }
# vm_order EVENT: the guests, HV/NAME, in the order of these events, on one line.
vm_order() { tail -n "+$((LAB_CONSOLE_MARK + 1))" "$LAB/log/console.log" | awk -v event="$1" '$3 == event { print $2 }' | paste -sd' '; }
# vm_graceful HV NAME: it has gone down by itself, on its power button.
vm_graceful() { [[ $(vm_events "$1" "$2") == *button,off,gone ]]; }
LAB_CONSOLE_MARK=0
console_mark() { LAB_CONSOLE_MARK=$(wc -l <"$LAB/log/console.log"); }
lab_said() { tail -n "+$(($1 + 1))" "$LAB/log/console.log" | grep -F " $2/$3 " | cut -d' ' -f1,3-; }

vm_last() { lab_said 0 "$1" "$2" | tail -n 1 | cut -d' ' -f2-; }
# vm_up HV NAME: its operating system is there; vm_down: there is no QEMU.
vm_up() { [[ $(vm_last "$1" "$2") =~ ^(up|button|restored.*)$ ]]; }
vm_down() { [[ -z $(vm_pid "$1" "$2") ]]; }
# While it migrates there are two: the later one.
vm_pid() {
    lab_said 0 "$1" "$2" | awk '$2 ~ /^(begun|restored)$/ { pid = $3; n++ } $2 == "gone" { n-- } END { if (n > 0) print pid }'
}

# vm_log HV NAME: QEMU's, with libvirt's remarks. vm_end HV NAME: why QEMU ended the last time, as libvirt has it:
# shutdown, destroyed, crashed, saved.
vm_log() { cat "$LAB/hv/$1/log/qemu/$2.log"; }
vm_end() { vm_log "$1" "$2" | sed -n 's/.*shutting down, reason=//p' | tail -n 1; }

# vm_migrate HV NAME TO_HV: live; persistent there, and not known here any more. Its console keeps its name.
vm_migrate() {
    libvirt "$1" migrate --live --persistent --undefinesource "$2" "$(libvirt_uri "$3")" --migrateuri "unix:///$LAB/run/$2.migrate"
}

# A guest whose QEMU is killed, or stopped: libvirtd waits for it.
vm_kill() { kill -KILL "$(vm_pid "$1" "$2")"; }
vm_silence() { kill -STOP "$(vm_pid "$1" "$2")"; }
vm_resume() { kill -CONT "$(vm_pid "$1" "$2")"; }

# ---- machines ----

lab_machine_count=0

# lab_stack_machine NAME [--delay SECONDS] [--ignore-acpi] [--on] [--boot SECONDS] [--no-hypervisor] [--wake-on SEGMENT MAC]
# A machine of QEMU, with ipmi_sim as its BMC: power on starts QEMU, power off ends it, soft off presses the power button
# of its guest, which --delay and --ignore-acpi describe as in lab_vm. Hypervisor NAME is there when its guest is up and
# --boot seconds (0.3) have passed. Its history is that of VM "machine NAME"; what is in bmc.sh of the BMC is for it, too.
# --wake-on: no BMC, but a NIC in a segment that wakes it on a magic packet.
lab_stack_machine() {
    local name=$1 delay=0.1 boot=0.3 on='' hypervisor=yes wake_on=()
    shift
    while (($#)); do
        case $1 in
        --delay) delay=$2 && shift ;;
        --ignore-acpi) delay=never ;;
        --boot) boot=$2 && shift ;;
        --on) on=yes ;;
        --no-hypervisor) hypervisor='' ;;
        --wake-on) wake_on=("$2" "$3") && shift 2 ;;
        *) lab_complain "lab_stack_machine: unknown option $1" || return 1 ;;
        esac
        shift
    done
    lab_need ipmitool qemu-system-x86_64
    lab_console && lab_tiny_guest machine "$name" "$delay" && lab_machine "$name" || return
    touch "$LAB/machine/$name/qemu"
    if ((${#wake_on[@]})); then
        lab_stack_sleeper "$name" "${wake_on[@]}" || return
    else
        lab_machine_count=$((lab_machine_count + 1))
        lab_port $((9100 + lab_machine_count)) >"$LAB/machine/$name/qemu.port"
        lab_bmc "$name" || return
    fi
    [[ -z $hypervisor ]] || lab_carried_libvirtd "machine/$name" "$name" "$boot" - || return
    [[ -n $on ]] || return 0
    machine_power "$name" on
    [[ -z $hypervisor ]] || libvirt_wait "$name"
}

# lab_qemu_chassis NAME: of ipmi_sim's configuration; QEMU connects to that port.
lab_qemu_chassis() {
    cat <<END
  serial 15 127.0.0.1 $(<"$LAB/machine/$1/qemu.port") codec VM
  startcmd "$LAB_ROOT/tests/lab/qemu-machine $LAB $1"
  poweroff_wait 10
  kill_wait 5
END
}

# lab_stack_sleeper NAME SEGMENT MAC
lab_stack_sleeper() {
    local netns
    netns=$(lab_netns "machine-$1")
    lab_sleeper_address "$2" >"$LAB/machine/$1/host"
    printf '%s\n' "/run/netns/$netns" >"$LAB/machine/$1/netns"
    lab_sleeper_links "$2" "$netns" "$3" || lab_complain "the NIC of $1 could not be made" || return
    lab_sleeper_start "$1" "$netns" -i eth0 -m "$3"
}

# machine_power of such a machine. It has no front panel: its BMC does what that would do, and without one it is its plug.
lab_qemu_power() {
    if [[ -e $LAB/machine/$1/qemu.port ]]; then
        ipmitool -I lanplus -C 3 -H "$(bmc_address "$1")" -p "$(bmc_port "$1")" -U "$LAB_BMC_USER" \
            -f "$LAB_BMC_PASSWORD_FILE" chassis power "${2/shutdown/soft}" >/dev/null || return
    elif [[ $2 == on ]]; then
        setsid --fork "$LAB_ROOT/tests/lab/qemu-machine" "$LAB" "$1"
    else
        kill -KILL "$(machine_pid "$1")"
    fi
    case $2 in
    on) wait_until 10 vm_up machine "$1" ;;
    off) wait_until 10 machine_is_off "$1" ;;
    esac
}
