#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# The life of the process: options and exit statuses, signals, privileges, and what outlives a restart.
# shellcheck disable=SC2119 # functions of the lab have optional arguments
set -u
# shellcheck source=tests/lab/lab.sh
. "$(dirname "$0")/../lab/lab.sh"
# shellcheck source=tests/integration/room.sh
. "$(dirname "$0")/room.sh"
lab_begin "$@"
lab_need sqlite3 tcpdump

# ---- options and exit statuses ----

printf 'machine "one" { nic "eth0" { mac = "02:00:5e:30:00:01" } }\n' >"$LAB/etc/good.conf"
printf 'machine "one" {\n  nik "eth0" { }\n}\n' >"$LAB/etc/bad.conf"
chmod 644 "$LAB"/etc/{good,bad}.conf

# run OPTION...: pmstackd as an ordinary user; leaves $status, $output and $errors.
run() {
    setpriv --reuid "$LAB_AGENT_USER" --regid "$(id -g "$LAB_AGENT_USER")" --clear-groups \
        timeout 20 "$(lab_agent_program "$LAB_AGENT_USER")" "$@" >"$LAB/run/out" 2>"$LAB/run/err" </dev/null
    status=$?
    output=$(<"$LAB/run/out")
    errors=$(<"$LAB/run/err")
}

run -V
is "$status $errors" "0 " "-V: exit status 0"
like "$output" '^pmstackd [0-9]+\.[0-9]+\.[0-9]+$' "the version"
run -h
is "$status $errors" "0 " "-h: exit status 0"
like "$output" 'usage: pmstackd .*-c FILE' "the usage, on standard output"
for options in -Z -c "-L nowhere" "surplus"; do
    # shellcheck disable=SC2086 # several arguments
    run $options
    is "$status $output" "2 " "pmstackd $options: exit status 2"
    like "$errors" 'usage: pmstackd' "and the usage, on standard error"
done
run -t -c "$LAB/etc/good.conf"
is "$status" 0 "-t of a good configuration: exit status 0"
like "$output" '1 machine' "and what is in it"
run -t -c "$LAB/etc/bad.conf"
is "$status" 1 "-t of a bad one: exit status 1"
like "$errors" 'bad.conf:2: unknown' "with file and line"
run -c "$LAB/etc/bad.conf" -s "$LAB/state/none" -x unix:/nowhere
is "$status" 1 "a start with a bad configuration: exit status 1"
run -c "$LAB/etc/good.conf" -s "$LAB/state/none" -x unix:/nowhere
is "$status" 3 "a start without a state directory: exit status 3"
like "$errors" "cannot start: .*$LAB/state/none" "which is named"
timeout 20 "$PMSTACKD" -u no-such-user -c "$LAB/etc/good.conf" >"$LAB/run/out" 2>&1
is "$?" 3 "root, with a user that does not exist: exit status 3"
like "$(<"$LAB/run/out")" 'no user "no-such-user"' "who is named"

# ---- given: a master, three machines ----

{ lab_snmptrapd && lab_snmpd; } || bail_out "no master agent"
for machine in web01 web02 web03; do lab_bmc "$machine" || bail_out "no BMC"; done
conf() {
    cat <<END
agent { name = "room"  poll-interval = 1s  ${1:-} }
credentials "lab" { username = "$LAB_BMC_USER"  password-file = "$LAB_BMC_PASSWORD_FILE"  cipher-suites = { 3 } }
machine "web[01-03]" { bmc { address = "127.0.1.[1-3]"  credentials = "lab"  timeout = 1s } }
END
}
db() { sqlite3 "$LAB/state/pmstackd/state.db" "$1"; }
conf | lab_agent_conf
lab_agent || bail_out "no agent"
wait_until "$WAIT_S" state_is 3 off
told 'pmAgentStarted' "pmAgentStarted"
is "$(trap_objects "$told")" "$(mib_objects pmAgentStarted)" "has the OBJECTS of the MIB"
is "$(trap_value "$told" pmAgentName.1) $(trap_value "$told" pmAgentMachines.1)" "room 3 machines" "with name and machines"

# ---- SIGUSR1 ----

log_mark
lab_signal pmstackd USR1
wait_until "$WAIT_S" logged 'summary: master connected; 3 machines: 0 on, 3 off, 0 unknown; 3 BMCs, 0 of them not ok'
ok $? "SIGUSR1 logs a summary"
is "$(logged_count .)" "$(logged_count ' summary: ')" "and nothing else"

# ---- SIGTERM ----

verb 1 powerOn ok "web01 on"
verb 2 powerOn ok "web02 on"
result=$(result_text 1)
events=$(snmp_as reader walk -On pmEventText 2>/dev/null)
last=$(snmp_as reader walk pmEventText.2 2>/dev/null | tail -n 1 | sed -E 's/.*Text\.2\.([0-9]+) .*/\1/')
changed=$(value pmMachineLastChange.2)
verb 3 powerOn ok "web03 on, and at once:"
lab_agent_stop
is "$? $LAB_STATUS" "0 0" "SIGTERM: exit status 0"
lab_agent_logged 'stopping'
ok $? "the log says so"
is "$(db 'select count(*) from event where machine = 3 and kind = (select kind from event where text like "%powerOn: ok%" limit 1) and text like "%powerOn: ok%"')" 1 \
    "the last event was still written"
is "$(db 'pragma integrity_check')" ok "the database is whole"
is "$(db 'select count(*) from job where end_ms = 0')" 0 "no job is open"
is "$(snmp_as reader walk -Ov "$PM_ROOT_OID.1" 2>&1 | grep -c Timeout)" 0 "the master knows that it has gone"

# ---- what was known is kept; what changed meanwhile is told, and nothing else ----

bmc_power web01 off
trap_mark
lab_agent || bail_out "no agent"
told 'pmPowerStateChange.*pmMachineName.1' "a machine that was switched off meanwhile is told"
is "$(trap_value "$told" pmMachinePowerState.1) $(trap_value "$told" pmNotifyOldPowerState.0)" "off on" "with what was known before"
becomes pmMachinePowerState.2 on "web02 is still on"
becomes pmMachinePowerState.3 on "and web03"
told pmAgentStarted "pmAgentStarted"
is "$(trap_count pmPowerStateChange)" 1 "nothing else has changed: nothing else is told"
is "$(value pmMachineLastChange.2)" "$changed" "LastChange is that of before"
is "$(value pmMachinePowerOnCount.1) $(value pmMachinePowerOffCount.1) $(value pmMachinePowerOnCount.2)" "1 1 1" "the counters go on"
is "$(snmp_as reader walk -On pmEventText 2>/dev/null | grep -cxF "$events")" "$(wc -l <<<"$events")" "the events are kept, with their indexes"
verb 2 reset ok "another job"
[[ -n $(value "pmEventText.2.$((last + 1))") ]]
ok $? "its events go on counting"
is "$(value pmMachineLastResult.1): $(result_text 1)" "ok: $result" "a result is kept"

# ---- sessions are closed ----

# Without encryption (cipher suite 1) a Close Session request can be seen: IPMI 2.0, 22.19, in an IPMI LAN message.
close_session='\x20\x18\xc8\x81.\x3c'
lab_agent_stop
conf | sed 's/cipher-suites = { 3 }/cipher-suites = { 1 }/' | lab_agent_conf
lab_spawn tcpdump tcpdump -i lo -U -w "$LAB/run/ipmi.pcap" udp port 623
wait_until "$WAIT_S" lab_log_has tcpdump 'listening on'
lab_agent || bail_out "no agent"
for machine in 1 2 3; do becomes "pmBmcCipherSuite.$machine" 1 "BMC $machine has a session without encryption"; done
lab_agent_stop
closed() { LC_ALL=C grep -aoP "$close_session" "$LAB/run/ipmi.pcap" | wc -l; }
all_closed() { [[ $(closed) == 3 ]]; }
wait_until "$WAIT_S" all_closed
is "$(closed)" 3 "each of the three sessions was closed"
lab_stop tcpdump
conf | lab_agent_conf
lab_agent || bail_out "no agent"
wait_until "$WAIT_S" state_is 2 on
is "$(value pmBmcStatus.2)" ok "the BMC takes a new one"

# ---- SIGKILL: what is a wish is taken up, what is momentary is not repeated ----

forget_commands web01
bmc_kill web01
put pmMachineCommand.1 powerOn >/dev/null
ok $? "powerOn, for a BMC that is away"
lab_agent_kill
bmc_start web01
trap_mark
lab_agent || bail_out "no agent"
lab_agent_logged 'web01: job set-[0-9]+ \(powerOn\) is taken up again after a restart'
ok $? "powerOn is taken up again"
job_end 1
is "$(value pmMachineLastResult.1)" ok "and succeeds"
machine_is_on web01
ok $? "the machine runs"
told 'pmJobFinished.*pmNotifyJobAction.0 = powerOn' "its end is told"

forget_commands web02
bmc_kill web02
put pmMachineCommand.2 cycle >/dev/null
ok $? "cycle, for a BMC that is away"
lab_agent_kill
bmc_start web02
trap_mark
lab_agent || bail_out "no agent"
told 'pmJobFailed.*pmMachineLastResult.2 = interrupted' "cycle is reported as interrupted"
is "$(trap_objects "$told")" "$(mib_objects pmJobFailed)" "with the OBJECTS of the MIB"
is "$(trap_value "$told" pmNotifyJobAction.0)" cycle "and the verb"
is "$(value pmMachineLastResult.2)" interrupted "the row says so, too"
like "$(result_text 2)" "not sent twice" "and why"
is "$(value pmAgentJobsFailed.1)" 1 "it counts as failed"
wait_until "$WAIT_S" state_is 2 on
is "$(commands_of web02)" "" "nothing was sent"
is "$(db 'select count(*) from job where end_ms = 0')" 0 "no job is open"
lab_agent_stop
trap_mark
lab_agent || bail_out "no agent"
told pmAgentStarted "another start"
is "$(trap_count pmJobFailed) $(value pmMachineLastResult.2)" "0 interrupted" "it is reported once, and still the last result"

# An index that a manager was told stays that of the same event.
trap_mark
bmc_silence web03
put pmMachineCommand.3 reset >/dev/null
wait_until "$WAIT_S" trap_seen 'pmJobStarted.*pmMachineName.3'
lab_agent_kill
bmc_resume web03
told 'pmJobStarted.*pmMachineName.3' "the begin of a job is told, and the agent killed at once"
index=$(trap_value "$told" pmNotifyEventIndex.0)
name=$(trap_value "$told" pmNotifyJobName.0)
lab_agent || bail_out "no agent"
like "$(value "pmEventText.3.$index")" "$name: reset begins" "the event of that index is there"

# ---- SIGTERM while one BMC is silent: two seconds in which managers and SIGHUP go on ----

# closing walks|HUP: what may come in while sessions are being closed.
closing() {
    if [[ $1 == HUP ]]; then
        lab_signal pmstackd HUP
        value sysUpTime.0 >/dev/null
    else
        snmp_as reader get pmBmcRequests.1 pmBmcIpmiVersion.1 pmMachineUuid.1 >/dev/null 2>&1
        snmp_as reader bulkwalk "$PM_ROOT_OID.1.4" >/dev/null 2>&1
    fi
}
for disturbance in walks HUP; do
    wait_until "$WAIT_S" value_is pmBmcStatus.3 ok
    for machine in 1 2; do becomes "pmBmcStatus.$machine" ok "BMC $machine has a session"; done
    bmc_silence web03
    log_mark
    lab_signal pmstackd TERM
    start_ms=$(tap_now_ms)
    while (($(tap_now_ms) - start_ms < 1200)); do closing "$disturbance"; done
    lab_is_running pmstackd
    ok $? "SIGTERM, $disturbance: a silent BMC is waited for"
    lab_agent_stop
    is "$? $LAB_STATUS" "0 0" "SIGTERM, $disturbance: exit status 0"
    is "$(logged_count 'Sanitizer|runtime error|pmstackd.conf: [0-9]+ machines')" 0 "SIGTERM, $disturbance: nothing is read anew or used after it has gone"
    bmc_resume web03
    lab_agent || bail_out "no agent"
done

# ---- SIGTERM in the middle of a job; resume = false ----

bmc_silence web01
put pmMachineCommand.1 powerOff >/dev/null
start_ms=$(tap_now_ms)
lab_agent_stop
is "$? $LAB_STATUS" "0 0" "SIGTERM in the middle of a job, its BMC silent: exit status 0"
(($(tap_now_ms) - start_ms < 5000))
ok $? "and soon"
bmc_resume web01
lab_agent || bail_out "no agent"
job_end 1
like "$(value pmMachineLastResult.1)" '^(ok|alreadyInState)$' "the job is taken up" # the BMC may have done it meanwhile
machine_is_off web01
ok $? "and done"
bmc_kill web01
put pmMachineCommand.1 powerOn >/dev/null
lab_agent_kill
bmc_start web01
conf "resume = false" | lab_agent_conf
forget_commands web01
lab_agent || bail_out "no agent"
becomes pmMachineLastResult.1 interrupted "with resume = false a wish is reported as interrupted as well"
wait_until "$WAIT_S" state_is 1 off
is "$(commands_of web01)" "" "and nothing sent"
lab_agent_stop

# ---- started as root ----

lab_spawn pmstackd "$(lab_agent_program "$LAB_AGENT_USER")" -c "$LAB/etc/pmstackd.conf" -x "$LAB_AGENTX" \
    -s "$LAB/state/pmstackd" -u "$LAB_AGENT_USER" -L err
lab_agent_wait
ok $? "started as root, with -u $LAB_AGENT_USER"
field() { awk -v name="$1:" '$1 == name { $1 = ""; sub(/^ /, ""); print }' "/proc/$(lab_pid pmstackd)/status"; }
is "$(field Uid | cut -d' ' -f1-4 | tr ' ' '\n' | sort -u)" "$(id -u "$LAB_AGENT_USER")" "all its user ids are those of $LAB_AGENT_USER"
is "$(field Gid | tr ' ' '\n' | sort -u)" "$(id -g "$LAB_AGENT_USER")" "and its group ids"
is "$(field Groups)" "$(id -G "$LAB_AGENT_USER")" "and its supplementary groups"
is "$(field CapEff) $(field CapPrm)" "0000000000002000 0000000000002000" "CAP_NET_RAW and nothing else"
is "$(field CapBnd)" 0000000000000000 "and no way to more"
is "$(field NoNewPrivs)" 1 "NoNewPrivs"
becomes pmMachinePowerState.2 on "it works"
lab_agent_stop
is "$LAB_STATUS" 0 "and stops"
done_testing
