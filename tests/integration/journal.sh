# shellcheck shell=bash
# SPDX-License-Identifier: GPL-3.0-or-later
# What the tests of jobs under bad conditions share: jobs begun, and the journal beside the tables. Sourced after
# jobs.sh.
# shellcheck disable=SC2154 # $answer is job_set's, $told told's

# go ROW ACTION [COLUMN=VALUE...]: a job for the machine itself, in one SET; silent when it is accepted.
go() {
    job_set operator "$1" RowStatus=createAndGo Action="$2" Scope=machine "${@:3}" >/dev/null && return
    fail "$2 as $1 is accepted"
    diag "$answer"
    return 1
}

# stands ROW STATE NAME: an assertion about what may take a moment.
stands() {
    wait_until "$WAIT_S" job_is "$1" State "$2"
    is "$(job_get "$1" State)" "$2" "$3" || diag "$(job_get "$1" ResultText)"
}

jobs_idle() { value_is pmAgentJobsActive.1 0; }
wait_jobs() { wait_until "${1:-$WAIT_S}" jobs_idle || fail "the jobs end"; }

# group_ends GROUP JOBS SUCCEEDED FAILED NAME: pmGroupFinished comes, once since trap_mark, with these numbers; left in
# $told.
group_ends() {
    told "pmGroupFinished.*pmNotifyGroupName.0 = $1"$'\t' "$5: its end is told"
    is "$(for object in Total Succeeded Failed; do trap_value "$told" "pmNotifyJobs$object.0" | cut -d' ' -f1; done | paste -sd' ')" \
        "$2 $3 $4" "$5: with jobs, successes and failures" || diag "$(trap_value "$told" pmNotifyText.0)"
    is "$(trap_count "pmGroupFinished.*pmNotifyGroupName.0 = $1"$'\t')" 1 "$5: once"
}

# A reader without the MIB, so that nothing is translated.
bare_reader() {
    install -d -m 700 "$LAB/snmp/bare"
    [[ -e $LAB/snmp/bare/snmp.conf ]] ||
        lab_secret "$LAB/snmp/bare/snmp.conf" "$(sed 's/^mibs .*/mibs :/' "$LAB/snmp/reader/snmp.conf")"
}

# walk_jobs: every row of pmJobTable and pmJobStepTable, texts in hexadecimal.
walk_jobs() {
    local table
    bare_reader
    for table in 6 7; do
        SNMPCONFPATH=$LAB/snmp/bare snmpbulkwalk -t 5 -r 1 -On -Ox -Cr20 "$LAB_SNMPD_ADDRESS" "$PM_ROOT_OID.1.$table"
    done | grep -v 'No more variables\|No Such Instance'
}

# journal_agrees: the tables are what a copy of the journal has. What differs is in run/differences.
journal_agrees() {
    walk_jobs >"$LAB/run/walk-before"
    rm -rf "$LAB/run/journal"
    cp -r "$LAB/state/pmstackd" "$LAB/run/journal"
    walk_jobs >"$LAB/run/walk-after"
    perl "$LAB_ROOT/tests/integration/journal-table.pl" "$LAB/run/journal/state.db" "$LAB/run"/walk-{before,after} \
        >"$LAB/run/differences" 2>"$LAB/run/compared"
}

# agrees NAME: an assertion; what is written a little later may take a moment.
agrees() {
    if wait_until 10 journal_agrees; then
        pass "$1 ($(<"$LAB/run/compared"))"
    else
        fail "$1"
        diag "$(head -n 20 "$LAB/run/differences" "$LAB/run/compared")"
    fi
}
