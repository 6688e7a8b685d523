#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# What the simulated BMCs are told to do wrong, and what takes its time: each is seen from outside, by raw packets,
# ipmitool or FreeIPMI's client library, and in the farm's own log.
# shellcheck disable=SC2119,SC2016 # functions of the lab have optional arguments; what bash -c is given it expands itself
set -u
# shellcheck source=tests/lab/lab.sh
. "$(dirname "$0")/../lab/lab.sh"
lab_begin "$@"

PROGRAMS=${PM_TEST_BIN:-$LAB_ROOT/build/tests}
WAIT_S=15
PINGS=255 # a tag for each

lab_bmc_password
IPMI_PASSWORD=$(<"$LAB_BMC_PASSWORD_FILE")
export IPMI_PASSWORD
oracle() { timeout 30 "$PROGRAMS/farm_oracle" "${@:1:2}" "$LAB_BMC_PASSWORD_FILE" "${@:3}" </dev/null; }
# in_time BMC STEP...: FreeIPMI in suite 17, which waits for an answer for long; hasty: for 0.8 s, asking again each 0.2 s
in_time() { oracle -t 4000 "127.1.0.$1" 2.0:17 "${@:2}"; }
hasty() { oracle -t 800 "127.1.0.$1" 2.0:17 "${@:2}"; }
tool() { timeout 30 ipmitool -E -U "$LAB_BMC_USER" -N 1 -R 2 -p "$LAB_FARM_PORT" -I lanplus -C 17 -H "127.1.0.$1" "${@:2}" 2>&1; }
ping_all() { "$PROGRAMS/farm_raw" "127.1.0.$1" "$LAB_FARM_PORT" "$PINGS" "${2:-400}"; }
# value LINE NAME; between VALUE MIN MAX NAME
value() { tr ' ' '\n' <<<"$1" | sed -n "s/^$2=//p"; }
between() { ok $(($1 >= $2 && $1 <= $3 ? 0 : 1)) "$4 ($1)"; }
power_is() { [[ $(farm_stat "$1" power) == "$2" ]]; }
becomes() {
    wait_until "$WAIT_S" power_is "$1" "$2"
    is "$(farm_stat "$1" power)" "$2" "$3"
}
# seconds_between BMC REGEX REGEX: of their first lines in the log, in ms
ms_between() {
    local from to
    from=$(farm_log "bmc=$1 $2" | head -n 1 | cut -d' ' -f1 | tr -d .)
    to=$(farm_log "bmc=$1 $3" | head -n 1 | cut -d' ' -f1 | tr -d .)
    printf '%d' $(((to - from) / 1000))
}

lab_farm --count 200 --boot-timeout 2 --seed 7 || bail_out "no farm"

# ---- what is ordered wrongly ----

refused() { farm "$@" 2>&1; }
like "$(refused bmc 201 dead on)" 'from 1 to 200' "a BMC that is not there"
like "$(refused bmc 3-1 dead on)" 'all, N, N-M' "a range from behind"
like "$(refused bmc 1 fault los=1)" 'NAME=VALUE of loss-in' "an unknown fault"
like "$(refused bmc 1 fault loss=101)" 'a number from 0 to 100, not 101' "more than all of them"
like "$(refused bmc 1 set on-time=soon)" 'on-time is a number' "no time"
like "$(refused bmc 1 code chassis=0xc0)" 'there is no command' "an unknown command"
like "$(refused bmc 1 code all=0xc0 often=yes)" 'done=yes, done=no or times=N' "an unknown word behind it"
like "$(refused bmc 1 silent-suite 4)" 'the ID of a cipher suite' "an unknown cipher suite"
like "$(refused bmc 1 fly)" 'no verb fly' "an unknown verb"
like "$(refused frobnicate)" '`help` lists' "an unknown line"
is "$(farm stat 1-3,7,198-200 | wc -l)" 7 "a range in several parts"
like "$(farm help)" 'bmc RANGE fault' "help"
is "$(farm commands | grep -c .)" "$(farm commands | sort -u | grep -c .)" "each command has a name of its own"

# ---- the network ----

well=$(ping_all 1)
is "${well%% first*}" "answered=$PINGS lost=0 duplicates=0 reordered=0 bad=0 from-elsewhere=0" "without faults all is well"
farm bmc 2 fault loss=30
between "$(value "$(ping_all 2)" answered)" 95 155 "loss 30 % each way leaves about half"
farm bmc 3 fault loss-in=30
farm bmc 4 fault loss-out=100
between "$(value "$(ping_all 3)" lost)" 50 105 "loss 30 % one way"
is "$(value "$(ping_all 4)" answered) $(farm_stat 4 in) $(farm_stat 4 out)" "0 $PINGS 0" "all answers lost, though the BMC got the questions"
farm bmc 5 fault delay=150
result=$(ping_all 5 700)
between "$(value "$result" first-ms)" 140 1000 "a delay of 150 ms"
is "$(value "$result" answered) $(value "$result" reordered)" "$PINGS 0" "keeps the order"
farm bmc 6 fault delay=50 jitter=200
result=$(ping_all 6 700)
between "$(value "$result" last-ms)" 200 1500 "jitter adds up to 200 ms"
between "$(value "$result" reordered)" 100 254 "and mixes the order"
farm bmc 7 fault duplicate=40
between "$(value "$(ping_all 7)" duplicates)" 70 135 "duplicates"
farm bmc 8 fault reorder=20
result=$(ping_all 8)
between "$(value "$result" reordered)" 20 70 "reordered"
between "$(value "$result" answered)" $((PINGS - 1)) "$PINGS" "and none lost, but perhaps one that is still held"
farm bmc 9 fault garbage=50
result=$(ping_all 9)
between "$(value "$result" bad)" 90 165 "garbage"
is "$(value "$result" answered)" "$PINGS" "beside the true answers"
farm bmc 10 fault truncate=50 instead=yes
result=$(ping_all 10)
between "$(value "$result" bad)" 90 165 "truncated packets"
is "$(($(value "$result" bad) + $(value "$result" answered)))" "$PINGS" "instead of the true answers"
farm bmc 11 fault flip=100 instead=yes
between "$(value "$(ping_all 11)" bad)" 60 $PINGS "flipped bits, where a pong shows them"
farm bmc 12 dead on
is "$(value "$(ping_all 12)" answered)" 0 "a dead BMC"
farm bmc 12 dead off
is "$(value "$(ping_all 12)" answered)" "$PINGS" "comes back"
farm bmc 2-12 fault none
is "$(value "$(ping_all 2)" answered)" "$PINGS" "faults end"

# The same seed, the same packets: the same dice, and only then.
for seed in 1 1 2; do
    lab_farm --name dice --port 9623 --base 127.8.0.1 --count 3 --seed $seed --do 'bmc all fault loss=50' || bail_out "no dice"
    "$PROGRAMS/farm_raw" 127.8.0.2 9623 $PINGS | grep -o 'tags=.*' >>"$LAB/dice"
    lab_stop dice
done
is "$(sed -n 1p "$LAB/dice")" "$(sed -n 2p "$LAB/dice")" "the same seed gives the same losses"
isnt "$(sed -n 1p "$LAB/dice")" "$(sed -n 3p "$LAB/dice")" "another seed others"

# ---- packets inside a session: FreeIPMI believes none of them ----

for fault in wrong-integrity wrong-session wrong-sequence; do
    number=$((${number:-20} + 1))
    farm bmc $number fault $fault=100
    like "$(hasty $number status)" 'open: session timeout' "$fault: no answer is taken"
    farm bmc $number fault none
    like "$(in_time $number status)" '^status: misc' "until it ends"
done
farm bmc 24 fault wrong-integrity=20 wrong-session=10 wrong-sequence=10 loss=15
printf 'username %s\npassword %s\n' "$LAB_BMC_USER" "$IPMI_PASSWORD" >"$LAB/etc/freeipmi.conf"
is "$(timeout 30 ipmipower --config-file="$LAB/etc/freeipmi.conf" -D LAN_2_0 -I 17 --session-timeout=20000 \
    --retransmission-timeout=100 -h 127.1.0.24 --on 2>&1)" "127.1.0.24: ok" "through a bit of everything ipmipower gets there"
is "$(farm_stat 24 power)" on "and it is on"
farm bmc 25 silent-suite 17
like "$(hasty 25 status)" 'open: (session|connection) timeout' "silence to one suite"
like "$(oracle -t 4000 127.1.0.25 2.0:3 status)" '^status: misc' "but not to another"
farm bmc 26 set bad-checksum=yes
like "$(hasty 26 status)" 'timeout' "wrong checksums of messages"
farm bmc 26 set bad-checksum=no short-data=yes
unlike "$(hasty 26 status)" 'misc_chassis' "answers without data"
farm bmc 26 set short-data=no open-status=0x12
like "$(tool 26 power status)" 'illegal parameter' "any status of Open Session Response"
farm bmc 26 set open-status=0 rakp2-status=0x09
like "$(tool 26 -v power status)" 'RAKP 2 .*invalid role' "of RAKP message 2"
farm bmc 26 set rakp2-status=0 rakp4-status=0x01
like "$(tool 26 -v power status)" 'RAKP 4 .*insufficient resources' "of RAKP message 4"
farm bmc 26 set rakp4-status=0 no-ipmi-2=yes
like "$(tool 26 -v power status)" 'does not support IPMI v2' "an old BMC that knows IPMI 1.5 alone"

# ---- sessions ----

farm bmc 30 full on
like "$(tool 30 power status)" 'insufficient resources for session' "a session table said to be full"
like "$(timeout 30 ipmitool -E -U "$LAB_BMC_USER" -N 1 -R 2 -p "$LAB_FARM_PORT" -I lan -H 127.1.0.30 power status 2>&1)" \
    'No session slot available' "IPMI 1.5 has a code of its own"
mkfifo "$LAB/run/hold"
exec 8<>"$LAB/run/hold"
hold() { # BMC: keeps a session until a line comes
    lab_spawn "hold-$2" bash -c 'exec "$@" 0<"$0"' "$LAB/run/hold" "$PROGRAMS/farm_oracle" "$LAB_BMC_PASSWORD_FILE" "127.1.0.$1" 2.0:3 hold
    wait_until "$WAIT_S" lab_log_has "hold-$2" '^hold' || bail_out "no session"
}
for i in 1 2 3 4; do hold 31 $i; done
is "$(farm_stat 31 sessions)" 4 "four sessions"
like "$(tool 31 power status)" 'insufficient resources for session' "leave no slot for a fifth"
farm bmc 31 expire
is "$(farm_stat 31 sessions) $(farm_count 'bmc=31 session-ended=expired')" "0 4" "sessions that expire"
is "$(tool 31 power status)" "Chassis Power is off" "make room"
for i in 1 2 3 4; do lab_kill "hold-$i"; done
lab_farm --name brief --port 8623 --base 127.7.0.1 --count 1 --idle-timeout 1 || bail_out "no second farm"
"$PROGRAMS/farm_oracle" "$LAB_BMC_PASSWORD_FILE" 127.7.0.1:8623 2.0:3 hold <"$LAB/run/hold" >/dev/null &
held_pid=$!
is_held() { [[ $(farm_stat 1 sessions brief) == 1 ]]; }
wait_until "$WAIT_S" is_held
begun_ms=$(tap_now_ms)
has_expired() {
    tool_brief power status >/dev/null
    [[ $(farm_count 'session-ended=expired' brief) == 1 ]]
}
tool_brief() { timeout 30 ipmitool -E -U "$LAB_BMC_USER" -p 8623 -I lanplus -C 17 -H 127.7.0.1 "$@"; }
wait_until "$WAIT_S" has_expired
between $(($(tap_now_ms) - begun_ms)) 800 15000 "a session that nobody uses ends after the idle timeout"
kill "$held_pid"
lab_stop brief
hold 33 1
farm bmc 33 reboot 2000
is "$(farm_stat 33 sessions)" 0 "a BMC that reboots forgets its sessions"
is "$(value "$(ping_all 33 50)" answered)" 0 "and is silent"
answers_again() { [[ $(value "$(ping_all 33 50)" answered) == "$PINGS" ]]; }
wait_until "$WAIT_S" answers_again
ok $? "for a while"
lab_kill hold-1
# K_g is proved by the console: what it finds wrong stays a session of the BMC until it expires.
tool 34 -k wrong power status >/dev/null
is "$(farm_stat 34 sessions)" 1 "a session with a wrong K_g"

# ---- completion codes ----

farm bmc 40 power on
farm bmc 40 code chassis-control=0xc3
like "$(in_time 40 control=3)" 'code 0xC3' "a completion code"
is "$(farm_count 'bmc=40 chassis-control')" 0 "for what was not done"
farm bmc 40 code chassis-control=0xce done=yes
like "$(in_time 40 control=0)" 'code 0xCE' "and one"
is "$(farm_count 'bmc=40 chassis-control=power-down power=on:off') $(farm_stat 40 power)" "1 off" "for what was done"
farm bmc 40 code get-chassis-status=0xdf times=2
is "$(in_time 40 status status status | grep -c 'code 0xDF')" 2 "so often and no more"
farm bmc 40 code all=0xff
is "$(in_time 40 status poh policy=1 device-id | grep -c 'code 0xFF')" 4 "to all commands"
farm bmc 40 code none
unlike "$(in_time 40 status poh policy=1 device-id)" 'code' "and to none"
farm bmc 40 code set-session-privilege=0x81
like "$(tool 40 power status)" 'Unable to|Set Session Privilege' "to one of session set-up"
farm bmc 41 busy 2
is "$(in_time 41 control=1 control=1 control=1 | paste -sd,)" "control=1: code 0xC0,control=1: code 0xC0,control=1:" "busy twice"
is "$(farm_count 'bmc=41 chassis-control')" 1 "and done once"

# ---- a request that comes again ----

# ipmitool asks again with the same rqSeq; FreeIPMI takes a new one, so that no BMC can tell.
farm bmc 42-43 power on
farm bmc 43 set dedup=yes
shell() { # BMC: ipmitool, to which lines may be said
    mkfifo "$LAB/run/shell-$1"
    lab_spawn "shell-$1" bash -c 'exec "$@" 0<>"$0"' "$LAB/run/shell-$1" \
        ipmitool -E -U "$LAB_BMC_USER" -N 1 -R 5 -p "$LAB_FARM_PORT" -I lanplus -C 17 -H "127.1.0.$1" shell
    printf 'power status\n' >"$LAB/run/shell-$1"
    wait_until "$WAIT_S" lab_log_has "shell-$1" 'is on'
}
asked_twice() { (($(farm_stat 42 in) >= asked + 2 && $(farm_stat 43 in) >= asked + 2)); }
shell 42
shell 43
asked=$(farm_stat 42 in)
is "$(farm_stat 43 in)" "$asked" "two of the same"
farm bmc 42-43 fault loss-out=100
for number in 42 43; do printf 'power reset\n' >"$LAB/run/shell-$number"; done
wait_until "$WAIT_S" asked_twice
farm bmc 42-43 fault none
for number in 42 43; do
    wait_until "$WAIT_S" lab_log_has "shell-$number" 'Control: Reset'
    ok $? "the answer to a reset is lost, ipmitool asks again"
done
between "$(farm_count 'bmc=42 chassis-control=hard-reset .*duplicate=yes')" 1 4 "it is done again, as much firmware does"
is "$(farm_count 'bmc=42 chassis-control=hard-reset .*duplicate=no')" 1 "and only the first is none"
is "$(farm_count 'bmc=43 chassis-control')" 1 "or only answered again, with dedup"

# ---- power takes its time ----

farm bmc 50 set on-time=1200
is "$(in_time 50 control=1 status | grep -c power_is_on)" 0 "power up takes on-time"
becomes 50 on "then it is on"
between "$(ms_between 50 chassis-control power-change=power-up)" 1198 4000 "ms later, says the log"
farm bmc 50 set soft-time=1200
in_time 50 control=5 >/dev/null
is "$(farm_stat 50 power)" on "a soft shutdown takes soft-time"
becomes 50 off "then it is off"
farm bmc 51 power on
farm bmc 51 set soft-time=never cycle-time=1500
in_time 51 control=5 >/dev/null
in_time 51 control=2 >/dev/null
is "$(farm_stat 51 power)" off "a power cycle is off for a while"
becomes 51 on "and on again"
is "$(farm_count 'bmc=51 power-change=soft-shutdown')" 0 "a machine may ignore the soft shutdown"
in_time 51 control=4 control=4 >/dev/null
is "$(farm_stat 51 diagnostics)" 2 "diagnostic interrupts are counted"
in_time 52 control=1 control=0 control=1 >/dev/null
is "$(farm_count 'bmc=52 boot=default')" 2 "each power up boots once"

in_time 53 policy=0 control=1 >/dev/null
in_time 54 policy=1 control=1 >/dev/null
in_time 55 policy=1 >/dev/null
in_time 56 policy=2 >/dev/null
farm bmc 53-56 ac-loss 100
becomes 54 on "AC comes back: previous, was on"
becomes 56 on "always on"
is "$(farm_stat 53 power) $(farm_stat 55 power)" "off off" "always off; previous, was off"
like "$(in_time 54 status restart-cause)" 'ac_failed=1.*restart_cause=7' "and it is told why"

# ---- identify, flags, boot ----

in_time 60 identify=2 >/dev/null
identify_is() { [[ $(in_time 60 status) != *identify_state* ]]; }
like "$(in_time 60 status)" 'identify_state=1' "identify for two seconds"
wait_until "$WAIT_S" identify_is
ok $? "ends by itself"
farm bmc 61 set overload=on interlock=on power-fault=on control-fault=on intrusion=on lockout=on drive-fault=on cooling-fault=on last-event=4
is "$(in_time 61 status | grep -oE '(overload|interlock|power_fault|power_control_fault|intrusion_active|lockout_active|drive_fault|fan_fault_detected|activated)=1' | wc -l)" 9 \
    "all fault flags"
farm bmc 61 set overload=off intrusion=off
unlike "$(in_time 61 status)" 'overload=1|intrusion_active' "one by one"
in_time 62 boot-set=1 control=1 >/dev/null
like "$(in_time 62 boot-get)" 'boot_device=1' "the boot flags"
unlike "$(in_time 62 boot-get)" 'flags_valid' "are used up by a boot"
is "$(farm_count 'bmc=62 boot=pxe')" 1 "which is from there"
in_time 63 boot-set=0x102 control=1 control=3 >/dev/null
is "$(farm_count 'bmc=63 boot=disk')" 2 "unless they are persistent"
in_time 64 boot-set=1 >/dev/null
like "$(in_time 64 boot-get)" 'flags_valid=1' "they are valid"
invalid() { [[ $(in_time 64 boot-get) != *flags_valid* ]]; }
wait_until "$WAIT_S" invalid
ok $? "for a while only when no Chassis Control comes"
tool 65 raw 0 8 3 8 >/dev/null
in_time 65 boot-set=1 >/dev/null
keep_until=$(($(tap_now_ms) + 2200))
later() { (($(tap_now_ms) >= keep_until)); }
wait_until "$WAIT_S" later
like "$(in_time 65 boot-get)" 'flags_valid=1' "or for ever, as parameter 3 says"

# ---- counting ----

farm totals reset >/dev/null
is "$(farm_total in) $(farm_total status-bmcs)" "0 0" "totals begin anew"
for number in 70 71 72; do in_time $number status status >/dev/null; done
is "$(farm_total status-bmcs) $(farm_total get-chassis-status) $(farm_total opened) $(farm_total closed)" "3 6 3 3" "polls and sessions are counted"
ok "$(awk -v ms="$(farm_total sweep-ms)" 'BEGIN { print (ms > 0 && ms < 10000) ? 0 : 1 }')" "and how long it took to all"
like "$(farm gaps)" '^gaps=3 .*largest=3 ' "gaps between polls"
like "$(farm_stat 70 polls) $(farm_stat 70 in)" '^2 [0-9]+$' "for each BMC too"
is "$(farm_total kernel-dropped) $(farm_total send-failed)" "0 0" "nothing was lost that was not ordered"
lab_stop farm
is "$LAB_STATUS" 0 "the farm ends cleanly"
done_testing
