#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# The driver of hosts alone with many hosts at once; and what an agent that is killed leaves behind.
# shellcheck disable=SC2119 # functions of the lab have optional arguments
set -u
# shellcheck source=tests/lab/lab.sh
. "$(dirname "$0")/../lab/lab.sh"
lab_begin "$@"
# shellcheck source=tests/integration/host.sh
. "$(dirname "$0")/host.sh"
hosts_begin
for n in 2 3; do host_sshd $n && host_known $n; done

# asked N REQUEST REGEX TEXT
asked() {
    client_mark
    client "$1 $2"
    client_expect 20 "$1 reply ${2%% *} $3" "$4"
}

# ---- an agent that is killed leaves connections behind ----

host_start killed -d "$LAB/run/k" -t 60000 "$(host_address 3)" "$(host_address 2)"
asked 1 report 'OK sent .*' "asked"
host_mode 2 hang
client "2 report"
is_asked() { [[ $(host_asked 2) ]]; }
wait_until 5 is_asked
lab_kill killed
exec {CLIENT_INPUT}>&-
killed_ms=$(tap_now_ms)
ok $((! $(host_masters "$LAB/run/k"))) "killed: its connections live on"
pkill -f "^/bin/bash $HOSTS/bin/helper|^sleep 60" # what it was still asked ends
host_mode 2 good

# ---- many at once ----

mkdir "$LAB/count"
cat >"$LAB/count/ssh" <<END
#!/bin/bash
echo + >>$LAB/count/log
/usr/bin/ssh "\$@"
status=\$?
echo - >>$LAB/count/log
exit \$status
END
chmod 755 "$LAB/count/ssh"
most() { awk '$1 == "+" && ++now > most { most = now } $1 == "-" { now-- } END { print most + 0 }' "$LAB/count/log"; }
# Of one sshd: that it is the same does not matter to the driver.
many=()
for n in {101..150}; do many+=("$(host_address "$n"),2222"); done
printf '[127.0.1.*]:2222 %s\n' "$(cut -d' ' -f1,2 "$HOSTS/host_key.pub")" >>"$HOSTS/known_hosts"
HOST_NET=()
host_sshd_config 50
sed -i 's/^ListenAddress .*/ListenAddress 0.0.0.0:2222/' "$HOSTS/50/sshd_config"
host_sshd_start 50
CLIENT_AS=(env "PATH=$LAB/count:$PATH")
host_start many -d "$LAB/run/m" -p 4 -t 15000 "${many[@]}"
CLIENT_AS=()
before=$(tap_now_ms)
client '* report'
all() { [[ $(client_count '[0-9]+ reply report OK .*') == "$1" ]]; }
wait_until 50 all 50
ok $? "50 hosts at once"
first=$(($(tap_now_ms) - before))
is "$(most)" 4 "four at a time, in $first ms"
client_mark
before=$(tap_now_ms)
client 'parallel 8' '* report'
wait_until 50 all 50
is "$(most)" 8 "eight, from now on"
diag "$first ms for 50, $(($(tap_now_ms) - before)) ms over shared connections, eight at a time"
client 'parallel 2'
client_mark
client '* report' tick
client_expect 2 tick "meanwhile the loop turns"
client_stop
ok $? "closed with requests in the queue"
told=$(grep -c ' reply report ' "$CLIENT_LOG")
is "$told" 150 "each was answered"
is "$(host_masters "$LAB/run/m")" 0 "and every connection ended"

# ---- what the killed agent has left behind ----

gone() { [[ $(host_masters "$LAB/run/k") == "$1" ]]; }
wait_until 40 gone 0
ok $? "$((($(tap_now_ms) - killed_ms) / 1000)) s after it was killed its connections have ended by themselves"
host_start killed-again -d "$LAB/run/k" "$(host_address 3)"
asked 1 report 'OK sent .*' "another one asks"
lab_kill killed-again
exec {CLIENT_INPUT}>&-
ok $((! $(gone 1 && echo 1 || echo 0))) "and is killed"
host_start heir -d "$LAB/run/k" "$(host_address 3)"
wait_until 5 gone 0
ok $? "an agent that comes back ends what is left"
is "$(find "$LAB/run/k" -type s | wc -l)" 0 "and its sockets"
asked 1 report 'OK sent .*' "and asks over a connection of its own"
client_stop
ok $? "the client ends"

done_testing
