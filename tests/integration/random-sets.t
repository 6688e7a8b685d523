#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Ten thousand random SETs by several managers at once. Every answer is what docs/mib.md prescribes (random_model.h), and
# what the tables tell afterwards is what the journal has. PM_SEED asks for the same again; PM_SETS is how many.
# shellcheck disable=SC2119 # functions of the lab have optional arguments
set -u
# shellcheck source=tests/lab/lab.sh
. "$(dirname "$0")/../lab/lab.sh"
# shellcheck source=tests/integration/room.sh
. "$(dirname "$0")/room.sh"
# shellcheck source=tests/integration/jobs.sh
. "$(dirname "$0")/jobs.sh"
# shellcheck source=tests/integration/journal.sh
. "$(dirname "$0")/journal.sh"
lab_begin "$@"
lab_need sqlite3 smidump perl

seed=${PM_SEED:-$(od -An -N3 -tu4 /dev/urandom | tr -d ' ')}
sets=${PM_SETS:-10000}
managers=12
kinds=6 # machines of a manager: good, dead, sleeper, bare, stacked, hosted
machines=$(((managers + 1) * kinds))
program=${PM_TEST_BIN:-$LAB_ROOT/build/tests}/random_sets
[[ -x $program ]] || bail_out "$program is missing"

# ---- the program knows every object that can be written ----

SMIPATH=$(lab_mib_directories)
export SMIPATH
perl "$LAB_ROOT/tests/integration/mib-writable.pl" "$LAB_ROOT/mib/PMSTACK-MIB.txt" \
    pmAgentTable pmMachineTable pmNicTable pmBmcTable pmVmTable pmJobTable pmGroupTable | cut -d' ' -f1 | sort >"$LAB/writable"
is "$("$program" objects | sort)" "$(<"$LAB/writable")" "every object of the MIB that can be written is asked for"

# ---- given: for each manager six machines of different kinds, in one group ----

lab_snmpd || bail_out "no master agent"
lab_farm --count "$machines" --do 'bmc all set on-time=200 soft-time=300 cycle-time=300' || bail_out "no farm"
bmc() { printf 'bmc { address = "127.1.0.%d"  port = %d  credentials = "lab"  timeout = 2s }' "$1" "$LAB_FARM_PORT"; }
machine() { printf 'machine "m%03d" { off-timeout = 3s  %s }\n' "$1" "$2"; }
conf() {
    local first number
    printf 'agent { name = "room"  poll-interval = 5s }\n'
    printf 'credentials "lab" { username = "%s"  password-file = "%s" }\n' "$LAB_BMC_USER" "$LAB_BMC_PASSWORD_FILE"
    for ((first = 1; first <= machines; first += kinds)); do
        machine "$first" "on-timeout = 3s  $(bmc "$first")"
        machine $((first + 1)) "on-timeout = 1h  $(bmc $((first + 1)))"
        machine $((first + 2)) "on-timeout = 2s  nic \"eth0\" { mac = \"02:00:5e:60:00:$(printf %02x "$first")\"  wol = \"udp\"  address = \"127.0.0.1\" }"
        machine $((first + 3)) ''
        machine $((first + 4)) "on-timeout = 3s  $(bmc $((first + 4)))  stack { uri = \"qemu+tcp://127.0.9.$first/system\"  connect-timeout = 2s }"
        machine $((first + 5)) "host { local = true  socket = \"$LAB/run/nobody-$first.sock\" }"
        number=$((first / kinds + 1))
        ((number <= managers)) && number=g$number || number=shared
        printf 'group "%s" { members = { "m[%03d-%03d]" } }\n' "$number" "$first" $((first + kinds - 1))
    done
}
for ((number = 2; number <= machines; number += kinds)); do farm "bmc $number dead on" >/dev/null; done
# In memory: what a disk does under load is another matter.
mkdir -p "$LAB/state/pmstackd"
mount -t tmpfs -o size=200m tmpfs "$LAB/state/pmstackd" || bail_out "no file system"
trap 'status=$?; umount --lazy "$LAB/state/pmstackd"; lab_end "$status"' EXIT
conf | lab_agent_conf
lab_agent -v || bail_out "no agent"
wait_until "$WAIT_S" state_is 1 off
ok $? "the machines are known"
pid=$(lab_pid pmstackd)

# ---- ten thousand ----

start_ms=$(tap_now_ms)
SNMPCONFPATH=$LAB/snmp/operator "$program" "$LAB_SNMPD_ADDRESS" run "$seed" "$sets" "$managers" "$LAB/run/asked" \
    >"$LAB/run/total" 2>"$LAB/run/wrong"
ok $? "every answer came, and was right" || diag "PM_SEED=$seed" "$(head -c 20000 "$LAB/run/wrong")"
note "$(<"$LAB/run/total")"
note "$(($(tap_now_ms) - start_ms)) ms"
for error in noError wrongType wrongLength wrongValue noCreation inconsistentValue notWritable inconsistentName; do
    grep -q "^$error " "$LAB/run/total"
    ok $? "some were answered with $error"
done
like "$(<"$LAB/run/total")" "$sets SETs .*, 0 wrong" "all of them were asked for"

# ---- afterwards ----

is "$(lab_pid pmstackd)" "$pid" "the agent lives"
agrees "while jobs are active still, the journal has what the tables tell"
for ((number = 2; number <= machines; number += kinds)); do farm "bmc $number dead off" >/dev/null; done
put pmAgentInhibit.1 false pmAgentNotifyEnable.1 true pmAgentJobMaxConcurrent.1 64 >/dev/null
SNMPCONFPATH=$LAB/snmp/operator "$program" "$LAB_SNMPD_ADDRESS" finish "$machines"
ok $? "every job that was active can be aborted"
wait_jobs 60
agrees "and the journal has that, too"
db() { sqlite3 "$LAB/state/pmstackd/state.db" "$1"; }
walk_jobs | sort >"$LAB/run/before"
isnt "$(wc -l <"$LAB/run/before")" 0 "there are rows"
is "$(log_count 'internal|nternalError|assert|can not be stored|still in the store')" 0 "no line of the log tells of something that must not be" ||
    diag "$(grep -E 'internal|nternalError|assert|can not be stored|still in the store' "$LAB/log/pmstackd.log" | head -n 5)"
lab_agent_stop
is "$LAB_STATUS" 0 "the agent ends well, and has lost no memory" || diag "$(grep -A 30 -m 1 Sanitizer "$LAB/log/pmstackd.log")"
is "$(db 'pragma integrity_check')" ok "the journal is whole"
is "$(db 'select count(*) from step where job not in (select id from job)')" 0 "no step is without its job"
lab_agent -v || bail_out "no agent"
walk_jobs | sort >"$LAB/run/after"
# Rows whose time has come meanwhile are gone; none is new, and none has changed.
is "$(comm -13 "$LAB/run/before" "$LAB/run/after" | head -n 5)" "" "after a restart the rows are the same"
agrees "and are what the journal has"
lab_agent_stop
is "$LAB_STATUS" 0 "the agent ends well"
done_testing
