#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Rights on jobs by owner and by machine, with the very lines that docs/security.md shows: who may not, gets noAccess from
# snmpd, sees nothing of it in a walk, and nothing has happened.
# shellcheck disable=SC2119 # functions of the lab have optional arguments
set -u
# shellcheck source=tests/lab/lab.sh
. "$(dirname "$0")/../lab/lab.sh"
# shellcheck source=tests/integration/room.sh
. "$(dirname "$0")/room.sh"
# shellcheck source=tests/integration/jobs.sh
. "$(dirname "$0")/jobs.sh"
lab_begin "$@"

# ---- given: three machines, and the operators of the page ----

LAB_USERS+=(alice bob carol dave erin)
grep -E '^(view|group|access) +(alice|bob|carol|dave|erin|jobs|endjobs)' "$LAB_ROOT/docs/security.md" >"$LAB/etc/more.conf"
is "$(grep -c ^view "$LAB/etc/more.conf") $(grep -c ^group "$LAB/etc/more.conf") $(grep -c ^access "$LAB/etc/more.conf")" \
    "11 5 5" "the page has lines for five operators"
lab_snmptrapd
lab_snmpd --conf "$LAB/etc/more.conf" || bail_out "no master agent"
lab_raw_user alice
for name in web01 web02 web03; do lab_bmc "$name" || bail_out "no BMC"; done
lab_agent_conf <<END
agent { poll-interval = 2s }
credentials "lab" { username = "$LAB_BMC_USER"  password-file = "$LAB_BMC_PASSWORD_FILE"  cipher-suites = { 3 } }
machine "web01" { bmc { address = "$(bmc_address web01)"  credentials = "lab" } }
machine "web02" { bmc { address = "$(bmc_address web02)"  credentials = "lab" } }
machine "web03" { bmc { address = "$(bmc_address web03)"  credentials = "lab" } }
END
lab_agent -v || bail_out "no agent"
all_off() { state_is 1 off && state_is 2 off && state_is 3 off; }
wait_until "$WAIT_S" all_off
ok $? "three machines are off"

# ---- each operator on rows of their own ----

on=(RowStatus=createAndGo Action=powerOn Scope=machine)
later=("${on[@]}" Delay=600)
accepted "alice creates a job" alice 1/alice/night "${later[@]}" Label=hers
accepted "bob creates one on another machine" bob 2/bob/night "${later[@]}" Label=his
is "$(job_rows | paste -sd' ')" "1/alice/night 2/bob/night" "both are there"
like "$(snmp_as alice get 'pmJobState.1."alice"."night"' 2>&1)" ' scheduled$' "alice reads hers"
accepted "and gives it another label" alice 1/alice/night Label=mine

# ---- and what they may not ----

state_of_all() {
    job_rows
    for row in 1/alice/night 2/bob/night; do job_get "$row" State AdminStatus RowStatus Label; done
    for name in web01 web02 web03; do commands_of "$name"; done
    value pmAgentJobsStarted.1
    snmp_as reader walk pmEventText 2>/dev/null
}
before=$(state_of_all)

# denied NAME USER ROW COLUMN=VALUE...: noAccess.
denied() {
    local name=$1
    shift
    job_set "$@" >/dev/null
    [[ $answer =~ Reason:\ noAccess ]]
    ok $? "$name: noAccess" || diag "$answer"
}
nothing_happened() { is "$(state_of_all)" "$before" "$1: nothing has happened"; }

for user in alice bob carol; do
    [[ $user == alice ]] && own=1/alice/night other=2/bob/night || own=2/bob/night other=1/alice/night
    [[ $user != carol ]] || own=
    for row in 1/alice/night 2/bob/night; do
        [[ $row != "$own" ]] || continue
        denied "$user aborts $row" "$user" "$row" AdminStatus=disabled
        denied "$user destroys $row" "$user" "$row" RowStatus=destroy
        denied "$user renames $row" "$user" "$row" Label=mine
        like "$(snmp_as "$user" get "pmJobState.$(job_index "$row")" 2>&1)" "No Such" "$user does not see $row"
    done
    denied "$user creates a row of another operator" "$user" "3/$(cut -d/ -f2 <<<"$other")/new" "${on[@]}"
    denied "$user creates a row without an owner" "$user" 3//new "${on[@]}"
done
for owner in alic alice2 Alice bobalice alicf '*' x; do
    denied "alice creates a row of $owner" alice "3/$owner/new" "${on[@]}"
done
denied "carol creates a row on another machine" carol 2/carol/new "${on[@]}"
denied "bob creates a row of carol on her machine" bob 1/carol/new "${on[@]}"
like "$(snmp_as alice set 'pmJobRowStatus.3."alice"."new"' = createAndGo 'pmJobAction.3."alice"."new"' = powerOn \
    'pmJobRowStatus.2."bob"."night"' = destroy 2>&1)" noAccess "one of her own and one of another in one SET: noAccess"
for attempt in pmMachineCommand.1=powerOn pmMachineAdminState.1=on pmMachineInhibit.1=true pmAgentInhibit.1=true; do
    like "$(snmp_as alice set "${attempt%=*}" = "${attempt#*=}" 2>&1)" noAccess "alice sets ${attempt%=*}: noAccess"
done
# The length of the owner says five, what follows says otherwise.
for index in 3.5.97.108.105.99.102.1.120 3.5.353.108.105.99.101.1.120 3.4.97.108.105.99.101.1.120 3.0.5.97.108.105.99.101; do
    like "$(snmp_as raw-alice set "$PM_ROOT_OID.1.6.1.30.$index" i 4 "$PM_ROOT_OID.1.6.1.3.$index" i 2 2>&1)" noAccess \
        "alice creates a row with the index $index: noAccess"
done
nothing_happened "attempts on rows of others"

# ---- walks ----

accepted "carol creates a row on her machine" carol 1/carol/plan "${on[@]}" DryRun=true
accepted "alice two more" alice 2/alice/plan "${on[@]}" DryRun=true
accepted "" alice 3/alice/plan "${on[@]}" DryRun=true
accepted "bob one more" bob 3/bob/plan "${on[@]}" DryRun=true
is "$(job_rows alice | paste -sd' ')" "1/alice/night 2/alice/plan 3/alice/plan" "alice walks past the rows of others"
is "$(job_rows bob | paste -sd' ')" "2/bob/night 3/bob/plan" "and so does bob"
is "$(job_rows carol | paste -sd' ')" "1/carol/plan" "and carol"
is "$(job_rows dave | paste -sd' ')" "1/alice/night 1/carol/plan" "dave sees all of machine 1"
is "$(job_rows erin | wc -l)" 6 "erin sees all"
# rows_in TABLE USER: machine and owner of each row that a walk of all columns finds.
rows_in() {
    snmp_as "$2" bulkwalk -On "$PM_ROOT_OID" 2>/dev/null |
        perl -ne 'next unless /7747\.1\.'"$1"'\.1\.\d+\.(\d+)\.(\d+)\.([\d.]+) /;
            my @o = split /\./, $3; print "$1/", join("", map { chr } @o[0 .. $2 - 1]), "\n"' | sort -u | paste -sd' '
}
is "$(rows_in 6 alice)" "1/alice 2/alice 3/alice" "the same with GETBULK, over all columns"
is "$(rows_in 7 alice)" "1/alice 2/alice 3/alice" "and of the steps"
is "$(rows_in 7 bob)" "2/bob 3/bob" "also bob's"
is "$(rows_in 7 carol)" "1/carol" "and carol's"
is "$(rows_in 7 dave)" "1/alice 1/carol" "and dave's"
is "$(snmp_as alice bulkwalk -On "$PM_ROOT_OID" | grep -vcE "^${PM_ROOT_OID//./\\.}\.1\.[67]\.")" 0 "she sees nothing else"
like "$(snmp_as alice getnext -On "$PM_ROOT_OID.1.6.1.19.2.3.98.111.98" 2>&1)" \
    "^${PM_ROOT_OID//./\\.}\.1\.6\.1\.19\.2\.5\.97\.108\.105\.99\.101\.4\." "from a row of bob's she comes to the next of her own"

# ---- a machine's operator, and one who ends jobs ----

before=$(state_of_all)
denied "dave aborts a job of machine 2" dave 2/bob/night AdminStatus=disabled
denied "dave creates one there" dave 2/dave/new "${on[@]}"
denied "erin creates a job" erin 3/erin/new "${on[@]}"
denied "erin creates one bit by bit" erin 3/erin/new RowStatus=createAndWait
denied "erin destroys one" erin 2/bob/night RowStatus=destroy
denied "erin gives one a label" erin 2/bob/night Label=mine
like "$(job_set erin 3/erin/new AdminStatus=disabled)" inconsistentName "what erin may set creates nothing"
nothing_happened "attempts of dave and erin"

accepted "dave aborts the job of alice on machine 1" dave 1/alice/night AdminStatus=disabled
ends 1/alice/night aborted aborted "and it ends"
accepted "dave creates one there in his own name" dave 1/dave/now "${later[@]}"
accepted "dave destroys it" dave 1/dave/now RowStatus=destroy
wait_until "$WAIT_S" job_gone 1/dave/now
ok $? "and it is gone"
accepted "erin aborts the job of bob" erin 2/bob/night AdminStatus=disabled
ends 2/bob/night aborted aborted "and it ends"
is "$(commands_of web01),$(commands_of web02),$(commands_of web03)" ",," "no machine was told anything"

# ---- the rows of the simple verbs ----

put pmAgentJobMaxConcurrent.1 1 >/dev/null
machine_slow web03 2
accepted "alice's job runs" alice 3/alice/now "${on[@]}"
put pmMachineCommand.1 powerOn >/dev/null
mine=$(job_rows | grep ^1//)
like "$mine" '^1//set-[0-9]+$' "the operator's verb is a row without an owner"
denied "alice aborts it" alice "$mine" AdminStatus=disabled
denied "carol aborts it" carol "$mine" AdminStatus=disabled
job_set dave "$mine" RowStatus=destroy >/dev/null
ok $? "who may act on all of machine 1 may destroy it" || diag "$answer"
wait_until "$WAIT_S" job_gone "$mine"
ok $? "and it is gone"
machine_slow web03 0

# ---- their own, to the end ----

ends 3/alice/now succeeded ok "alice's own job is done"
unlike "$(commands_of web03 | sed 's/bmc set power 1//g')" "set" "by nothing but its own command"
accepted "alice destroys her rows" alice 3/alice/now RowStatus=destroy
accepted "also the aborted one" alice 1/alice/night RowStatus=destroy
is "$(job_rows alice | paste -sd' ')" "2/alice/plan 3/alice/plan" "they are gone"

lab_agent_stop
is "$LAB_STATUS" 0 "the agent ends well"
done_testing
