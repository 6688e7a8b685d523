# shellcheck shell=bash
# SPDX-License-Identifier: GPL-3.0-or-later
# A small TAP producer for bash tests run by prove(1); source it, assert, and end with done_testing.
#
#   ok RC NAME               passes when RC is 0:  some_command; ok $? "it worked"
#   is GOT WANT NAME         equal strings             isnt GOT UNWANTED NAME
#   like GOT REGEX NAME      extended regex matches    unlike GOT REGEX NAME
#   pass NAME / fail NAME    outcome already known
#   diag TEXT...             a remark on standard error
#   note TEXT...             a remark on standard output, shown by prove -v only
#   bail_out TEXT            nothing further makes sense
#   wait_until SECONDS CMD…  polls CMD every 50 ms; 1 at the deadline (whole seconds)
#   done_testing             prints the plan; 0 only when every assertion held

tap_count=0
tap_failed=0

diag() {
    local line
    while IFS= read -r line; do printf '# %s\n' "$line" >&2; done <<<"$*"
}

note() {
    local line
    while IFS= read -r line; do printf '# %s\n' "$line"; done <<<"$*"
}

bail_out() {
    printf 'Bail out! %s\n' "$*"
    exit 255
}

pass() {
    tap_count=$((tap_count + 1))
    printf 'ok %d - %s\n' "$tap_count" "$1"
}

fail() {
    tap_count=$((tap_count + 1))
    tap_failed=$((tap_failed + 1))
    printf 'not ok %d - %s\n' "$tap_count" "$1"
    diag "failed: $1 (${BASH_SOURCE[-1]} line ${BASH_LINENO[-2]})"
    return 1
}

ok() {
    if [[ $1 == 0 ]]; then pass "$2"; else fail "$2"; fi
}

is() {
    if [[ $1 == "$2" ]]; then
        pass "$3"
    else
        fail "$3"
        diag "     got: $1"
        diag "expected: $2"
        return 1
    fi
}

isnt() {
    if [[ $1 != "$2" ]]; then
        pass "$3"
    else
        fail "$3"
        diag "     got: $1"
        diag "expected: anything else"
        return 1
    fi
}

like() {
    if [[ $1 =~ $2 ]]; then
        pass "$3"
    else
        fail "$3"
        diag "     got: $1"
        diag "expected: a match of $2"
        return 1
    fi
}

unlike() {
    if [[ ! $1 =~ $2 ]]; then
        pass "$3"
    else
        fail "$3"
        diag "     got: $1"
        diag "expected: no match of $2"
        return 1
    fi
}

# tap_now_ms: milliseconds since the epoch, without a process of its own.
tap_now_ms() {
    local us=${EPOCHREALTIME/[.,]/}
    printf '%d' "$((us / 1000))"
}

wait_until() {
    local deadline_ms
    deadline_ms=$(($(tap_now_ms) + $1 * 1000))
    shift
    until "$@"; do
        (($(tap_now_ms) < deadline_ms)) || return 1
        sleep 0.05
    done
}

done_testing() {
    printf '1..%d\n' "$tap_count"
    if ((tap_failed > 0)); then
        diag "$tap_failed of $tap_count assertions failed"
        return 1
    fi
    ((tap_count > 0))
}
