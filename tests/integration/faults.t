#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# What goes wrong in a machine room and on the agent's own host: each fault has a clear state, a result in words and a
# line in the log, and nothing else suffers.
# shellcheck disable=SC2119 # functions of the lab have optional arguments
set -u
# shellcheck source=tests/lab/lab.sh
. "$(dirname "$0")/../lab/lab.sh"
# shellcheck source=tests/integration/room.sh
. "$(dirname "$0")/room.sh"
lab_begin "$@"
lab_need sqlite3

# ---- given: one good BMC, and one of each kind of bad ones ----

{ lab_snmptrapd && lab_snmpd; } || bail_out "no master agent"
{ lab_bmc live --on && lab_bmc password --password other && lab_bmc key --kg kgkey123 && lab_bmc slow --on &&
    lab_bmc dying && lab_bmc silent; } || bail_out "no BMC"
lab_segment far || bail_out "no segment"
kg=$(lab_agent_secret wrong.kg kgkey124)
bmc_silence silent
# A name server that never answers.
printf 'nameserver 198.18.1.99\n' >"$LAB/etc/resolv.conf"
printf '127.0.0.1 localhost\n127.0.1.5 named-bmc.example.invalid\n' >"$LAB/etc/hosts"
{ mount --bind "$LAB/etc/resolv.conf" /etc/resolv.conf && mount --bind "$LAB/etc/hosts" /etc/hosts; } || bail_out "no resolv.conf"

# machine NAME ADDRESS [CREDENTIALS [TIMEOUT]]
machine() {
    printf 'machine "%s" { on-timeout = 5s  off-timeout = 5s  bmc { address = "%s"  credentials = "%s"  timeout = %s } }\n' \
        "$1" "$2" "${3:-lab}" "${4:-1s}"
}
conf() {
    cat <<END
agent { name = "room"  poll-interval = 1s }
credentials "lab" { username = "$LAB_BMC_USER"  password-file = "$LAB_BMC_PASSWORD_FILE"  cipher-suites = { 3 } }
credentials "kg" { username = "$LAB_BMC_USER"  password-file = "$LAB_BMC_PASSWORD_FILE"  kg-file = "$kg"  cipher-suites = { 3 } }
END
    machine live "$(bmc_address live)"
    machine password "$(bmc_address password)"
    machine key "$(bmc_address key)" kg
    machine slow "$(bmc_address slow)" lab 5s
    machine dying named-bmc.example.invalid
    machine silent "$(bmc_address silent)"
    machine refused 127.0.9.9
    machine nameless no-such-bmc.example.invalid
}
state_directory=$LAB/state/pmstackd
db() { sqlite3 "$state_directory/state.db" "$1"; }
conf | lab_agent_conf
lab_agent || bail_out "no agent"
names=$(snmp_as reader walk -On pmNameIndex 2>/dev/null)

# ---- each kind of bad BMC: status, state, notification, result ----

becomes pmMachinePowerState.1 on "the good one is seen"
# bad INDEX STATUS TEXT NAME
bad() {
    becomes "pmBmcStatus.$1" "$2" "$4: status $2"
    is "$(value "pmMachinePowerState.$1") $(value "pmMachineStateSource.$1")" "unknown none" "$4: its state is unknown, and no guess"
    told "pmBmcDown.*pmMachineName.$1 " "$4: pmBmcDown"
    like "$(trap_value "$told" pmNotifyText.0)" "$3" "$4: the text says why"
    is "$(trap_value "$told" "pmBmcStatus.$1")" "$2" "$4: with the status"
}
bad 2 authFailed 'password|user name' "a wrong password"
is "$(trap_objects "$told")" "$(mib_objects pmBmcDown)" "pmBmcDown has the OBJECTS of the MIB"
is "$(trap_value "$told" pmBmcAddress.2)" "$(bmc_address password)" "and the address"
is "$(value "pmEventKind.2.$(trap_value "$told" pmNotifyEventIndex.0)")" bmcDown "and an event row"
bad 3 authFailed 'K_g|kg|key' "a wrong K_g"
bad 6 unreachable 'did not answer|no answer|within' "a BMC that hangs"
bad 7 unreachable 'refused|unreachable|no .*listen' "an address where nothing listens"
bad 8 unreachable 'no-such-bmc.example.invalid' "a name that cannot be resolved"

# refusal INDEX RESULT TEXT NAME: how powerOn ends there.
refusal() {
    verb "$1" powerOn "$2" "$4: powerOn"
    like "$(result_text "$1")" "$3" "$4: its result in words"
}
refusal 2 authFailed 'password|user name' "a wrong password"
refusal 3 authFailed 'K_g|kg|key' "a wrong K_g"
for machine in 6 7 8; do put "pmMachineCommand.$machine" powerOn >/dev/null; done
verb 1 reset ok "meanwhile the good one obeys"
for machine in 6 7 8; do job_end "$machine"; done
like "$(value pmMachineLastResult.6) $(result_text 6)" '^(timeout|unreachable) .*(did not answer|no answer|within)' "a BMC that hangs: powerOn"
like "$(value pmMachineLastResult.7) $(result_text 7)" '^unreachable .*127.0.9.9' "where nothing listens: powerOn"
like "$(value pmMachineLastResult.8) $(result_text 8)" '^unreachable .*no-such-bmc' "a name that cannot be resolved: powerOn"
is "$(value pmAgentMachinesUnknown.1)" 5 "five machines are unknown"
is "$(grep -cFf "$LAB_BMC_PASSWORD_FILE" "$LAB/log/pmstackd.log")" 0 "the password is not in the log"
[[ $(log_count 'silent: .*(did not answer|no answer)') -le 6 ]]
ok $? "a BMC that is away is not a line in the log for every poll"
trap_mark
bmc_resume silent
told 'pmBmcUp.*pmMachineName.6 ' "the BMC that hung is back: pmBmcUp"
is "$(trap_objects "$told")" "$(mib_objects pmBmcUp)" "pmBmcUp has the OBJECTS of the MIB"
becomes pmBmcStatus.6 ok "its status"

# ---- a slow chassis: retransmissions must not repeat a command ----

wait_until "$WAIT_S" state_is 4 on
forget_commands slow
machine_slow slow 1
put pmMachineCommand.4 reset >/dev/null
job_end 4
like "$(value pmMachineLastResult.4)" '^(ok|timeout)$' "reset of a machine whose BMC takes 1 s for everything: $(value pmMachineLastResult.4)"
isnt "$(result_text 4)" "" "in words"
wait_until "$WAIT_S" commands_are slow "bmc set reset 1"
ok $? "the reset has arrived"
machine_slow slow 0
wait_until "$WAIT_S" value_is pmBmcStatus.4 ok
verb 4 powerOff ok "it is as fast as ever again"
is "$(machine_count slow 'set reset')" 1 "and the reset was done once"

# ---- a BMC that dies during a job ----

wait_until "$WAIT_S" state_is 5 off
bmc_silence dying
put pmMachineCommand.5 powerOn >/dev/null
is "$(value pmMachinePowerState.5)" poweringOn "a job is under way"
bmc_kill dying
job_end 5
like "$(value pmMachineLastResult.5)" '^(timeout|unreachable)$' "its BMC dies: $(value pmMachineLastResult.5)"
like "$(result_text 5)" named-bmc "the text names it"
bmc_start dying
verb 5 powerOn ok "another one in its place: powerOn"

# ---- interface of a machine's segment gone: BMCs behind it ----

{ conf; machine behind 198.18.1.2; } | lab_agent_conf
lab_agent_reload
wait_until "$WAIT_S" value_is pmMachineName.9 behind
ip link delete "$(segment_interface far)"
trap_mark
becomes pmBmcStatus.9 unreachable "a BMC behind an interface that is gone"
verb 9 powerOn unreachable "a BMC behind an interface that is gone: powerOn"
is "$(value pmMachinePowerState.1)" on "the others are as they were"

# ---- many dead BMCs, also by name, do not delay a live one ----

ip link add dead0 type veth peer name dead1 && ip link set dead0 up && ip link set dead1 up && ip address add 198.18.1.1/24 dev dead0
{
    conf
    machine "dead[01-30]" "198.18.1.[101-130]"
    machine "lost[01-30]" "bmc[01-30].example.invalid"
} | lab_agent_conf
lab_agent_reload
wait_until "$WAIT_S" value_is 'pmNameIndex."lost30"' 69
is "$(value pmAgentMachines.1)" 68 "sixty machines with dead BMCs are added"
trap_mark
for machine in 10 25 39 40 69; do put "pmMachineCommand.$machine" powerOn >/dev/null; done
slowest_ms=0
for _ in 1 2 3 4 5; do
    start_ms=$(tap_now_ms)
    verb 1 reset ok "reset of the live one"
    took_ms=$(($(tap_now_ms) - start_ms))
    ((took_ms <= slowest_ms)) || slowest_ms=$took_ms
done
diag "the slowest of five resets beside sixty dead BMCs took $slowest_ms ms, with its SETs and GETs"
((slowest_ms < 5000))
ok $? "none of them waited for a dead one"
start_ms=$(tap_now_ms)
bmc_power live off
told 'pmPowerStateChange.*pmMachinePowerState.1 = off' "a change of the live one is told"
(($(tap_now_ms) - start_ms < 5000))
ok $? "within a few polls"
bmc_kill dying
wait_until "$WAIT_S" value_is pmBmcStatus.5 unreachable
bmc_start dying
trap_mark
start_ms=$(tap_now_ms)
told 'pmBmcUp.*pmMachineName.5 ' "a BMC whose name is known is found again beside thirty whose names are not"
diag "after $(($(tap_now_ms) - start_ms)) ms"
for machine in 10 39 69; do
    job_end "$machine"
    like "$(value "pmMachineLastResult.$machine")" '^(timeout|unreachable)$' "powerOn of dead machine $machine: $(value "pmMachineLastResult.$machine")"
done
conf | lab_agent_conf
lab_agent_stop
is "$LAB_STATUS" 0 "stops cleanly beside dead BMCs"

# ---- the state directory: in use, missing, not writable, damaged, newer ----

# start [OPTION...]: an agent that is expected not to start; leaves $status and $errors.
start() {
    setpriv --reuid "$LAB_AGENT_USER" --regid "$(id -g "$LAB_AGENT_USER")" --clear-groups timeout 20 \
        "$(lab_agent_program "$LAB_AGENT_USER")" -c "$LAB/etc/pmstackd.conf" -x "$LAB_AGENTX" -s "$state_directory" "$@" \
        >"$LAB/run/start" 2>&1 </dev/null
    status=$?
    errors=$(<"$LAB/run/start")
}
lab_agent || bail_out "no agent"
wait_until "$WAIT_S" state_is 1 off
start
is "$status" 3 "a second pmstackd on the same state directory: exit status 3"
like "$errors" "another pmstackd \(process $(lab_pid pmstackd)\) uses the state directory $state_directory" "it names the first"
is "$(value pmMachinePowerState.1)" off "which is not disturbed"
lab_agent_stop
start -s "$LAB/state/missing"
is "$status" 3 "a state directory that is missing: exit status 3"
like "$errors" "$LAB/state/missing.*No such file" "named"
chmod 500 "$state_directory"
rm -f "$state_directory/pmstackd.lock"
start
is "$status" 3 "a state directory without permission: exit status 3"
like "$errors" "$state_directory.*Permission denied" "named"
chmod 700 "$state_directory"

cp -a "$state_directory" "$LAB/state/good"
digest() { sha256sum <"$state_directory/state.db"; }
# damaged NAME TEXT: with the file as it is now, an agent does not start and leaves it so.
damaged() {
    local before
    rm -f "$state_directory"/state.db-*
    chown "$LAB_AGENT_USER" "$state_directory/state.db"
    before=$(digest)
    start
    is "$status" 3 "$1: exit status 3"
    like "$errors" "state.db.*$2" "$1: the text says what is wrong"
    is "$(digest)" "$before" "$1: the file is left as it is"
    cp "$LAB/state/good/state.db" "$state_directory/state.db"
}
head -c 100000 /dev/urandom >"$state_directory/state.db"
damaged "a state.db of random octets" "damaged.*(backup|move)"
truncate -s 8192 "$state_directory/state.db"
damaged "a state.db cut short" "damaged"
dd if=/dev/urandom of="$state_directory/state.db" bs=4096 seek=2 count=4 conv=notrunc status=none
damaged "a state.db with damaged pages" "damaged"
db 'pragma user_version = 99'
damaged "a state.db of a newer version" "newer"
db 'drop table job'
damaged "a state.db without one of its tables" "job"
: >"$state_directory/state.db"
damaged "an empty state.db" "empty.*put back"
rm "$state_directory/state.db"
echo x >"$state_directory/state.db-wal"
chown "$LAB_AGENT_USER" "$state_directory/state.db-wal"
start
is "$status" 3 "a write-ahead log without state.db: exit status 3"
like "$errors" "no state.db, but.*state.db-wal.*put state.db back" "the text says what to do"
rm "$state_directory/state.db-wal"

# What is damaged behind the indexes is saved from: they stay, and nobody has to do anything.
cp "$LAB/state/good/state.db" "$state_directory/state.db"
page=$(db "SELECT rootpage FROM sqlite_master WHERE name = 'event'")
dd if=/dev/urandom of="$state_directory/state.db" bs=4096 seek=$((page - 1)) count=1 conv=notrunc status=none
rm -f "$state_directory"/state.db-*
chown "$LAB_AGENT_USER" "$state_directory/state.db"
lab_agent
ok $? "a state.db with damaged events: the agent starts"
is "$(snmp_as reader walk -On pmNameIndex 2>/dev/null)" "$names" "with all indexes as they were"
lab_agent_logged 'crit: .*state.db was damaged.*kept as .*state.db.damaged-'
ok $? "the log says that it was damaged, and where it is kept"
lab_agent_logged 'table machine: all [0-9]+ rows came over'
ok $? "and what came over"
like "$(value pmAgentConfigError.1)" "state database was damaged" "a manager sees it, too"
lab_agent_stop
rm -f "$state_directory"/state.db*
cp "$LAB/state/good/state.db" "$state_directory/state.db"
chown "$LAB_AGENT_USER" "$state_directory/state.db"
lab_agent || bail_out "no agent"
is "$(snmp_as reader walk -On pmNameIndex 2>/dev/null)" "$names" "and with the good one all indexes are as they were"
lab_agent_stop

# ---- the state directory: full, then read-only, while the agent runs ----

mount -t tmpfs -o size=1m,mode=700 tmpfs "$state_directory" || bail_out "no tmpfs"
chown "$LAB_AGENT_USER" "$state_directory"
lab_agent || bail_out "no agent"
wait_until "$WAIT_S" state_is 1 off
wait_until "$WAIT_S" state_is 5 on
fill() { dd if=/dev/zero of="$state_directory/ballast" bs=4096 status=none 2>/dev/null; }
free() { rm -f "$state_directory/ballast"; }
# A few writes may still fit into what SQLite has; then no more.
is_full() { fill; ! put pmMachineVmTimeout.1 $((RANDOM % 1000 + 1)) >/dev/null; }
forget_commands live
wait_until "$WAIT_S" is_full
like "$(put pmMachineCommand.1 powerOn)" commitFailed "state directory full: a verb is answered with commitFailed"
lab_agent_logged 'commitFailed.*(full|No space)'
ok $? "the log says why"
like "$(put pmMachineAdminState.1 on)" commitFailed "a wish as well"
is "$(value pmMachineAdminState.1) $(value pmMachineLastResult.1) $(value pmAgentJobsActive.1)" "unmanaged none 0" "and nothing is done"
trap_mark
bmc_power dying off
told 'pmPowerStateChange.*pmMachinePowerState.5 = off' "changes are seen and told as ever"
wait_until "$WAIT_S" lab_agent_logged 'can not be stored'
is "$(log_count 'can not be stored')" 1 "one line says that they cannot be stored"
is "$(commands_of live)" "" "nothing was sent"
free
wait_until "$WAIT_S" lab_agent_logged 'can be written again'
ok $? "free again: the log says so"
verb 1 powerOn ok "and the verb is done"
like "$(db 'select text from event where machine = 5 order by id desc limit 1')" 'power state off' "what happened meanwhile is stored"

# Two machines in one SET: both or none, also when the journal has room for the first alone, and cannot forget it.
wait_until "$WAIT_S" state_is 1 on
wait_until "$WAIT_S" state_is 5 off
forget_commands live
forget_commands dying
db "create trigger no_second before insert on job when exists (select 1 from job where end_ms = 0)
    begin select raise(abort, 'database or disk is full'); end;
    create trigger no_delete before delete on job begin select raise(abort, 'database or disk is full'); end;"
log_mark
like "$(put pmMachineCommand.1 powerOff pmMachineCommand.5 powerOn)" commitFailed "the journal has room for one of two: commitFailed"
logged 'commitFailed.*full'
ok $? "the log says why"
is "$(db 'select count(*) from job where end_ms = 0') $(value pmAgentJobsActive.1)" "0 0" "neither is in the journal"
lab_agent_kill
db 'drop trigger no_second; drop trigger no_delete'
lab_agent || bail_out "no agent"
wait_until "$WAIT_S" state_is 1 on
wait_until "$WAIT_S" state_is 5 off
is "$(log_count 'is taken up again')" 0 "after a restart nothing is taken up"
is "$(commands_of live)$(commands_of dying)" "" "and nothing was done"
wait_until "$WAIT_S" is_full
like "$(put pmMachineCommand.1 powerOff pmMachineCommand.5 powerOn)" commitFailed "no room for either: commitFailed"
lab_agent_kill
free
lab_agent || bail_out "no agent"
wait_until "$WAIT_S" state_is 1 on
wait_until "$WAIT_S" state_is 5 off
is "$(commands_of live)$(commands_of dying)" "" "after a restart, too"
put pmMachineCommand.1 reset pmMachineCommand.5 powerOn >/dev/null
ok $? "with room, both are accepted"
for machine in 1 5; do job_end "$machine"; done
is "$(value pmMachineLastResult.1) $(value pmMachineLastResult.5)" "ok ok" "and done"
verb 5 powerOff ok "as before"

# The end of a job that could not be written must not be forgotten: the job would be done again after a restart.
wait_until "$WAIT_S" state_is 1 on
bmc_silence live
put pmMachineCommand.1 powerOff >/dev/null
ok $? "a job begins"
db "create trigger no_update before update on job begin select raise(abort, 'database or disk is full'); end"
bmc_resume live
job_end 1
is "$(value pmMachineLastResult.1)" ok "it ends while that cannot be written"
db 'drop trigger no_update'
no_job_open() { [[ $(db 'select count(*) from job where end_ms = 0') == 0 ]]; }
wait_until "$WAIT_S" no_job_open
ok $? "its end is written when there is room again"
bmc_power live on
wait_until "$WAIT_S" state_is 1 on
lab_agent_kill
lab_agent || bail_out "no agent"
wait_until "$WAIT_S" state_is 1 on
wait_until 2 machine_is_off live
machine_is_on live
ok $? "and after a restart it is not done again"

lab_agent_stop
mount -o remount,ro "$state_directory" || bail_out "no read-only tmpfs"
start
is "$status" 3 "a read-only state directory: exit status 3"
like "$errors" "$state_directory.*Read-only file system" "with the reason"
umount "$state_directory"

# ---- SIGKILL at any moment ----

lab_agent || bail_out "no agent"
names=$(snmp_as reader walk -On pmNameIndex 2>/dev/null)
wait_until "$WAIT_S" state_is 1 on
wait_until "$WAIT_S" value_is pmBmcStatus.5 ok
forget_commands live
forget_commands dying
first=$(db 'select coalesce(max(id), 0) from job')
# An action takes some tenths of a second, so that most kills hit one.
machine_slow live 0.1
machine_slow dying 0.1
RANDOM=20
accepted=0
opened=0
for round in {1..20}; do
    ! put pmMachineCommand.1 reset >/dev/null || accepted=$((accepted + 1))
    if ((round % 2)); then wish=powerOn; else wish=powerOff; fi
    ! put pmMachineCommand.5 "$wish" >/dev/null || opened=$((opened + 1))
    sleep "0.$((RANDOM % 4))$((RANDOM % 10))" # any moment
    lab_agent_kill
    lab_agent || bail_out "no agent after $round kills"
    job_end_all() { value_is pmAgentJobsActive.1 0; }
    wait_until "$WAIT_S" job_end_all || fail "round $round: the jobs end"
done
resets=$(machine_count live 'set reset')
interrupted=$(db 'select count(*) from job where result = 12 and id > '"$first")
diag "killed 20 times: $accepted resets accepted, $resets done, $interrupted reported as interrupted; $opened wishes accepted"
((resets <= accepted))
ok $? "no reset was done twice"
is "$accepted $opened" "20 20" "every SET was accepted: no kill has left a machine busy"
is "$(db 'select count(*) from job where end_ms = 0 or result = 1')" 0 "every job has an end and a result"
is "$(db 'select count(*) from job where machine = 1 and result not in (2, 12) and id > '"$first")" 0 "each reset is ok or interrupted"
is "$(db 'select count(*) from job where machine = 5 and result not in (2, 3) and id > '"$first")" 0 "each wish was fulfilled"
machine_is_off dying
ok $? "the last one was off"
is "$(db 'pragma integrity_check')" ok "the database is whole"
is "$(snmp_as reader walk -On pmNameIndex 2>/dev/null)" "$names" "the indexes are as they were"
lab_agent_stop
is "$LAB_STATUS" 0 "stops cleanly"
done_testing
