#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# The driver of hosts alone when things end early: shared connections that die, requests that are cancelled, and hosts that are
# closed at every moment.
# shellcheck disable=SC2119 # functions of the lab have optional arguments
set -u
# shellcheck source=tests/lab/lab.sh
. "$(dirname "$0")/../lab/lab.sh"
lab_begin "$@"
# shellcheck source=tests/integration/host.sh
. "$(dirname "$0")/host.sh"
hosts_begin
for n in 1 2; do host_sshd $n && host_known $n; done

# asked N REQUEST REGEX TEXT
asked() {
    client_mark
    client "$1 $2"
    client_expect 20 "$1 reply ${2%% *} $3" "$4"
}
master_of() { pgrep -f "^ssh: $LAB/run/c/"; }

# ---- a host far away ----

ip netns add far
ip link add near type veth peer name eth0 netns far
ip address add 192.0.2.1/24 dev near && ip link set near up
ip -n far address add 192.0.2.2/24 dev eth0 && ip -n far link set eth0 up && ip -n far link set lo up
ip neighbour replace 192.0.2.2 lladdr "$(ip -n far -o link show eth0 | grep -o 'ether [0-9a-f:]*' | cut -d' ' -f2)" dev near
# Everything that is sent there vanishes, and then does not any more.
far_vanish() { ip -n far address delete 192.0.2.2/24 dev eth0; }
far_return() { ip -n far address add 192.0.2.2/24 dev eth0; }
host_sshd_config 9
sed -i 's/^ListenAddress .*/ListenAddress 192.0.2.2/' "$HOSTS/9/sshd_config"
printf '192.0.2.2 %s\n' "$(cut -d' ' -f1,2 "$HOSTS/host_key.pub")" >>"$HOSTS/known_hosts"
HOST_NET=(ip netns exec far)
host_sshd_start 9

# ---- shared connections that die ----

host_start client -d "$LAB/run/c" -t 10000 "$(host_address 1)" 192.0.2.2
asked 1 report 'OK sent .*' "a report"
kill -9 "$(master_of)"
asked 1 report 'OK sent .*' "the shared connection was killed: asked over a new one"
is "$(host_logins 1)" 2 "with another login"
pkill -9 -f '^sshd: root@notty'
asked 1 poweroff 'OK sent it has slept' "the other end was killed: asked over a new one"
is "$(host_asked 1 | grep -c poweroff) $(host_logins 1)" "1 3" "once"
wait_until 5 host_has_masters 0
ok $? "it goes down: the connection is ended"

asked 2 report 'OK sent .*' "the host far away reports"
far_vanish
asked 2 report '(UNREACHABLE unsent no connection to 192.0.2.2 port 22|TIMEOUT).*' "it vanishes: found, though the connection was there"
took=$(($(client_ms '2 reply .*') - $(head -n "$CLIENT_MARK" "$CLIENT_LOG" | tail -n 1 | cut -d' ' -f1)))
ok $((took > 13000)) "in $took ms, with one more try over a new connection"
far_return
asked 2 report 'OK sent .*' "it is back: asked over a new connection"
is "$(host_asked 9 | wc -l)" 2 "what was given up was never asked"
far_vanish
asked 2 'poweroff deadline=3000' 'TIMEOUT sent .*is silent on the shared connection' "what might have left is not asked again"
far_return
master=$(master_of | head -n 1)
asked 2 report 'OK sent .*' "it is back"
isnt "$(master_of)" "$master" "over a new connection"

# It turns out to be dead when it is asked to pass the request on.
client '2 close' '2 reopen'
wait_until 5 host_has_masters 0
asked 1 report 'OK sent .*' "a report"
master=$(master_of)
kill -STOP "$master"
pkill -9 -f '^sshd: root@notty'
before=$(host_logins 1)
client_mark
client "1 reboot"
pending() { [[ $(ss -Hxl | awk -v path="$LAB/run/c/" 'index($5, path) == 1 { sum += $3 } END { print sum }') == 1 ]]; }
wait_until 5 pending || diag "nobody waits for the connection"
kill -CONT "$master"
client_expect 20 '1 reply reboot OK sent it has slept' "found dead when it is asked: asked over a new one"
is "$(host_asked 1 | grep -c reboot) $(host_logins 1)" "1 $((before + 1))" "once"

# A connection whose process hangs is left behind.
asked 1 report 'OK sent .*' "a report"
stopped=$(master_of)
kill -STOP "$stopped"
asked 1 report 'OK sent .*' "its process hangs: asked over a new one"
is "$(($(client_ms '1 reply .*') - $(head -n "$CLIENT_MARK" "$CLIENT_LOG" | tail -n 1 | cut -d' ' -f1) > 3000))" 1 "when it had had a third of the time"
kill -KILL "$stopped"

# ---- cancelled, closed ----

# at_each_moment TEXT LINE...: requests begin, and LINE comes after a while
at_each_moment() {
    local text=$1 pause ends
    shift
    for pause in 0 0.01 0.05 0.1 0.2 0.3 0.5; do
        client_mark
        client 'report' 'poweroff' 'report' '2 report'
        sleep $pause
        client "$@"
        three() { [[ $(client_count '1 reply (report|poweroff) .*') == 3 && $(client_count '2 reply .*') == 1 ]]; }
        wait_until 15 three || break
    done
    ends=$(client_count '1 reply .*')
    is "$ends" 3 "$text: each ends, once"
    asked 1 report 'OK sent .*' "and then it answers as before"
}
at_each_moment "cancelled at any moment" cancel
at_each_moment "closed at any moment" close reopen
at_each_moment "all closed at any moment" close '2 close' reopen '2 reopen'
client_mark
client report close
client_expect 5 '1 reply report CANCELLED unsent cancelled before it was asked' "cancelled before it was asked: not sent"
client reopen
host_mode 1 hang
before=$(host_asked 1 | wc -l)
client_mark
client report report
one_more() { (($(host_asked 1 | wc -l) > before)); }
wait_until 5 one_more
client tick cancel tick
client_expect 1 '1 reply report CANCELLED sent cancelled after it had been asked' "cancelled afterwards: sent"
is "$(client_count '1 reply report CANCELLED .*')" 2 "the one that waited, too"
is "$(client_told | sed -n '1s/.*/first/p; $p' | tail -n 1)" tick "at once"
wait_until 5 host_has_children 0
ok $? "what ran for it is gone"
host_mode 1 good
client_stop
ok $? "the client ends"
wait_until 5 host_has_masters 0
ok $? "with all connections"

# In the middle of everything.
for pause in 0 0.1 0.3 0.5; do
    host_start "stop-$pause" -d "$LAB/run/s" -w 3000 -p 3 "$(host_address 1)" "$(host_address 2)" 192.0.2.2
    client '* report' '* poweroff'
    sleep $pause
    client_stop
    ok $? "stopped after $pause s"
    is "$(host_masters "$LAB/run/s") $(pgrep -fc "ControlPath=.$LAB/run/s")" "0 0" "nothing is left"
done

done_testing
