#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# One varbind for a group: who gets a job, in which order and how far apart, by the times at which the chassis were told;
# who is left alone, and who may ask. In the middle of it: another verb, an end, a reload.
# shellcheck disable=SC2119 # functions of the lab have optional arguments
set -u
# shellcheck source=tests/lab/lab.sh
. "$(dirname "$0")/../lab/lab.sh"
# shellcheck source=tests/integration/room.sh
. "$(dirname "$0")/room.sh"
# shellcheck source=tests/integration/journal.sh
. "$(dirname "$0")/journal.sh"
lab_begin "$@"
lab_need sqlite3
shopt -s lastpipe # "… | reload" is this shell

# ---- given: four machines with BMCs, one without; groups that overlap; a user of one group alone ----

odd='a.b-c_d:e+f@g%h(i)=j~k,l;m<n>o?p' # 32 characters, of which a name may consist
LAB_USERS+=(rackop)
cat >"$LAB/etc/more.conf" <<END
view   rack     included $PM_ROOT_OID.1.8.1.0.4.114.97.99.107 ff:fb
view   rack     included $PM_ROOT_OID.1.9.1.0.4.114.97.99.107 ff:fb
view   rackcmd  included $PM_ROOT_OID.1.8.1.6.4.114.97.99.107
group  rackops  usm rackop
access rackops  "" usm authPriv exact rack rackcmd none
END
{ lab_snmptrapd && lab_snmpd --conf "$LAB/etc/more.conf"; } || bail_out "no master agent"
for name in web01 web02 web03 web04; do lab_bmc "$name" -- -t 100 || bail_out "no BMC"; done

# machines [NAME...]: those of the configuration; web01 has pmIndex 1, bare 5.
head_of() {
    cat <<END
agent { name = "room"  poll-interval = ${poll_interval:-1s}  ${agent_settings:-} }
credentials "lab" { username = "$LAB_BMC_USER"  password-file = "$LAB_BMC_PASSWORD_FILE"  cipher-suites = { 3 } }
END
}
machines() {
    local name
    for name; do
        printf 'machine "%s" { bmc { address = "%s"  credentials = "lab"  timeout = 2s } }\n' "$name" "$(bmc_address "$name")"
    done
}
group() { printf 'group "%s" { members = { %s }  stagger = %s }\n' "$1" "$2" "$3"; }
whole() {
    head_of
    machines web01 web02 web03 web04
    printf 'machine "bare" { }\n'
    group rack '"web03", "web01", "web04", "web02"' "${rack_stagger:-0ms}"
    group pair '"web01", "web02"' 500ms
    group mixed '"bare", "web[01-02]"' 0ms
    group "$odd" '"web01"' 0ms
}
reload() {
    lab_agent_conf
    log_mark
    lab_agent_reload
    wait_until "$WAIT_S" logged 'pmstackd.conf: [0-9]+ machines|stays in force|not taken over'
}
db() { sqlite3 "$LAB/state/pmstackd/state.db" "$1"; }

whole | lab_agent_conf
lab_agent -v || bail_out "no agent"
all_are() { for index in 1 2 3 4; do state_is "$index" "$1" || return 1; done; }
all_become() {
    wait_until "$WAIT_S" all_are "$1"
    ok $? "all four are $1"
}
idle() { value_is pmAgentJobsActive.1 0; }
wait_idle() { wait_until "$WAIT_S" idle || fail "the jobs end"; }
# group_row NAME: members, on, off, unknown, active jobs
group_row() {
    snmp_as reader get -OvU "pmGroup"{Members,On,Off,Unknown,ActiveJobs}".\"$1\"" 2>/dev/null | paste -sd' '
}
row_is() { [[ $(group_row "$1") == "$2" ]]; }

# The chassis commands of the four since forget_all, in the order of time: "web03 0" for power 0, …
forget_all() { for name in web01 web02 web03 web04; do forget_commands "$name"; done; }
chassis_times() {
    local name
    for name in web01 web02 web03 web04; do sed "s/^/$name /" "$LAB/machine/$name/commands"; done | sort -k2,2n
}
chassis_order() { chassis_times | awk '{ print $1, $5 "=" $6 }' | paste -sd,; }
# begins: MACHINE MILLISECONDS of the first job of each that has begun since log_mark, by the agent's own clock.
begins() {
    log_lines | sed -En 's/^(\S+) (\S+) info: (\S+): job \S+: \S+ begins$/\3 \1 \2/p' | awk '!seen[$1]++' >"$LAB/begins"
    paste -d' ' <(cut -d' ' -f1 "$LAB/begins") <(cut -d' ' -f2- "$LAB/begins" | date -f - +%s%3N)
}
# apart MS NAME: never were two begins since log_mark closer together.
apart() {
    local least
    least=$(begins | awk 'NR > 1 { d = $2 - last; if (NR == 2 || d < least) least = d } { last = $2 } END { print least + 0 }')
    ((least >= $1 - 2)) # clocks count whole milliseconds
    ok $? "$2" || diag "$(begins)"
}

# ---- reading ----

all_become off
is "$(group_row rack)" "4 0 4 0 0" "a row: members, on, off, unknown, active jobs"
is "$(group_row mixed)" "3 0 2 1 0" "a machine that nobody watches is unknown"
is "$(group_row "$odd")" "1 0 1 0 0" "a name with all kinds of characters"
is "$(snmp_as reader walk -Onv pmGroupMembers | wc -l)" 4 "four rows"
is "$(snmp_as reader walk -On pmGroupCommand | sed 's/ .*//' | head -n 2 | paste -sd' ')" \
    "$PM_ROOT_OID.1.8.1.6.4.112.97.105.114 $PM_ROOT_OID.1.8.1.6.4.114.97.99.107" "the index begins with the length of the name"
is "$(value 'pmGroupCommand."rack"')" none "Command reads none"
is "$(value 'pmGroupStagger."pair"')" 500 "the stagger is that of the configuration"
is "$(snmp_as reader walk -Ov 'pmGroupMemberMachineName."rack"' | paste -sd' ')" "web01 web02 web03 web04" "members, by pmIndex"

# ---- one SET for all ----

forget_all
trap_mark
put 'pmGroupCommand."rack"' powerOn >/dev/null
ok $? "powerOn for a group is accepted"
all_become on
wait_idle
is "$(chassis_order | tr ',' '\n' | sort | paste -sd,)" "web01 power=1,web02 power=1,web03 power=1,web04 power=1" "each was told once"
is "$(group_row rack)" "4 4 0 0 0" "and is counted on"
is "$(for index in 1 2 3 4; do value "pmMachineLastResult.$index"; done | paste -sd' ')" "ok ok ok ok" "each has its result"
wait_until "$WAIT_S" trap_seen 'pmJobFinished.*pmMachineName.2'
is "$(trap_count pmJobStarted) $(trap_count pmJobFinished)" "4 4" "each is told to have begun and finished"
group_ends rack 4 4 0 "a verb for a group"
is "$(trap_objects "$told")" "$(mib_objects pmGroupFinished)" "with the OBJECTS of the MIB"
is "$(trap_value "$told" pmMachineName.0) $(trap_value "$told" pmNotifyJobAction.0)" " powerOn" "of no machine, with the verb"
like "$(trap_value "$told" pmNotifyText.0)" "powerOn for group rack: 4 of 4 jobs succeeded" "and in words"
ends=$(trap_lines | grep -oE 'pm(JobFinished|GroupFinished)' | tail -n 1)
is "$ends" pmGroupFinished "behind those of the jobs"
is "$(log_count 'group rack: powerOn: 4 of 4 members get a job, to begin 0 ms apart; 0 are doing it already, 0 can not')" 1 \
    "one line of the log sums it up"
is "$(value 'pmGroupCommand."rack"')" none "Command reads none again"
trap_mark
put 'pmGroupCommand."rack"' powerOn >/dev/null
wait_idle
group_ends rack 4 4 0 "the same again"
is "$(value pmMachineLastResult.3)" alreadyInState "once more: they are on already"
is "$(chassis_order | tr ',' '\n' | wc -l)" 4 "and are not told again"

# ---- staggered: in the order of the configuration, the first at once ----

forget_all
log_mark
trap_mark
before_ms=$(tap_now_ms)
put 'pmGroupStagger."rack"' 2500 'pmGroupCommand."rack"' powerOff >/dev/null
ok $? "a stagger and a verb in one SET"
wait_until 5 commands_are web03 "bmc set power 0"
(($(tap_now_ms) - before_ms < 2500))
ok $? "the first begins at once" || diag "$(($(tap_now_ms) - before_ms)) ms"
is "$(value 'pmGroupStagger."rack"')" 2500 "the stagger reads as written"
like "$(value 'pmGroupActiveJobs."rack"')" '^[34]$' "jobs that wait are active"
is "$(value pmMachinePowerState.2) $(value pmMachineLastResult.2)" "on none" "the last is on, and has a job"
is "$(value pmAgentJobsStarted.1)" 9 "which has not begun"
like "$(put pmMachineCommand.2 cycle)" inconsistentValue "another verb for it: busy"
put pmMachineCommand.2 powerOff >/dev/null
ok $? "the same verb for it: accepted"
put 'pmGroupCommand."pair"' powerOff >/dev/null
ok $? "the same verb for a group that overlaps: accepted"
like "$(put 'pmGroupCommand."pair"' powerOn)" inconsistentValue "another verb for that group: all of it is busy"
put 'pmGroupCommand."rack"' powerOff >/dev/null
ok $? "and the same again: accepted"
all_become off
wait_idle
is "$(chassis_order)" "web03 power=0,web01 power=0,web04 power=0,web02 power=0" "each was told once, in the order of the configuration"
apart 2500 "and never closer together than asked for"
told 'pmNotifyGroupName.0 = rack.*pmNotifyJobsTotal.0 = 4 jobs.*pmNotifyJobsSucceeded.0 = 4 jobs' "the end of the group is told"
is "$(trap_lines | sed -nE 's/.*pmNotifyGroupName.0 = (\S+).*Total.0 = ([0-9]+) .*Succeeded.0 = ([0-9]+) .*/\1 \2 \3/p' | sort | paste -sd,)" \
    "rack 4 4" "once: the same verb again, before all had ended, started nothing"

# ---- members that cannot ----

put pmMachineInhibit.2 true pmMachineInhibitReason.2 "fan exchange" >/dev/null
forget_all
log_mark
trap_mark
put 'pmGroupCommand."mixed"' powerOn >/dev/null
ok $? "one member has nothing to be switched by, one is inhibited: accepted for the third"
wait_until "$WAIT_S" state_is 1 on
wait_idle
is "$(chassis_order)" "web01 power=1" "which is switched"
group_ends mixed 1 1 0 "a group of which one member can"
like "$(trap_value "$told" pmNotifyText.0)" "that could not: 2\)" "in words, also those who could not"
is "$(value pmMachineLastResult.5) $(value pmMachineLastResult.2)" "notConfigured rejected" "the others have a result"
like "$(result_text 5)" "^powerOn for group mixed was not begun: machine bare has no" "that says why: it lacks something"
like "$(result_text 2)" "^powerOn for group mixed was not begun: machine web02 is inhibited: fan exchange" "or it may not"
event=$(snmp_as reader walk -Oq pmEventText.2 | tail -n 1 | sed 's/^[^.]*\.//; s/ .*//')
is "$(value "pmEventKind.$event") $(value "pmEventSeverity.$event")" "jobFailed warning" "there is an event row"
is "$(value "pmEventText.$event")" "$(result_text 2)" "that says the same"
logged 'web02: powerOn for group mixed was not begun' && logged 'group mixed: powerOn: 1 of 3 members get a job.* 2 can not'
ok $? "and so does the log"
is "$(value pmAgentJobsFailed.1)" 0 "which is no job that failed"
like "$(put 'pmGroupCommand."mixed"' suspend)" inconsistentValue "a verb that nobody can do"
put pmMachineInhibit.1 true >/dev/null
like "$(put 'pmGroupCommand."mixed"' powerOff)" inconsistentValue "nor one that nobody may do"
logged 'refused with inconsistentValue: none of the 3 members of group mixed can do it; the first: machine bare'
ok $? "the log says so, with the reason of the first"
put pmMachineInhibit.1 false pmMachineInhibit.2 false >/dev/null

# ---- two groups in one SET; the limit of running jobs ----

put pmAgentJobMaxConcurrent.1 1 >/dev/null
forget_all
trap_mark
put 'pmGroupCommand."rack"' powerOn 'pmGroupStagger."rack"' 0 'pmGroupCommand."pair"' powerOn >/dev/null
ok $? "two groups that overlap, in one SET"
all_become on
wait_idle
is "$(chassis_order | tr ',' '\n' | sort | paste -sd,)" "web02 power=1,web03 power=1,web04 power=1" "each that was off was told once"
wait_until "$WAIT_S" trap_seen pmGroupFinished
is "$(trap_lines | grep -oE 'pmNotifyJobsTotal.0 = [0-9]+' | awk '{ jobs += $3 } END { print jobs }')" 4 \
    "and its job counts in one of them"
put pmAgentJobMaxConcurrent.1 64 >/dev/null

# ---- who may ----

is "$(snmp_as rackop walk -On "$PM_ROOT_OID" | sed 's/ .*//; s/.*7747\.1\.//' | cut -d. -f1,4-8 | sort -u | paste -sd' ')" \
    "8.4.114.97.99.107 9.4.114.97.99.107" "the operator of one group sees its row and its members, and nothing else"
forget_all
snmp_as rackop set 'pmGroupCommand."rack"' = powerOff >/dev/null 2>&1
ok $? "and may command it"
for attempt in 'pmGroupCommand."pair"=powerOn' 'pmGroupStagger."rack"=1' pmMachineCommand.1=powerOn; do
    like "$(snmp_as rackop set "${attempt%=*}" = "${attempt##*=}" 2>&1)" noAccess "but not ${attempt%=*}"
done
all_become off
wait_idle

# ---- a stagger that was written ----

put 'pmGroupStagger."rack"' 1500 >/dev/null
lab_agent_stop
lab_agent -v || bail_out "no agent"
is "$(value 'pmGroupStagger."rack"')" 1500 "a stagger that was written outlives a restart"
whole | reload
is "$(value 'pmGroupStagger."rack"')" 1500 "and a reload"
{ whole | grep -v '^group "rack"'; } | reload
like "$(value 'pmGroupMembers."rack"')" 'No Such Instance' "a group that was removed is not served"
like "$(put 'pmGroupCommand."rack"' powerOn)" noCreation "nor can it be commanded"
whole | reload
is "$(value 'pmGroupStagger."rack"')" 1500 "when it comes again it has what was written"
rack_stagger=1s
whole | reload
is "$(value 'pmGroupStagger."rack"')" 1000 "until the configuration's own value changes"
logged 'group rack: stagger = 1500, once written by SNMP, gives way'
ok $? "and the log says so"

# ---- killed in the middle of a stagger ----

all_become off
forget_all
log_mark
trap_mark
put 'pmGroupCommand."rack"' powerOn >/dev/null
wait_until "$WAIT_S" commands_are web03 "bmc set power 1"
lab_agent_kill
is "$(db 'select name, jobs from group_command')" "rack|4" "killed: the journal has the group's command"
is "$(db 'select count(*), sum(not_before_ms - created_ms), max(stagger_ms) from job where end_ms = 0 and not_before_ms > created_ms + 500')" \
    "3|6000|1000" "the journal has the three that have not begun, and when they were to"
lab_agent -v || bail_out "no agent"
all_become on
wait_idle
is "$(chassis_order)" "web03 power=1,web01 power=1,web04 power=1,web02 power=1" "after the restart they are told, once and in order"
apart 900 "and as far apart as before" # the first begins a moment after the SET is in the journal
group_ends rack 4 4 0 "a group, over a restart"
is "$(db 'select count(*) from group_command')" 0 "whose command is then forgotten"

forget_all
trap_mark
put 'pmGroupCommand."rack"' cycle >/dev/null
wait_until "$WAIT_S" test -s "$LAB/machine/web03/commands"
lab_agent_kill
lab_agent -v || bail_out "no agent"
wait_idle
# whether the acceptance of the first was in the journal by then is a matter of milliseconds
like "$(for index in 1 2 3 4; do value "pmMachineLastResult.$index"; done | paste -sd' ')" "^ok ok (ok|interrupted) ok$" \
    "what has not begun is taken up, and what was accepted is waited for"
is "$(chassis_order | tr ',' '\n' | grep power=0 | paste -sd,)" "web03 power=0,web01 power=0,web04 power=0,web02 power=0" "each is told once"
interrupted=$(for index in 1 2 3 4; do value "pmMachineLastResult.$index"; done | grep -c interrupted)
group_ends rack 4 $((4 - interrupted)) "$interrupted" "and again"
all_become on

# ---- a reload in the middle of a stagger ----

forget_all
log_mark
mark=$LOG_MARK
trap_mark
put 'pmGroupCommand."rack"' powerOff >/dev/null
wait_until "$WAIT_S" commands_are web03 "bmc set power 0"
{
    head_of
    machines web01 web02 web03
    group other '"web01"' 3s
} | reload
like "$(value 'pmGroupMembers."rack"')" 'No Such Instance' "the group and one of its members are removed"
wait_until "$WAIT_S" state_is 2 off && wait_until "$WAIT_S" state_is 1 off
ok $? "the jobs of the others go on"
wait_idle
is "$(chassis_order)" "web03 power=0,web01 power=0,web02 power=0" "in order, without the one that has gone"
LOG_MARK=$mark
apart 1000 "and as far apart as before"
is "$(db "select result from job join machine on machine.id = job.machine where machine.name = 'web04' order by job.id desc limit 1")" 11 \
    "its job was aborted"
machine_is_on web04
ok $? "it is as it was"
group_ends rack 4 3 1 "a group that was removed"
rack_stagger=1h
whole | reload
wait_until "$WAIT_S" state_is 4 on
trap_mark
put 'pmGroupCommand."rack"' powerOff >/dev/null
wait_until "$WAIT_S" value_is pmMachineLastResult.3 alreadyInState
is "$(group_row rack)" "4 1 3 0 3" "three wait for hours"
start_ms=$(tap_now_ms)
lab_agent_stop
is "$? $LAB_STATUS" "0 0" "SIGTERM then: exit status 0"
(($(tap_now_ms) - start_ms < 5000))
ok $? "and soon"
lab_agent -v || bail_out "no agent"
is "$(value pmAgentJobsActive.1)" 3 "they wait again after the restart"
lab_signal pmstackd USR1
wait_until "$WAIT_S" logged 'jobs: 0 running, 3 waiting'
ok $? "and are in the summary"
put pmMachineCommand.4 powerOff >/dev/null
is "$(value pmAgentJobsActive.1)" 3 "the same verb for one of them gives it no other job"
machines web01 web02 web03 | { head_of; cat; } | reload
{ head_of; } | reload
wait_until "$WAIT_S" idle
ok $? "the jobs of machines that are removed end"
is "$(db 'select count(*) from job where end_ms = 0')" 0 "in the journal as well"
group_ends rack 4 1 3 "a group of machines that are removed"
agent_settings="resume = false"
rack_stagger=1h
whole | reload
wait_until "$WAIT_S" state_is 4 on
trap_mark
put 'pmGroupCommand."rack"' powerOff >/dev/null
lab_agent_kill
lab_agent -v || bail_out "no agent"
is "$(value pmMachineLastResult.4)" interrupted "with resume = false those that wait are reported as interrupted"
machine_is_on web04
ok $? "and not done"
# whether the first was off before the kill is a matter of milliseconds
ended=$(db 'select sum(state = 6), sum(state > 6) from job where group_id = (select max(group_id) from job)')
group_ends rack 4 "${ended%|*}" "${ended#*|}" "with resume = false"
unset agent_settings

# ---- the brake in the middle of a stagger ----

trap_mark
put 'pmGroupCommand."rack"' powerOff >/dev/null
wait_until "$WAIT_S" value_is pmMachineLastResult.3 alreadyInState
put pmMachineInhibit.4 true pmMachineInhibitReason.4 "hands inside" >/dev/null
is "$(value pmMachineLastResult.4): $(result_text 4)" "aborted: machine web04 is inhibited: hands inside" \
    "inhibit stops a member whose turn has not come"
is "$(group_row rack)" "4 1 3 0 2" "and only that one"
put pmAgentInhibit.1 true >/dev/null
is "$(value pmMachineLastResult.1) $(value pmMachineLastResult.2) $(value pmAgentJobsActive.1)" "aborted aborted 0" \
    "pmAgentInhibit stops the rest"
group_ends rack 4 1 3 "a group that was stopped"
put pmAgentInhibit.1 false pmMachineInhibit.4 false >/dev/null

# ---- a thousand, simulated ----

lab_agent_stop
for name in web01 web02 web03 web04; do bmc_kill "$name"; done # the farm has their port
lab_farm --count 1100 || bail_out "no farm"
poll_interval=30s
{
    head_of
    # BMC 1 of the farm is 127.1.0.1
    for third in 0 1 2 3; do
        printf 'machine "n[%d-%d]" { bmc { address = "127.1.%d.[1-250]"  port = %d  credentials = "lab" } }\n' \
            $((1001 + third * 250)) $((1250 + third * 250)) "$third" "$LAB_FARM_PORT"
    done
    group thousand '"n[1001-2000]"' 0ms
} | lab_agent_conf
lab_agent -v || bail_out "no agent"
thousand_are() { value_is "pmGroup$1.\"thousand\"" 1000; }
# switched HOW: how many machines of the farm were switched that way.
switched() { farm_log "chassis-control=.* power=$1" | sed -E 's/.* bmc=([0-9]+) .*/\1/' | sort -u | wc -l; }
wait_until "$WAIT_S" thousand_are Off
is "$(group_row thousand)" "1000 0 1000 0 0" "a thousand machines are off"
start_ms=$(tap_now_ms)
trap_mark
put 'pmGroupCommand."thousand"' powerOn >/dev/null
ok $? "one SET"
took_ms=$(($(tap_now_ms) - start_ms))
((took_ms < 3000)) # a twentieth of that on a machine that does nothing else
ok $? "is answered in $took_ms ms"
wait_until "$WAIT_S" thousand_are On
took_ms=$(($(tap_now_ms) - start_ms))
ok $? "all are on after $took_ms ms"
wait_idle
is "$(switched off:on) $(farm_count 'chassis-control=power-up ')" "1000 1000" "each was switched on, and told so once"
is "$(db 'select count(*), count(distinct machine), min(result), max(result) from job where created_ms = (select max(created_ms) from job)')" \
    "1000|1000|2|2" "the journal has a job for each, and its end"

group_ends thousand 1000 1000 0 "a group of a thousand"

# Killed in the middle of two seconds in which they begin one after another.
log_mark
trap_mark
put 'pmGroupStagger."thousand"' 2 'pmGroupCommand."thousand"' powerOff >/dev/null
some_are_off() { (($(farm_count 'power=on:off') >= 100)); }
wait_until "$WAIT_S" some_are_off
lab_agent_kill
switched=$(switched on:off)
((switched < 1000))
ok $? "killed when $switched of them are off"
lab_agent -v || bail_out "no agent"
wait_until "$WAIT_S" thousand_are Off
ok $? "after the restart all are"
wait_idle
is "$(switched on:off)" 1000 "each was switched off"
sent=$(farm_count 'chassis-control=power-down ')
((sent >= 1000 && sent <= 1064))
ok $? "and told so once, but for those that ran when the agent was killed: $sent"
duration_ms=$(begins | awk '{ if (!first || $2 < first) first = $2; if ($2 > last) last = $2 } END { print last - first }')
((duration_ms >= 1990))
ok $? "which took two seconds, and not less for the restart" || diag "$duration_ms ms"
is "$(db 'select count(*) from job where end_ms = 0')" 0 "no job is open"
group_ends thousand 1000 1000 0 "a group of a thousand, over a restart"
lab_agent_stop
is "$LAB_STATUS" 0 "the agent ends well"
done_testing
