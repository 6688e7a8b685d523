#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Each fuzz target on its committed corpus, then on a fixed number of inputs grown from it: what breaks here broke by the
# change at hand, and breaks again at the next run. `make fuzz` is for finding what nobody has seen yet.
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=tests/lab/tap.sh
. "$root/tests/lab/tap.sh"
work=$(mktemp -d "${TMPDIR:-/tmp}/pmstack-fuzz.XXXXXX") || bail_out "no private directory"
trap 'rm -rf "$work"' EXIT

# runs_of TARGET: so many inputs take some two seconds.
runs_of() {
    case $1 in
    config_load) printf 8000 ;;
    ipmi_session) printf 4000 ;;
    *) printf 150000 ;;
    esac
}

# fuzz TARGET ARGUMENT...: one that hangs for 10 s on an input, or needs 1 GB, has failed too.
fuzz() {
    local target=$1
    shift
    (cd "$work" && timeout 300 "$root/build-fuzz/fuzz/$target" -seed=1 -timeout=10 -rss_limit_mb=1024 \
        -artifact_prefix="$work/$target-" "$@") >"$work/log" 2>&1
}

# What a failed run left, in a form that survives the log of a machine far away.
show() {
    local artifact
    diag "$(grep -E 'ERROR|SUMMARY|runtime error|Assertion|^    #[0-9] ' "$work/log" | grep -v 'fuzzer::' | head -n 20)"
    for artifact in "$work/$1"-*; do
        [[ ! -e $artifact ]] || diag "input, by base64 -d: $(base64 -w 0 "$artifact")"
    done
}

for source in "$root"/tests/fuzz/*.c; do
    target=$(basename "$source" .c)
    corpus=$root/tests/fuzz/corpus/$target
    [[ -x $root/build-fuzz/fuzz/$target ]] || bail_out "build-fuzz/fuzz/$target is missing: make fuzz-programs"
    files=("$corpus"/*)
    fuzz "$target" "${files[@]}"
    ok $? "$target: its ${#files[@]} known inputs" || show "$target"
    mkdir "$work/$target"
    fuzz "$target" -runs="$(runs_of "$target")" "$work/$target" "$corpus"
    ok $? "$target: $(runs_of "$target") more" || show "$target"
done
done_testing
