#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# The IPMI engine against ipmi_sim, with FreeIPMI's own client, ipmitool and the machines themselves as witnesses.
set -u

# shellcheck source=tests/lab/lab.sh
. "$(dirname "$0")/../lab/lab.sh"
PROGRAMS=${PM_TEST_BIN:-$LAB_ROOT/build/tests}
lab_begin "$@"

client() { timeout 60 "$PROGRAMS/ipmi_client" -P "$LAB_BMC_PASSWORD_FILE" "$@"; }
without_time() { sed 's/ ms=.*//'; }
without_average() { sed 's/ average=[0-9]*//'; }

# value LINE NAME: of NAME=VALUE
value() {
    local found=${1#* "$2"=}
    printf '%s' "${found%% *}"
}

lab_bmc b1
b1=$(cat "$LAB/machine/b1/address")
b1_host=$(bmc_address b1)

# ---- the same answers as FreeIPMI's blocking client ----

oracle() { timeout 60 "$PROGRAMS/ipmi_oracle" "$1" "$LAB_BMC_PASSWORD_FILE" "${@:2}"; }
steps=(status on status boot poh power policy=1 diag)
for how in 3 1.5; do
    version=2.0
    [[ $how == 1.5 ]] && version=1.5
    machine_power b1 off
    wait_until 5 machine_is_off b1
    by_oracle=$(oracle $how "$b1_host" "${steps[@]}")
    machine_power b1 off
    wait_until 5 machine_is_off b1
    by_engine=$(client -V $version "$b1" "${steps[@]}" | without_time)
    is "$by_engine" "$by_oracle" "every field and completion code is what FreeIPMI's client reads by IPMI $version"
    like "$by_oracle" 'status: ok power=0.*status: ok power=1' "the power state changed in between"
done

# ---- controls and their effect ----

machine_power b1 off
wait_until 5 machine_is_off b1
boots=$(machine_boots b1)
like "$(client "$b1" once:on status)" 'on: ok.*power=1' "power up"
is "$(machine_boots b1)" $((boots + 1)) "boots the machine"
like "$(client "$b1" once:reset status)" 'reset: ok.*power=1' "hard reset"
is "$(machine_boots b1)" $((boots + 2)) "boots it again"
like "$(client "$b1" once:cycle)" 'cycle: ok' "power cycle"
booted_thrice() { (($(machine_boots b1) == boots + 3)) && machine_is_on b1; }
ok "$(wait_until 10 booted_thrice; echo $?)" "boots it again, a little later"
like "$(client "$b1" once:off status)" 'off: ok.*power=0' "power down"
ok "$(wait_until 5 machine_is_off b1; echo $?)" "ends the machine"
like "$(client "$b1" once:on once:soft)" 'on: ok.*soft: ok' "soft shutdown"
ok "$(wait_until 5 machine_is_off b1; echo $?)" "lets the machine end itself"
is "$(machine_count b1 'bmc set (reset 1|shutdown 1)')" 2 "each was executed once"
like "$(client "$b1" once:diag)" 'diag: rejected code=0xCC .*refused Chassis Control \(diagnostic interrupt\)' \
    "a control that the BMC does not have is refused with its completion code"
like "$(client "$b1" identify=15)" 'identify=15: ok' "identify"
is "$(cat "$LAB/machine/b1/identify")" "15 0" "and the chassis got the interval"

# ---- sessions ----

out=$(client "$b1" status stats status status status stats)
first=$(sed -n 2p <<<"$out")
last=$(sed -n 6p <<<"$out")
is "$(value "$last" sessions)" 1 "one session for four polls"
is "$(($(value "$last" requests) - $(value "$first" requests)))" 3 "a poll on a kept session is one request"
is "$(value "$last" retransmits)" 0 "nothing was sent twice"

: >"$LAB/out"
client "$b1" status wait="$LAB/restarted" status stats >"$LAB/out" &
client_pid=$!
wait_until 5 grep -q ok "$LAB/out"
bmc_kill b1
bmc_start b1
touch "$LAB/restarted"
wait "$client_pid"
is "$(grep -c '^status: ok' "$LAB/out")" 2 "a BMC that was restarted is asked again without an error"
is "$(value "$(grep stats "$LAB/out")" sessions)" 2 "by a second session"

client -t 1200 "$b1" status touch="$LAB/asked" wait="$LAB/stopped" status touch="$LAB/timed-out" wait="$LAB/continued" \
    status stats >"$LAB/out" &
client_pid=$!
wait_until 5 test -e "$LAB/asked"
bmc_silence b1
touch "$LAB/stopped"
wait_until 10 test -e "$LAB/timed-out"
bmc_resume b1
touch "$LAB/continued"
wait "$client_pid"
like "$(sed -n 2p "$LAB/out")" 'status: unreachable .*did not answer .*within 1.2 s' \
    "a BMC that hangs, and answers nothing to a new session either, is unreachable"
like "$(sed -n 3p "$LAB/out")" 'status: ok' "and answers again when it goes on"

# ---- IPMI 1.5 ----

old() { client -V 1.5 "$@"; }
out=$(old -n lab01 "$b1" status stats status status once:on status stats)
is "$(grep -c ': ok' <<<"$out")" 5 "polls and a control by IPMI 1.5"
first=$(grep stats <<<"$out" | sed -n 1p)
last=$(grep stats <<<"$out" | sed -n 2p)
like "$last" ' version=1.5 ' "and the BMC is known to speak it"
is "$(value "$first" requests) $(value "$last" sessions)" "5 1" "by one session, which five requests set up and used"
is "$(value "$last" retransmits) $(value "$last" bad)" "0 0" "nothing was sent twice, and no answer was dropped"
is "$(($(value "$last" requests) - $(value "$first" requests)))" 6 \
    "a poll is one request; the level is raised for the control and lowered after it"

rm -f "$LAB"/{asked,restarted}
old "$b1" status touch="$LAB/asked" wait="$LAB/restarted" status stats >"$LAB/out" &
client_pid=$!
wait_until 5 test -e "$LAB/asked"
bmc_kill b1
bmc_start b1
touch "$LAB/restarted"
wait "$client_pid"
is "$(grep -c '^status: ok' "$LAB/out")" 2 "a BMC that was restarted is asked again without an error"
is "$(value "$(grep stats "$LAB/out")" sessions)" 2 "by a second session"

printf 'not-it' >"$LAB/etc/wrong"
like "$(old -t 1500 -P "$LAB/etc/wrong" "$b1" status)" 'timeout .*did not answer Activate Session .*silent to a wrong password \(user "admin"\)' \
    "ipmi_sim is silent about a wrong password, and the text says where to look"
like "$(old -u nobody "$b1" status)" 'authentication failed .*0x81: it does not know the user' "unknown user"
like "$(old -u '' "$b1" status)" 'authentication failed .*0x82: its user without a name is not enabled' "no user name"
for level in 2 3 4; do
    like "$(old -l $level "$b1" status)" '^status: ok' "privilege level $level"
done
like "$(old -l 2 -n lab01 "$b1" on)" 'authentication failed .*lab01: BMC .*set privilege = "operator"' \
    "a control needs level operator"
lab_bmc longest --password 0123456789abcdef
printf 0123456789abcdef >"$LAB/etc/longest"
longest=$(cat "$LAB/machine/longest/address")
like "$(old -P "$LAB/etc/longest" "$longest" status)" '^status: ok' "a password of 16 octets"

# ---- refusals ----

out=$(client -P "$LAB/etc/wrong" "$b1" status)
like "$out" 'authentication failed.*password wrong for user "admin"' "wrong password"
ok "$(($(value "$out" ms) < 1000 ? 0 : 1))" "is known quickly ($(value "$out" ms) ms)"
like "$(client -u nobody "$b1" status)" 'authentication failed.*does not know user "nobody"' "unknown user"
like "$(client -C 17 "$b1" status)" 'unsupported .*cipher suite 17' "a cipher suite that the BMC does not have"
out=$(client -C 17,3 "$b1" status stats)
is "$(value "$(tail -n 1 <<<"$out")" suite)" 3 "the next configured cipher suite is used"
for suite in 0 1 2 3; do
    like "$(client -C $suite "$b1" status)" '^status: ok' "cipher suite $suite"
done

lab_bmc keyed --kg kgkey123
keyed=$(cat "$LAB/machine/keyed/address")
printf kgkey123 >"$LAB/etc/kg"
printf kgkey124 >"$LAB/etc/kg-wrong"
like "$(client -k "$LAB/etc/kg" "$keyed" status)" '^status: ok' "right K_g"
like "$(client -k "$LAB/etc/kg-wrong" "$keyed" status)" 'authentication failed.*K_g' "wrong K_g"
like "$(client "$keyed" status)" 'authentication failed.*K_g' "missing K_g"

# ---- nobody there ----

like "$(client -t 800 127.0.9.9:623 status)" 'unreachable .*within 0.8 s: connection refused by host' "closed port"
like "$(client -t 800 no-such-host.invalid status)" 'unreachable .*does not resolve' "a name that does not resolve"

# ---- momentary commands are executed at most once ----

before=$(machine_count b1 'bmc set reset')
machine_power b1 on
machine_slow b1 2
out=$(client -t 900 "$b1" once:reset)
machine_slow b1 0
like "$out" 'once:reset: timeout' "the answer of a slow chassis comes too late"
wait_until 10 grep -q ok <(client -t 8000 "$b1" status)
is "$(($(machine_count b1 'bmc set reset') - before))" 1 "the reset was executed exactly once"

# ---- cipher suites that ipmi_sim does not have: simulated BMCs, which bmcfarm.t lets FreeIPMI and ipmitool judge ----

lab_farm --port 9200 --suites 0,1,2,3,6,7,8,11,12,15,16,17 || bail_out "no farm"
for suite in 0 1 2 3 6 7 8 11 12 15 16 17; do
    like "$(client -C "$suite" "127.1.0.$((suite + 1)):9200" once:on status)" 'once:on: ok.*status: ok power=1' \
        "simulated BMC, cipher suite $suite"
    is "$(farm_count "bmc=$((suite + 1)) chassis-control=power-up power=off:on")" 1 "did it once"
done
lab_stop farm

# ---- simulated BMCs: what ipmi_sim does not have, with FreeIPMI's client as the oracle ----

LAB_FARM_PORT=$(lab_port 6230)
lab_farm --count 20 --suites 3,8,17
farm bmc all set watts=321 watts-off=12 poh=12345 policy=previous intrusion=on drive-fault=on last-event=16 >/dev/null
steps=(status on status boot poh power policy=1 status diag)
for suite in 3 8 17 1.5; do
    farm bmc all power off >/dev/null
    version=2.0
    [[ $suite == 1.5 ]] && version=1.5
    by_oracle=$(oracle $suite "127.1.0.1:$LAB_FARM_PORT" "${steps[@]}")
    farm bmc all power off >/dev/null
    farm bmc all set policy=previous >/dev/null
    by_engine=$(client -V $version -C "$suite" "127.1.0.2:$LAB_FARM_PORT" "${steps[@]}" | without_time)
    # what a BMC has measured since it began depends on when it was switched
    is "$(without_average <<<"$by_engine")" "$(without_average <<<"$by_oracle")" \
        "every answer is what FreeIPMI's client reads with $([[ $suite == 1.5 ]] && echo IPMI 1.5 || echo cipher suite "$suite")"
    like "$by_engine" 'status: ok power=0 .*intrusion=1 .*drive=1 .*policy=1.*power: ok watts=321 min=8 max=321 .*active=1' "and is right"
    like "$by_engine" 'poh: ok hours=12345' "hours, too"
done

# farm_client NUMBER [OPTION...] STEP...
farm_client() {
    local number=$1 options=()
    shift
    while [[ $1 == -* ]]; do options+=("$1" "$2") && shift 2; done
    client "${options[@]}" "127.1.0.$number:$LAB_FARM_PORT" "$@"
}
farm bmc 3 code dcmi-get-power-reading=0xc1 >/dev/null
like "$(farm_client 3 -n lab03 power)" 'rejected code=0xC1 .*does not speak DCMI: do without power readings' "a BMC without DCMI"
farm bmc 4 full on >/dev/null
like "$(farm_client 4 -t 1500 status)" 'sessions exhausted .*has no free session' "no free session, and none comes"
before=$(farm_total refused)
farm_client 4 -t 8000 touch="$LAB/waiting" status >"$LAB/out" &
client_pid=$!
wait_until 5 test -e "$LAB/waiting"
refused_twice() { (($(farm_total refused) >= before + 2)); }
wait_until 8 refused_twice
farm bmc 4 full off >/dev/null
wait "$client_pid"
like "$(cat "$LAB/out")" 'status: ok' "one that becomes free in time is taken"
farm bmc 5 busy 3 >/dev/null
like "$(farm_client 5 status)" 'status: ok' "a busy BMC is asked again"
farm bmc 6 silent-suite 17 >/dev/null
like "$(farm_client 6 -C 17,3 status stats)" 'status: ok.*suite=3 ' "silence about the best suite: the next one"
farm bmc 10 set dedup=yes >/dev/null
farm bmc 10 fault loss=30 >/dev/null
like "$(farm_client 10 -t 30000 on status)" 'on: ok.*status: ok power=1' "a third of all packets lost"
is "$(farm_count 'bmc=10 chassis-control=power-up .*duplicate=no')" 1 "and the command took effect once"
farm_client 8 -C 17 status >/dev/null
is "$(farm_stat 8 sessions)" 0 "the session is closed at the end"

# ---- a crowd ----

addresses=()
for i in $(seq 40); do
    lab_bmc "crowd$i"
    addresses+=("$(cat "$LAB/machine/crowd$i/address")")
done
out=$(timeout 60 "$PROGRAMS/ipmi_crowd" "$LAB_BMC_PASSWORD_FILE" 3 10000 "${addresses[@]}")
is "$(grep -c 'ok=40 of 40' <<<"$out")" 3 "40 BMCs at once, three times"
is "$(value "$(grep total <<<"$out")" sessions)" 40 "by 40 sessions"
dead=()
for i in $(seq 200); do dead+=("127.3.0.$i:623"); done
out=$(timeout 60 "$PROGRAMS/ipmi_crowd" "$LAB_BMC_PASSWORD_FILE" 1 1500 "${addresses[@]}" "${dead[@]}")
like "$out" 'ok=40 of 240 ms=[1-9]...' "200 dead ones beside them end at their deadline and hold up nobody"
note "$out"

done_testing
