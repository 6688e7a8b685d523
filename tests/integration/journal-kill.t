#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# pmstackd is killed at every write to its journal, while jobs of every kind are at work, and started again; then once
# more with what a loss of power would have left of the journal. Several labs do it side by side, each its share of the
# points (journal-kill.pl).
# shellcheck disable=SC2119 # functions of the lab have optional arguments
set -u
# shellcheck source=tests/lab/lab.sh
. "$(dirname "$0")/../lab/lab.sh"
# shellcheck source=tests/integration/room.sh
. "$(dirname "$0")/room.sh"
here=$(dirname "$0")

# ---- one of the labs: journal-kill.t lab FIRST STEP REPORT ----

conf() {
    cat <<END_CONF
agent { name = "room"  poll-interval = 1s }
credentials "lab" { username = "$LAB_BMC_USER"  password-file = "$LAB_BMC_PASSWORD_FILE"  cipher-suites = { 3 } }
machine "m01" {
  off-methods = { "bmc-soft", "bmc" }  off-timeout = 1s
  bmc { address = "127.1.0.1"  credentials = "lab" }
}
machine "m[02-11]" {
  off-methods = { "bmc-soft", "bmc" }
  bmc { address = "127.1.0.[2-11]"  credentials = "lab" }
}
group "pair" { members = { "m[05-06]" }  stagger = 150ms }
END_CONF
}

# A program that is built with AddressSanitizer wants its library first.
preload_first() { ldd "$1" | awk '/libasan/ { print $3 ":" }'; }

one_lab() {
    local first=$1 step=$2 report=$3 community program
    community=$(lab_random 8)
    lab_secret "$LAB/etc/more.conf" "rwcommunity $community 127.0.0.1"
    { lab_snmptrapd && lab_snmpd --conf "$LAB/etc/more.conf"; } || bail_out "no master agent"
    lab_farm --count 11 --do 'bmc all set cycle-time=900' --do 'bmc 1,8 set soft-time=never' --do 'bmc 4 set on-time=200' || bail_out "no farm"
    conf | lab_agent_conf
    lab_agent_state pmstackd "$LAB_AGENT_USER"
    mount -t tmpfs -o "mode=700,uid=$LAB_AGENT_USER" tmpfs "$LAB/state/pmstackd" || bail_out "no tmpfs"
    install -m 666 /dev/null "$LAB/state/pmstackd/killer"
    program=$(lab_agent_program "$LAB_AGENT_USER")
    # where that user can read it, or the loader goes on without it
    install -m 755 "$(lab_program killer.so)" "$LAB/run/killer.so" && chmod 755 "$LAB/run"
    SMIPATH=$(lab_mib_directories) perl "$here/journal-kill.pl" "$LAB_SNMPD_ADDRESS" "$first" "$step" \
        setpriv --reuid "$LAB_AGENT_USER" --regid "$(id -g "$LAB_AGENT_USER")" --clear-groups --inh-caps=-all --bounding-set=-all \
        env LD_PRELOAD="$(preload_first "$program")$LAB/run/killer.so" KILLER_DATABASE="$LAB/state/pmstackd/state.db" \
        KILLER_CONTROL="$LAB/state/pmstackd/killer" \
        "$program" -c "$LAB/etc/pmstackd.conf" -x "$LAB_AGENTX" -s "$LAB/state/pmstackd" -L err <<<"$community" >"$report"
    umount -l "$LAB/state/pmstackd"
}

if [[ ${1:-} == lab ]]; then
    lab_begin "$@"
    lab_need smidump perl sqlite3
    one_lab "${@:2}"
    exit
fi

# ---- all of them ----

# Mostly they wait, so that many fit on a processor. Under sanitizers each of them takes its share of a quarter of the points.
labs=${JOURNAL_KILL_LABS:-10}
step=${JOURNAL_KILL_STEP:-$labs}
[[ -z $(preload_first "$PMSTACKD") ]] || step=$((labs * 4))
reports=$(mktemp -d)
trap 'rm -rf "$reports"' EXIT
for ((i = 1; i <= labs; i++)); do
    bash "$0" lab "$i" "$step" "$reports/$i" >"$reports/$i.log" 2>&1 &
    pids[i]=$!
done
for ((i = 1; i <= labs; i++)); do
    wait "${pids[i]}" || fail "lab $i" || diag "$(tail -n 100 "$reports/$i.log")"
done

# Each outcome once, with the details of all labs that have failed it.
outcomes() { cat "$reports"/*[0-9] | grep -E "^$1"; }
while read -r name; do
    details=$(outcomes FAIL | awk -F'\t' -v name="$name" '$2 == name { print $3 }')
    if [[ -n $details ]]; then
        fail "$name" || diag "$details"
    else
        pass "$name"
    fi
done < <(outcomes '(PASS|FAIL)' | cut -f2 | sort -u)
is "$(outcomes '(PASS|FAIL)' | cut -f2 | sort | uniq -c | awk '{ print $1 }' | sort -u)" "$labs" "all labs have come to their end"
# counted WHAT: of all labs
counted() { outcomes COUNT | awk -F'\t' -v what="$1" '$2 == what { sum += $3 } END { print +sum }'; }
while read -r name; do
    points=$(outcomes REACHED | awk -F'\t' -v name="$name" '$2 == name && (!least || $3 < least) { least = $3 } END { print least - 1 }')
    note "points $name: $points"
    ((points > 0)) || fail "it was killed $name"
done < <(outcomes REACHED | cut -f2 | sort -u)
(($(counted kills) >= labs))
ok $? "it was killed in all labs"
note "$(outcomes COUNT | awk -F'\t' '{ sum[$2] += $3 } END { for (what in sum) print what ": " sum[what] }' | sort)"
done_testing
