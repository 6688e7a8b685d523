#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# SETs of pmJobTable that are refused: each writable column with values that do not fit, indexes that cannot be, rows that are
# not there, and jobs that the machine has not what they need for; each with the right error, and its reason in the log.
# shellcheck disable=SC2119 # functions of the lab have optional arguments
set -u
# shellcheck source=tests/lab/lab.sh
. "$(dirname "$0")/../lab/lab.sh"
# shellcheck source=tests/integration/room.sh
. "$(dirname "$0")/room.sh"
# shellcheck source=tests/integration/jobs.sh
. "$(dirname "$0")/jobs.sh"
lab_begin "$@"
lab_need smidump perl
SMIPATH=$(lab_mib_directories)
export SMIPATH
perl "$LAB_ROOT/tests/integration/mib-writable.pl" "$LAB_ROOT/mib/PMSTACK-MIB.txt" pmJobTable >"$LAB/writable"
ok $? "the writable columns are known"

# ---- given ----
# 1 web01  BMC    2 bare   nothing    3 web03  BMC    4 nas1   a NIC, and one without a MAC address

lab_snmptrapd
lab_snmpd || bail_out "no master agent"
lab_raw_user operator
{ lab_bmc web01 && lab_bmc web03; } || bail_out "no BMC"
lab_segment lan
lab_agent_conf <<END
agent { poll-interval = 2s }
credentials "lab" { username = "$LAB_BMC_USER"  password-file = "$LAB_BMC_PASSWORD_FILE"  cipher-suites = { 3 } }
machine "web01" { bmc { address = "$(bmc_address web01)"  credentials = "lab" } }
machine "bare"  { }
machine "web03" { bmc { address = "$(bmc_address web03)"  credentials = "lab" } }
machine "nas1"  {
  nic "eth0" { mac = "02:00:00:00:00:11"  interface = "$(segment_interface lan)" }
  nic "eth1" { }
}
END
# A file system of its own, to be filled up below.
mkdir -p "$LAB/state/pmstackd"
mount -t tmpfs -o size=24m tmpfs "$LAB/state/pmstackd"
trap 'status=$?; umount --lazy "$LAB/state/pmstackd"; lab_end "$status"' EXIT
lab_agent -v || bail_out "no agent"
all_known() { state_is 1 off && state_is 3 off; }
wait_until "$WAIT_S" all_known
ok $? "the machines are known"
op=operator

# ---- a value that does not fit, in a row that is there and in one that is not ----

declare -A wrong_types=([i]='u:2 s:on' [u]='i:2 s:9' [s]='i:2 u:2')
octets() { printf 'x%.0s' $(seq "$1"); }
raw() {
    local error=$1 oid=$2 type=$3 value=$4
    log_mark
    answer=$(snmp_as raw-$op set "$oid" "$type" "$value" 2>&1)
    [[ $answer == *"Reason: $error"* ]] && logged "refused with $error: ."
    ok $? "$name $type $value: $error" || diag "$answer"
}
accepted "a row" $op 3/alice/draft RowStatus=createAndWait
draft=3.5.97.108.105.99.101.5.100.114.97.102.116 absent=3.5.97.108.105.99.101.3.110.101.119
while read -r name oid type values lengths; do
    for wrong in ${wrong_types[$type]}; do raw wrongType "$oid.$draft" "${wrong%%:*}" "${wrong#*:}"; done
    [[ $values == - ]] || for value in ${values//,/ }; do raw wrongValue "$oid.$draft" "$type" "$value"; done
    [[ $lengths == - ]] || for length in ${lengths//,/ }; do raw wrongLength "$oid.$draft" s "$(octets "$length")"; done
    raw wrongType "$oid.$absent" o .1.3
done <"$LAB/writable"
name=pmJobLabel
label=$(awk '$1 == "pmJobLabel" { print $2 }' "$LAB/writable")
raw wrongValue "$label.$draft" x 610062
raw wrongValue "$label.$draft" x c328
raw wrongValue "$label.$draft" s $'a\nb'
# Before anything that is wrong with the row: RFC 3416, 4.2.5.
raw wrongLength "$label.99.1.97.1.98" s "$(octets 65)"
is "$(job_rows | paste -sd' ')" "3/alice/draft" "no row has come of it"

# ---- an index that cannot be; a row that is not there ----

status=${PM_ROOT_OID}.1.6.1.30
name="no machine" && for index in 99 0 4294967295; do raw noCreation "$status.$index.1.97.1.98" i 5; done
name="no index" && for index in 1 1.1 1.1.97 1.1.97.0 1.1.97.1.98.0 1.1.97.2.98 1.2.97.1.98 1.1.256.1.98 1.1.97.1.0 1.1.10.1.98 \
    1.1.195.1.98 "1.33$(printf '.97%.0s' {1..33}).1.98" "1.1.97.33$(printf '.98%.0s' {1..33})"; do
    raw noCreation "$status.$index" i 5
done
why="owner of zero length" refused inconsistentName "a row without an owner" $op 1//mine RowStatus=createAndGo Action=powerOff
why="no such job" refused inconsistentName "a column of no row" $op 1/alice/none Action=powerOff
refused inconsistentName "the admin status of no row" $op 1/alice/none AdminStatus=disabled
for status in active notInService; do
    why="no such job" refused inconsistentValue "$status of no row" $op 1/alice/none RowStatus=$status
done
accepted "destroy of no row" $op 1/alice/none RowStatus=destroy
refused noCreation "destroy on no machine" $op 99/alice/none RowStatus=destroy
name="read-only" && for column in 1 2 19 20 21 22 23 24 25 26 27 31; do
    raw notWritable "$PM_ROOT_OID.1.6.1.$column.1.5.97.108.105.99.101.2.111.110" i 1
done
long=$(octets 32)
accepted "the longest owner and name" $op "3/$long/$long" RowStatus=createAndWait
is "$(job_get "3/$long/$long" RowStatus)" notReady "are a row"
accepted "others of all kinds" $op '3/a.b c/ü!*' RowStatus=createAndWait
is "$(job_get '3/a.b c/ü!*' RowStatus)" notReady "too"
accepted "both go in one SET with the draft" $op "3/$long/$long" RowStatus=destroy
job_set $op '3/a.b c/ü!*' RowStatus=destroy >/dev/null
job_set $op 3/alice/draft RowStatus=destroy >/dev/null
is "$(job_rows | paste -sd' ')" "" "nothing is left"

# ---- what the machine lacks ----

create=(RowStatus=createAndGo Action=shutdown Scope=machine)
for verb in shutdown powerOff reboot cycle reset; do
    why="set pmJobScope to machine" refused inconsistentValue "$verb of a stack that is not there" \
        $op 1/alice/new RowStatus=createAndGo Action=$verb
done
for verb in suspend hibernate init armWol; do
    refused inconsistentValue "$verb without a host" $op 1/alice/new RowStatus=createAndGo Action=$verb Scope=machine
done
why=MAC refused inconsistentValue "wake without a NIC" $op 1/alice/new RowStatus=createAndGo Action=wake
refused inconsistentValue "a NIC that is not there" $op 4/alice/new RowStatus=createAndGo Action=wake Nic=7
refused inconsistentValue "a NIC without a MAC address" $op 4/alice/new RowStatus=createAndGo Action=wake Nic=2
why=bmc refused inconsistentValue "powerOff without a BMC" $op 4/alice/new RowStatus=createAndGo Action=powerOff Scope=machine
refused inconsistentValue "a VM that is not there" $op 1/alice/new "${create[@]}" Vm=1
refused inconsistentValue "arming without a host" $op 1/alice/new "${create[@]}" ArmWol=true
why=pmJobAction refused inconsistentValue "no action" $op 1/alice/new RowStatus=createAndGo
put pmMachineInhibit.3 true pmMachineInhibitReason.3 "fan exchange" >/dev/null
why="fan exchange" refused inconsistentValue "an inhibited machine" $op 3/alice/new RowStatus=createAndGo Action=powerOn
accepted "a dry run of it" $op 3/alice/dry RowStatus=createAndGo Action=cycle Scope=machine DryRun=true
ends 3/alice/dry succeeded ok "plans"
put pmMachineInhibit.3 false pmMachineInhibitReason.3 "" pmAgentInhibit.1 true >/dev/null
why=pmAgentInhibit refused inconsistentValue "an inhibited agent" $op 3/alice/new RowStatus=createAndGo Action=powerOn
put pmAgentInhibit.1 false >/dev/null
is "$(job_rows | paste -sd' ')" "3/alice/dry" "no row has come of any of them"
is "$(commands_of web01),$(commands_of web03)" "," "and nothing was told to a machine"

# ---- the journal cannot be written ----

accepted "a job that waits" $op 3/alice/waits RowStatus=createAndGo Action=powerOn Delay=600
accepted "a draft" $op 1/alice/draft RowStatus=createAndWait Action=identify
rows_now() { job_rows && for row in 3/alice/waits 1/alice/draft; do job_get $row State Label AdminStatus RowStatus Action; done; }
before=$(rows_now)
dd if=/dev/zero of="$LAB/state/pmstackd/full" bs=4k 2>/dev/null
refused commitFailed "a new job" $op 1/alice/new RowStatus=createAndGo Action=powerOn
refused commitFailed "a new draft" $op 1/alice/new RowStatus=createAndWait
refused commitFailed "activating one" $op 1/alice/draft RowStatus=active
refused commitFailed "changing one" $op 1/alice/draft Action=powerOn
refused commitFailed "destroying one" $op 1/alice/draft RowStatus=destroy
refused commitFailed "aborting a job" $op 3/alice/waits AdminStatus=disabled
refused commitFailed "destroying it" $op 3/alice/waits RowStatus=destroy
refused commitFailed "its label" $op 3/alice/waits Label=new
is "$(rows_now)" "$before" "all rows are as before"
rm "$LAB/state/pmstackd/full"
accepted "with room again a job is aborted" $op 3/alice/waits AdminStatus=disabled
ends 3/alice/waits aborted aborted "and ends"
accepted "and a draft activated" $op 1/alice/draft RowStatus=active
ends 1/alice/draft succeeded ok "and done"

# ---- as many drafts as there may be ----

# drafts FIRST LAST: in one SET, on the machine that has nothing; names are numbers of five digits.
drafts() {
    local number arguments=()
    for ((number = $1; number <= $2; number++)); do
        arguments+=("$status.2.1.100.5.$((48 + number / 10000)).$((48 + number / 1000 % 10)).$((48 + number / 100 % 10)).$((
            48 + number / 10 % 10)).$((48 + number % 10))" i 5)
    done
    answer=$(snmp_as raw-$op set "${arguments[@]}" 2>&1)
}
status=$PM_ROOT_OID.1.6.1.30
created=0
for ((first = 10000; first < 20000; first += 125)); do
    drafts "$first" $((first + 124)) && created=$((created + 125))
done
is "$created" 10000 "ten thousand, 125 in a SET"
why="10000 rows wait already" refused resourceUnavailable "one more" $op 1/alice/more RowStatus=createAndWait
why="10000 rows wait already" refused resourceUnavailable "nor one that is not to begin" \
    $op 1/alice/more RowStatus=createAndGo Action=identify AdminStatus=disabled
accepted "a job is no draft" $op 1/alice/more RowStatus=createAndGo Action=identify
is "$(job_rows | grep -c ^2/d/)" 10000 "a walk finds them all"
accepted "one of them goes" $op 2/d/12345 RowStatus=destroy
accepted "and makes room" $op 3/alice/more RowStatus=createAndWait

lab_agent_stop
is "$LAB_STATUS" 0 "the agent ends well"
done_testing
