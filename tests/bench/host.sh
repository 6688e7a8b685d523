#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Operating systems by ssh: two hundred machines shut down at once, beside what else does that, by how many requests may be
# under way; and what pmstack-host costs on such a machine.
#
# BENCH_WORKLOADS: some of shutdown helper. BENCH_HOSTS: how many machines there are, at most 250.
# shellcheck disable=SC2119,SC2317 # functions of the lab have optional arguments, and call ours by name
set -u
BENCH=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/lab/lab.sh
. "$BENCH/../lab/lab.sh"
# shellcheck source=tests/bench/lib.sh
. "$BENCH/lib.sh"

WORKLOADS=${BENCH_WORKLOADS:-shutdown helper}
HOSTS=${BENCH_HOSTS:-200}
PMSTACK_HOST=${PMSTACK_HOST:-$PM_BUILD/pmstack-host}
UNLIMITED=1000 # the most that ssh-parallel can be

# ---- machines ----
#
# A machine is a sshd with a key of its own, in mount and pid namespaces of its own, on an address of its own in the network
# namespace "machines". The key of the agent may do one thing there: the real pmstack-host --ssh, which finds a poweroff that
# notes the time, takes the address away, and ends all that runs on the machine. What a boot is, is a file of the machine's.

# make_room: the network, and what all machines share.
make_room() {
    lab_need sshd ssh ssh-keygen unshare nsenter
    if ! { ip netns add machines &&
        ip link add room0 type veth peer name eth0 netns machines &&
        ip address add 198.18.99.254/24 dev room0 && ip link set room0 up &&
        ip -n machines link set lo up && ip -n machines link set eth0 up &&
        ip -n machines address add 198.18.99.253/24 dev eth0; }; then bench_die "no network"; fi
    mkdir "$LAB/sbin" "$LAB/hosts" "$LAB/ssh"
    cat >"$LAB/sbin/poweroff" <<END
#!/bin/bash
number=\$(</run/number)
printf '%s %s\n' "\$EPOCHREALTIME" "\$number" >>$LAB/run/off
for process in /proc/[0-9]*; do
    [[ \$process == /proc/1 || \$(<\$process/comm) != sshd ]] || kill -KILL "\${process#/proc/}"
done 2>/dev/null
sleep 0.1 # as it ends in order, connections are closed before the network goes
ip address delete 198.18.99.\$number/32 dev eth0
[[ \$(</proc/1/comm) == sshd ]] && kill -TERM 1
END
    chmod 755 "$LAB/sbin/poweroff"
    [[ -x $PMSTACK_HOST ]] || bench_die "$PMSTACK_HOST is missing: make"
    ssh-keygen -q -t ed25519 -N '' -C agent -f "$LAB/ssh/id"
    ssh-keygen -q -t ed25519 -N '' -C floor -f "$LAB/ssh/any" # may do anything: the floor
    chmod 711 "$LAB/ssh"
    install -o "$LAB_AGENT_USER" -m 600 "$LAB/ssh/id" "$LAB/ssh/id-of-agent"
    printf 'restrict,command="%s --ssh" %s\nrestrict %s\n' "$PMSTACK_HOST" "$(<"$LAB/ssh/id.pub")" "$(<"$LAB/ssh/any.pub")" \
        >"$LAB/ssh/authorized_keys"
    SSH_OPTIONS=(-Fnone -oBatchMode=yes -oStrictHostKeyChecking=yes -oLogLevel=ERROR -i "$LAB/ssh/id" -oIdentitiesOnly=yes
        "-oUserKnownHostsFile=$LAB/ssh/known_hosts" -oGlobalKnownHostsFile=/dev/null -oServerAliveInterval=5)
    make_machine_script
}

# What a machine is at its start. Nothing that it does may reach this host: it goes on only in a mount namespace that is not
# its parent's, of which nothing is shared, and sees /usr/sbin through a read-only overlay, with that poweroff before all others.
make_machine_script() {
    cat >"$LAB/run/machine" <<'END'
#!/bin/bash
# machine NUMBER DIRECTORY SBIN MOUNT-NAMESPACE-OF-THE-PARENT
set -e
number=$1 directory=$2 sbin=$3
[[ $(readlink /proc/self/ns/mnt) != "$4" && $$ == 1 ]]
if grep -q 'shared:' /proc/self/mountinfo; then exit 1; fi
mount -t overlay -o "ro,lowerdir=$sbin:/usr/sbin" overlay /usr/sbin
[[ $(</usr/sbin/poweroff) == "$(<"$sbin/poweroff")" ]]
mount -t tmpfs tmpfs /run
mkdir /run/sshd
echo "$number" >/run/number
cp /proc/sys/kernel/random/uuid "$directory/boot"
mount --bind "$directory/boot" /proc/sys/kernel/random/boot_id
ip address add "198.18.99.$number/32" dev eth0
exec /usr/sbin/sshd -D -e -f "$directory/sshd_config"
END
    chmod 755 "$LAB/run/machine"
}

# make_machines: described; start_machines: all are on.
make_machines() {
    local i directory
    for ((i = 1; i <= HOSTS; i++)); do
        directory=$LAB/hosts/$i
        mkdir "$directory"
        ssh-keygen -q -t ed25519 -N '' -C '' -f "$directory/key" || bench_die "no machine"
        printf '198.18.99.%d %s\n' "$i" "$(cut -d' ' -f1,2 "$directory/key.pub")" >>"$LAB/ssh/known_hosts"
        printf '%s\n' "ListenAddress 198.18.99.$i" "HostKey $directory/key" 'UsePAM no' 'StrictModes no' 'PermitRootLogin yes' \
            "AuthorizedKeysFile $LAB/ssh/authorized_keys" 'PidFile none' >"$directory/sshd_config"
    done
    chmod 644 "$LAB/ssh/known_hosts"
}

# They are children of a process that waits for none of them, so that what they take is not counted as ours.
start_machines() {
    lab_is_gone machines || lab_stop machines
    : >"$LAB/log/machines.log"
    # shellcheck disable=SC2016 # for that bash to expand
    lab_spawn machines nsenter --net=/run/netns/machines bash -c '
        for ((i = 1; i <= $1; i++)); do
            setpriv --pdeathsig KILL unshare --mount --pid --fork --kill-child --mount-proc "$2/run/machine" "$i" "$2/hosts/$i" "$2/sbin" "$3" &
        done
        exec tail -f /dev/null' bash "$HOSTS" "$LAB" "$(readlink /proc/self/ns/mnt)"
    wait_until 60 machines_listen || bench_die "the machines do not come up"
    : >"$LAB/run/off"
}
machines_listen() { (($(grep -c 'Server listening' "$LAB/log/machines.log") == HOSTS)); }

# machines_off: waits until each has been told to switch off; last_off is when the last one was.
machines_off() {
    local all until_s=$((EPOCHSECONDS + 300))
    while mapfile -t all <"$LAB/run/off" && ((${#all[@]} < HOSTS)); do
        ((EPOCHSECONDS < until_s)) || bench_die "only ${#all[@]} of $HOSTS machines were switched off: $(missing)"
        sleep 0.1
    done
    [[ $(cut -d' ' -f2 "$LAB/run/off" | sort -u | wc -l) == "$HOSTS" ]] || bench_die "some were switched off twice"
    last_off=$(sort -n "$LAB/run/off" | tail -n 1 | cut -d' ' -f1)
}
missing() { seq "$HOSTS" | grep -vxFf <(cut -d' ' -f2 "$LAB/run/off") | paste -sd, | cut -c1-60; }

# ---- what it takes ----

# watch: in the background, until run/watch goes: how many processes of ssh there are at once, and now and then the memory
# that they alone take. run/most: processes, MiB.
watch() {
    local pids count most=0 mib=0 kib round=0
    while [[ -e $LAB/run/watch ]]; do
        mapfile -t pids < <(pgrep -x ssh)
        count=${#pids[@]}
        ((count <= most)) || most=$count
        if ((count > 0 && round++ % 4 == 0)); then
            kib=$(cat "${pids[@]/%//smaps_rollup}" 2>/dev/null | awk '$1 == "Pss:" { sum += $2 } END { print sum + 0 }')
            ((kib <= mib)) || mib=$kib
        fi
        printf '%d %s\n' "$most" "$(bench_calculate "$mib / 1024" %.0f)" >"$LAB/run/most"
        sleep 0.25
    done
}
begin_watch() {
    touch "$LAB/run/watch"
    (cd /proc && watch) &
    watcher=$!
}
end_watch() {
    rm -f "$LAB/run/watch"
    wait "$watcher"
    read -r processes mib <"$LAB/run/most"
}

# ticks_of_children PID: of those that it has waited for.
ticks_of_children() {
    local stat fields
    stat=$(<"/proc/$1/stat")
    read -ra fields <<<"${stat##*) }"
    printf '%d' $((fields[13] + fields[14]))
}

# ---- peers ----

by_pssh() { parallel-ssh -h "$LAB/run/hosts" -l root -p "$1" -t 60 "${SSH_OPTIONS[@]/#/-x}" 'pmstack-host -j poweroff'; }
by_clush() { clush -f "$1" -l root -o "${SSH_OPTIONS[*]}" -w "198.18.99.[1-$HOSTS]" 'pmstack-host -j poweroff'; }
# Status 255, which is that of a connection that breaks, would end xargs.
by_xargs() {
    # shellcheck disable=SC2016 # for that shell to expand
    xargs -P "$1" -I '{}' sh -c '"$@" || exit 1' sh ssh "${SSH_OPTIONS[@]}" -l root '{}' 'pmstack-host -j poweroff' <"$LAB/run/hosts"
}

# by_peer NAME PARALLEL: asked_s, processes, mib, cpu_s. A connection that breaks because the machine goes off is no failure.
by_peer() {
    local began spent
    start_machines
    begin_watch
    began=$EPOCHREALTIME
    TIMEFORMAT='%U %S'
    spent=$( { time "by_$1" "$2" >"$LAB/log/$1.log" 2>&1 </dev/null; } 2>&1)
    machines_off
    end_watch
    asked_s=$(bench_calculate "$last_off - $began")
    cpu_s=$(bench_calculate "${spent/ / + }")
}

# ---- ours ----

conf() {
    cat <<END
agent { name = "bench"  poll-interval = 2s  ssh-parallel = $1
  ssh-identity-file = "$LAB/ssh/id-of-agent"  ssh-known-hosts = "$LAB/ssh/known_hosts" }
machine "h[1-$HOSTS]" { off-methods = { "host" }  off-timeout = 5m
  host { ssh = "root@198.18.99.[1-$HOSTS]" }
  probe { method = "icmp"  address = "198.18.99.[1-$HOSTS]"  timeout = 500ms } }
group "all" { members = { "h[1-$HOSTS]" }  stagger = 0ms }
END
}
# Each has been asked; its probe says that it is on, too.
answered() { (($(grep -c 'Accepted publickey' "$LAB/log/machines.log") >= HOSTS)); }
no_job_is_active() { [[ $(snmp_value reader pmAgentJobsActive.1) == 0* ]]; }
# What is left of a question is a shared connection, for half a minute; its process has no parent but this one.
no_connection() {
    local pids
    mapfile -t pids < <(pgrep -x -P $$ ssh)
    ((${#pids[@]} == 0)) || { kill "${pids[@]}" 2>/dev/null && false; }
}

# by_ours PARALLEL: as by_peer, and seen_s, known_s, rss_mib.
by_ours() {
    local began own children
    start_machines
    conf "$1" | lab_agent_conf
    began=$EPOCHREALTIME
    lab_agent || bench_die "no pmstackd"
    wait_until 300 answered || bench_die "not all machines are known"
    wait_until 120 all_on || bench_die "not all machines are on"
    known_s=$(bench_calculate "$EPOCHREALTIME - $began")
    wait_until 60 no_connection || bench_die "connections do not end"
    begin_watch
    own=$(bench_cpu_ticks pmstackd) children=$(($(ticks_of_children $$) + $(ticks_of_children "$(lab_pid pmstackd)")))
    began=$EPOCHREALTIME
    snmp_as operator set 'pmGroupCommand."all"' = shutdown >/dev/null || bench_die "the shutdown is refused"
    machines_off
    asked_s=$(bench_calculate "$last_off - $began")
    wait_until 300 no_job_is_active || bench_die "jobs do not end"
    seen_s=$(bench_calculate "$EPOCHREALTIME - $began")
    own=$(($(bench_cpu_ticks pmstackd) - own))
    children=$(($(ticks_of_children $$) + $(ticks_of_children "$(lab_pid pmstackd)") - children))
    end_watch
    rss_mib=$(bench_calculate "$(bench_rss_kib pmstackd) / 1024" %.1f)
    cpu_s=$(bench_calculate "($own + $children) / $(getconf CLK_TCK)")
    own_s=$(bench_calculate "$own / $(getconf CLK_TCK)")
    [[ $(snmp_value reader pmAgentMachinesOff.1) == "$HOSTS"* ]] || bench_die "not all are seen to be off"
    lab_agent_stop
}
all_on() { [[ $(snmp_value reader pmAgentMachinesOn.1) == "$HOSTS"* ]]; }

# report_ours NAME ASKED PROCESSES MIB CPU: beside what by_peer has left.
report_ours() {
    bench_report "$1.known" "$known_s" s 1
    bench_report "$1.asked" "$2" s 1 "xargs -P ssh" "$asked_s"
    bench_report "$1.seen" "$seen_s" s 1
    bench_report "$1.processes" "$3" "ssh at once" 1 "xargs -P ssh" "$processes"
    bench_report "$1.memory" "$4" "MiB of ssh" 1 "xargs -P ssh" "$mib"
    bench_report "$1.rss" "$rss_mib" "MiB of pmstackd" 1
    bench_report "$1.cpu" "$5" s 1 "xargs -P ssh" "$cpu_s"
    bench_report "$1.cpu.own" "$own_s" "s of pmstackd" 1
}

measure_shutdown() {
    local peer limit ours_s ours
    bench_title "Shutting $HOSTS machines down at once, by ssh"
    bench_explain "Each machine is a sshd with a host key and an address of its own, in namespaces of its own, where the real pmstack-host is the" \
        "forced command, and poweroff takes the address away and ends all that runs. All of them on this host: what sshd takes is in all" \
        "times. One SET to a group; nothing is connected before. asked: until the last machine was told to switch off; seen: until all" \
        "jobs have ended, each machine seen to be off: three probes, 2 s apart, and the helper silent; known: after a start, until each" \
        "machine has reported. processes, memory: of ssh, at most, shared connections too. cpu: of pmstackd, of its children and of what" \
        "they left running; own: of pmstackd alone. pmstackd logs in once and asks twice (which boot is it? then: poweroff in that boot)." \
        "Peers run the same command with as many at a time, ask once, and see to nothing: parallel-ssh, clush, xargs -P with ssh."
    lab_need parallel-ssh clush
    { lab_snmptrapd && lab_snmpd; } || bench_die "no master agent"
    make_room
    make_machines
    seq -f '198.18.99.%g' "$HOSTS" >"$LAB/run/hosts"
    for limit in 8 32 "$UNLIMITED"; do
        by_ours "$limit"
        ours_s=$asked_s ours=("$asked_s" "$processes" "$mib" "$cpu_s")
        by_peer xargs "$((limit < HOSTS ? limit : HOSTS))"
        report_ours "host.shutdown.$HOSTS.parallel$limit" "${ours[@]}"
        ((limit == 32)) || continue
        for peer in pssh clush; do
            by_peer "$peer" "$limit"
            bench_report "host.shutdown.$HOSTS.parallel$limit.$peer" "$ours_s" "s, asked" 1 "$peer" "$asked_s"
        done
    done
    lab_stop machines
}

# ---- the helper ----

SPENT=50

# spent COMMAND...: took_ms, cpu_ms, max_kib.
spent() { read -r took_ms cpu_ms max_kib < <("$(bench_program spent)" "$SPENT" "$@"); [[ -n ${max_kib:-} ]] || bench_die "$1 has failed"; }

size_kib() {
    strip -o "$LAB/run/stripped" "$1" && bench_calculate "$(stat -c %s "$LAB/run/stripped") / 1024" %.0f
}

measure_helper() {
    local floor_ms floor_cpu_ms floor_kib
    bench_title "pmstack-host"
    bench_explain "report: which boot, which interfaces, what it can; $SPENT times, the median of the time, the mean CPU time, the most memory." \
        "Peers: systemctl --version, which does nothing but load; ssh ... true, with a key that may do anything. shared: over a connection" \
        "that is open, as pmstackd keeps one for 30 s after a request."
    lab_need strip systemctl
    [[ -d $LAB/hosts ]] || { make_room && HOSTS=1 && make_machines; }
    HOSTS=1
    start_machines
    bench_report host.helper.size "$(size_kib "$PMSTACK_HOST")" KiB 1 systemctl "$(size_kib "$(command -v systemctl)")"
    spent systemctl --version
    floor_ms=$took_ms floor_cpu_ms=$cpu_ms floor_kib=$max_kib
    spent "$PMSTACK_HOST" report
    bench_report host.helper.report.time "$took_ms" ms "$SPENT" "systemctl --version" "$floor_ms"
    bench_report host.helper.report.cpu "$cpu_ms" ms "$SPENT" "systemctl --version" "$floor_cpu_ms"
    bench_report host.helper.report.rss "$max_kib" KiB "$SPENT" "systemctl --version" "$floor_kib"
    spent ssh "${SSH_OPTIONS[@]/%\/ssh\/id//ssh/any}" root@198.18.99.1 true
    floor_ms=$took_ms
    spent ssh "${SSH_OPTIONS[@]}" root@198.18.99.1 pmstack-host -j report
    bench_report host.ssh.report.time "$took_ms" ms "$SPENT" "ssh true" "$floor_ms"
    ssh "${SSH_OPTIONS[@]}" -M -S "$LAB/run/shared" -f -N root@198.18.99.1 || bench_die "no shared connection"
    spent ssh "${SSH_OPTIONS[@]}" -S "$LAB/run/shared" root@198.18.99.1 pmstack-host -j report
    bench_report host.ssh.report.shared "$took_ms" ms "$SPENT" "ssh true" "$floor_ms"
    ssh -S "$LAB/run/shared" -O exit root@198.18.99.1 2>/dev/null
    lab_stop machines
}

main() {
    local workload
    for workload in $WORKLOADS; do
        case $workload in
        shutdown) measure_shutdown ;;
        helper) measure_helper ;;
        *) bench_die "$workload: some of shutdown helper" ;;
        esac
    done
}
lab_begin "$@"
main
