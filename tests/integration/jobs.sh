# shellcheck shell=bash
# SPDX-License-Identifier: GPL-3.0-or-later
# What the tests of pmJobTable share: its rows as a manager writes and reads them. Sourced after lab.sh and room.sh.

# A row is told as MACHINE/OWNER/NAME: 1/alice/night. job_index ROW: its instance.
job_index() { printf '%s."%s"."%s"' "${1%%/*}" "$(cut -d/ -f2 <<<"$1")" "$(cut -d/ -f3- <<<"$1")"; }

# job_set USER ROW COLUMN=VALUE...: in one SET, the columns without pmJob; prints what snmpset says, which is left in
# $answer, too.
job_set() {
    local user=$1 index assignment status arguments=()
    index=$(job_index "$2")
    shift 2
    for assignment; do arguments+=("pmJob${assignment%%=*}.$index" "=" "${assignment#*=}"); done
    answer=$(snmp_as "$user" set "${arguments[@]}" 2>&1)
    status=$?
    printf '%s\n' "$answer"
    return "$status"
}

# job_get ROW COLUMN...: as the reader, values without units, parted by blanks.
job_get() {
    local index column arguments=()
    index=$(job_index "$1")
    shift
    for column; do arguments+=("pmJob$column.$index"); done
    snmp_as reader get -OvU "${arguments[@]}" 2>/dev/null | paste -sd' '
}
job_is() { [[ $(job_get "$1" "$2") == "$3" ]]; }
job_exists() { [[ -n $(job_get "$1" State) && $(job_get "$1" State) != "No Such"* ]]; }
job_gone() { ! job_exists "$1"; }
job_ended() { [[ $(job_get "$1" State) =~ ^(succeeded|failed|aborted|timedOut|interrupted)$ ]]; }

# accepted NAME USER ROW COLUMN=VALUE...: an assertion.
accepted() {
    local name=$1
    shift
    job_set "$@" >/dev/null
    ok $? "$name" || diag "$answer"
}

# refused ERROR NAME USER ROW COLUMN=VALUE...: with that error, and one line in the log with a reason; $why: part of it.
refused() {
    local error=$1 name=$2 reason='' lines
    shift 2
    log_mark
    job_set "$@" >/dev/null
    [[ $answer =~ Reason:\ ([A-Za-z]+) ]] && reason=${BASH_REMATCH[1]}
    lines=$(log_lines | grep "SET of .* refused with $error: .")
    if [[ $reason == "$error" && -n $lines && $lines == *"${why:-}"* ]]; then
        pass "$name: $error${why:+, $why}"
    else
        fail "$name: $error, and the log says why${why:+: $why}" || diag "$answer"$'\n'"$(log_lines | tail -n 2)"
    fi
}

# ends ROW STATE RESULT NAME: an assertion about what may take a moment.
ends() {
    wait_until "$WAIT_S" job_ended "$1"
    is "$(job_get "$1" State Result)" "$2 $3" "$4" || diag "$(job_get "$1" ResultText)"
}

# job_rows [USER]: all rows of pmJobTable, as MACHINE/OWNER/NAME, in the order of a walk.
job_rows() {
    snmp_as "${1:-reader}" walk -On pmJobState 2>/dev/null |
        perl -ne 'next unless /\.1\.6\.1\.19\.([\d.]+) /;
            my ($machine, @rest) = split /\./, $1;
            my @texts = map { my $n = shift @rest; join "", map { chr } splice @rest, 0, $n } 1, 2;
            print join("/", $machine, @texts), "\n"'
}

# job_steps ROW COLUMN...: of each step a line of values, parted by blanks.
job_steps() {
    local index column row=$1
    index=$(job_index "$row")
    shift
    for column; do snmp_as reader walk -OvU "pmJobStep$column.$index" 2>/dev/null >"$LAB/steps.$column"; done
    (cd "$LAB" && paste -d' ' "${@/#/steps.}")
}
