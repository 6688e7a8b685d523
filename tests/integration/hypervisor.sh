# shellcheck shell=bash
# SPDX-License-Identifier: GPL-3.0-or-later
# For tests of a driver alone: hypervisor_client, or CLIENT_PROGRAM (their heads have the language), as a coprocess that is asked, and
# whose answers are waited for. Sourced after lab.sh.

CLIENT_AS=()
CLIENT_LOG=
CLIENT_MARK=0

# client_start NAME OPTION... URI...
client_start() {
    CLIENT_NAME=$1
    CLIENT_LOG=$LAB/log/$1.log
    CLIENT_MARK=0
    shift
    mkfifo "$LAB/run/$CLIENT_NAME.fifo"
    "${CLIENT_AS[@]}" "$PM_TEST_BIN/${CLIENT_PROGRAM:-hypervisor_client}" "$@" >"$CLIENT_LOG" \
        2>"$LAB/log/$CLIENT_NAME.stderr.log" <"$LAB/run/$CLIENT_NAME.fifo" & # in this order: once the fifo is open, the logs are there
    lab_record "$CLIENT_NAME" $!
    CLIENT_PID=$!
    exec {CLIENT_INPUT}>"$LAB/run/$CLIENT_NAME.fifo"
}

# client LINE...
client() { printf '%s\n' "$@" >&"$CLIENT_INPUT"; }

# What it has told since the mark, without times.
client_mark() { CLIENT_MARK=$(wc -l <"$CLIENT_LOG"); }
client_told() { tail -n "+$((CLIENT_MARK + 1))" "$CLIENT_LOG" | cut -d' ' -f2-; }
# client_has REGEX: since the mark, a whole line
client_has() { client_told | grep -qxE "$1"; }
client_count() { client_told | grep -cxE "$1"; }
# client_expect SECONDS REGEX TEXT
client_expect() {
    wait_until "$1" client_has "$2"
    ok $? "$3" || diag "told: $(client_told | tail -n 15)"
}
# client_saw REGEX TEXT: it has been told
client_saw() { ok "$(client_has "$1" && echo 0 || echo 1)" "$2" || diag "told: $(client_told | tail -n 15)"; }
# client_ms REGEX: when it told so first since the mark, in milliseconds
client_ms() { tail -n "+$((CLIENT_MARK + 1))" "$CLIENT_LOG" | grep -m 1 -E "^[0-9]+ $1\$" | cut -d' ' -f1; }
# client_threads: how many it has
client_threads() {
    client_mark
    client threads
    wait_until 5 client_has 'threads [0-9]+' || return
    client_told | sed -n 's/^threads //p'
}

# The end of its input; returns what it exits with. How many threads are left is then in CLIENT_LEFT.
client_stop() {
    exec {CLIENT_INPUT}>&-
    wait "$CLIENT_PID"
    CLIENT_STATUS=$?
    # shellcheck disable=SC2034 # for tests
    CLIENT_LEFT=$(sed -n 's/^[0-9]* stopped //p' "$CLIENT_LOG")
    return $CLIENT_STATUS
}
