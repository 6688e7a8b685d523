#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# pmstackd -t: good configurations are accepted, each error of a bad one is printed with file and line.
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=tests/lab/tap.sh
. "$root/tests/lab/tap.sh"
pmstackd=${PMSTACKD:-$root/build/pmstackd}
[[ -x $pmstackd ]] || bail_out "$pmstackd is missing: make"

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

# check FILE: runs pmstackd -t; leaves its exit status in $status and its output in $output.
check() {
    output=$("$pmstackd" -u "$(id -un)" -t -c "$1" 2>&1)
    status=$?
}

# conf: standard input becomes the configuration.
conf() { cat >"$dir/t.conf"; }

secret() { (umask 077 && printf '%s\n' "$2" >"$dir/$1"); }

# ---- given: secrets that only we can read ----

secret ops.password geheim
secret ops.kg 0x00112233
secret desk1.secureon 00:11:22:33:44:55
secret db1.secureon 192.168.1.1
secret id_ed25519 "stands for a key"
secret known_hosts "db1 ssh-ed25519 AAAA"

# ---- the examples are right ----

for example in "$root"/docs/examples/*.conf; do
    cp "$example" "$dir/t.conf"
    check "$dir/t.conf"
    is "$status" 0 "$(basename "$example") is accepted"
    unlike "$output" 't\.conf:[0-9]+: .*expected' "$(basename "$example") gives no error"
done

# ---- a bad file: every error with its line, exit status 1 ----

conf <<'END'
agent {
  index = 0
  poll-interval = 30
}
machine "lab[01-16]" {
  bmc { adress = "lab[01-15]-bmc" }
  password = "do-not-print-me"
  nic "eth0" { mac = "ff:ff:ff:ff:ff:ff" }
}
END
check "$dir/t.conf"
is "$status" 1 "a bad file: exit status 1"
like "$output" "$dir/t.conf:2: index = 0: a whole number" "a number out of range"
like "$output" "$dir/t.conf:3: poll-interval = 30 has no unit: write 30s" "a duration without a unit"
like "$output" "$dir/t.conf:6: unknown key \"adress\" in bmc: did you mean \"address\"" "a misspelled key"
like "$output" "$dir/t.conf:7: secrets do not stand in the configuration" "a password in the configuration"
like "$output" "$dir/t.conf:8: mac = \"ff:ff:ff:ff:ff:ff\" is a group address" "a broadcast MAC address"
unlike "$output" "do-not-print-me" "the password is not printed"

# ---- files that cannot be read ----

check "$dir/missing.conf"
is "$status" 1 "a missing file: exit status 1"
like "$output" "missing.conf: cannot be read: No such file" "a missing file is named"
check "$dir"
is "$status" 1 "a directory: exit status 1"
like "$output" "is a directory" "a directory is called one"
head -c 10000 /dev/urandom >"$dir/t.conf"
check "$dir/t.conf"
is "$status" 1 "random octets: exit status 1"
yes '{{{{' | head -c 10000000 >"$dir/t.conf"
check "$dir/t.conf"
is "$status" 1 "ten megabytes of braces: exit status 1"

# ---- secrets that others could read ----

conf <<'END'
credentials "ops" { username = "admin"  password-file = "ops.password" }
machine "a" { bmc { address = "a-bmc"  credentials = "ops" } }
END
chmod 0644 "$dir/ops.password"
check "$dir/t.conf"
is "$status" 1 "a password that everyone can read: exit status 1"
like "$output" "t.conf:1: .*chmod 0640 $dir/ops.password" "it is refused with the command that mends it"
# When that command is run, the file is accepted.
eval "$(sed -n 's/.*: \(chmod 0640 .*\)$/\1/p' <<<"$output")"
check "$dir/t.conf"
is "$status" 0 "after that command it is accepted"

done_testing
