#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# The master agent is killed a hundred times (forty with sanitizers) while two hundred jobs run and a manager walks: nothing is lost, everything is
# told, and nobody sees half a row.
# shellcheck disable=SC2119 # functions of the lab have optional arguments
set -u
# shellcheck source=tests/lab/lab.sh
. "$(dirname "$0")/../lab/lab.sh"
# shellcheck source=tests/integration/room.sh
. "$(dirname "$0")/room.sh"
lab_begin "$@"
# net-snmp 5.9.3 loses 110 octets when its master dies at certain moments; what is lost otherwise is still told.
printf 'leak:libnetsnmp.so\n' >"$LAB/etc/leaks" && chmod 644 "$LAB/etc/leaks"
export LSAN_OPTIONS="suppressions=$LAB/etc/leaks:print_suppressions=0${LSAN_OPTIONS:+:$LSAN_OPTIONS}"
lab_need smidump perl

kills=${MASTER_KILLS:-100}
# with sanitizers everything takes longer, and what they look for shows itself in fewer
[[ -n ${MASTER_KILLS:-} ]] || ! ldd "$PMSTACKD" | grep -q libasan || kills=40
machines=200

# ---- given: two hundred machines, half of them on ----

community=$(lab_random 8)
lab_secret "$LAB/etc/more.conf" "rwcommunity $community 127.0.0.1"
{ lab_snmptrapd && lab_snmpd --conf "$LAB/etc/more.conf"; } || bail_out "no master agent"
lab_farm --count $machines --do 'bmc all set cycle-time=600' || bail_out "no farm"
for ((i = 1; i <= machines; i++)); do ((i % 4 == 3)) || on+=${on:+,}$i; done
farm bmc "$on" power on
lab_agent_conf <<END
agent { name = "room"  poll-interval = 10s }
credentials "lab" { username = "$LAB_BMC_USER"  password-file = "$LAB_BMC_PASSWORD_FILE"  cipher-suites = { 3 } }
machine "m[001-$machines]" { off-methods = { "bmc-soft" }  bmc { address = "127.1.0.[1-$machines]"  credentials = "lab" } }
END
lab_agent || bail_out "no agent"
wait_until "$WAIT_S" value_is pmAgentMachinesUnknown.1 0
ok $? "all machines are known"
managers() { SMIPATH=$(lab_mib_directories) perl "$(dirname "$0")/master-kill.pl" "$1" "$LAB_SNMPD_ADDRESS" "$machines" "${@:2}" <<<"$community"; }

# ---- when: jobs are asked for and run, a manager walks, and snmpd is killed ----

touch "$LAB/run/walk"
managers walk >"$LAB/run/walked" &
walker=$!
managers ask "$kills" >"$LAB/run/asked" & # a second for each kill: that is how long the agent waits before it joins again
asker=$!
: >"$LAB/run/down"
connected() { log_count 'connected to the master agent'; }
served() { (($(connected) > before)); }
RANDOM=4
served_all=yes
for ((kill = 1; kill <= kills; kill++)); do
    sleep "0.$(printf '%03d' $((RANDOM % 100)))" # any moment
    before=$(connected)
    down=$EPOCHREALTIME
    lab_snmpd_kill
    lab_snmpd_start || bail_out "snmpd does not start"
    { wait_until "$WAIT_S" served && wait_until "$WAIT_S" lab_agent_serves; } || served_all="not after kill $kill"
    printf '%s %s\n' "$down" "$EPOCHREALTIME" >>"$LAB/run/down"
done
is "$served_all" yes "snmpd was killed $kills times, and the agent has joined it again each time"
wait "$asker"
ok $? "all jobs were asked for"
idle() { value_is pmAgentJobsActive.1 0 && value_is pmAgentNotifyPending.1 0; }
wait_until "$WAIT_S" idle
ok $? "all jobs end, and all notifications are taken"
rm "$LAB/run/walk"
wait "$walker"
ok $? "the walker ends"

# ---- then ----

managers told >"$LAB/run/told"
ok $? "what was told is compared with what happened"
report() {
    local outcome name detail
    while IFS=$'\t' read -r outcome name detail; do
        case $outcome in
        PASS) pass "$name" ;;
        FAIL) fail "$name" || diag "$detail" ;;
        COUNT) diag "$name: $detail" ;;
        esac
    done <"$1"
}
for part in asked walked told; do report "$LAB/run/$part"; done
is "$(log_count 'connected to the master agent') $(log_count 'Sanitizer|runtime error')" "$((kills + 1)) 0" "one line in the log for each time"
lab_agent_stop
is "$LAB_STATUS" 0 "the agent ends well"
done_testing
