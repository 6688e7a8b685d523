#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# The driver of hosts alone, and what answers: refusals, pmstack-host in other versions, things that are not pmstack-host, and
# connections that break or go silent after the request has left.
# shellcheck disable=SC2119 # functions of the lab have optional arguments
set -u
# shellcheck source=tests/lab/lab.sh
. "$(dirname "$0")/../lab/lab.sh"
lab_begin "$@"
# shellcheck source=tests/integration/host.sh
. "$(dirname "$0")/host.sh"
hosts_begin

# Each of these has a host, and they are asked all at once: MODE of its helper, the request, and the reply; A stands for the address.
else_='NO_HELPER sent A runs something else than pmstack-host'
lost='UNREACHABLE sent the connection to A was lost before an answer came'
old='NO_HELPER sent pmstack-host'
cases=(
    "good|report|OK sent pmstack-host 0.4.0"
    "refused|poweroff|REFUSED sent because of refused"
    "notSupported|hibernate|UNSUPPORTED sent because of notSupported"
    "otherBoot|poweroff boot=$HOST_BOOT|OTHER_BOOT sent because of otherBoot"
    "noPermission|suspend|NOT_PERMITTED sent because of noPermission"
    "failed|init 3|FAILED sent because of failed"
    "usage|arm-wol|FAILED sent because of usage"
    "old|report|$old 0.1 there is too old \\(it speaks protocol 0, this agent needs 1\\): install the agent's version"
    "unknown-verb|hibernate|$old 0.4.0 there does not know \"hibernate\", install the agent's version: .*"
    "words|report|$else_ \\(exit status 0, \"Hello there\"\\): look at its forced command in authorized_keys"
    "nothing|report|$else_ \\(exit status 0\\): .*"
    "status|report|$else_ \\(exit status 42\\): .*"
    "nologin|report|$else_ \\(exit status 1, \"This account is currently not available.\"\\): .*"
    "binary|report|$else_ .*"
    "huge|report|$else_: it writes without end .*"
    "huge-json|report|$else_: it writes without end .*"
    "endless|report|$else_: it writes without end \\(\"y\"\\): .*"
    "endless-noise|report|$else_: it writes without end .*"
    "deep|report|$else_ .*\"[{]\"a\":\\[\\[\\[.*"
    "types|report|NO_HELPER sent what answers there is not a pmstack-host that this agent understands: it has no boot-id .*"
    "not-found|report|NO_HELPER sent A has no pmstack-host where its shell looks \\(.*\\): install it, and give its path in authorized_keys"
    "motd|report|OK sent .*"
    "noise|report|OK sent .*"
    "answer-hang|report|OK sent .*"
    "hang|report|TIMEOUT sent A has been asked and did not answer within 6 s"
    "deaf|reboot|TIMEOUT sent A has been asked and did not answer within 6 s: it may have been done"
    "cut|poweroff|$lost.*: it may have been done"
    "cut-partly|poweroff|$lost.*: it may have been done"
    "noise-cut|poweroff|$lost.*: it may have been done"
    "going|poweroff|OK sent it goes"
    "going-cut|poweroff|OK sent it goes"
    "going-partly|reboot|OK sent it goes"
    "going-failed|suspend|FAILED sent poweroff ended with status 1"
    "going-hang|poweroff deadline=20000|OK sent it goes"
    "going|report|NO_HELPER sent .*it goes down, and was not asked to"
)
addresses=()
for i in "${!cases[@]}"; do
    host_sshd_config $((i + 1))
    host_mode $((i + 1)) "${cases[i]%%|*}"
    host_known $((i + 1))
    addresses+=("$(host_address $((i + 1)))")
done
for i in "${!cases[@]}"; do host_sshd_start $((i + 1)); done

host_start client -d "$LAB/run/c" -p 6 -t 6000 "${addresses[@]}"
before=$(tap_now_ms)
for i in "${!cases[@]}"; do
    IFS='|' read -r _ request _ <<<"${cases[i]}"
    client "$((i + 1)) $request"
done
for i in "${!cases[@]}"; do
    IFS='|' read -r mode request reply <<<"${cases[i]}"
    client_expect 60 "$((i + 1)) reply ${request%% *} ${reply// A / ${addresses[i]} }" "$mode: $request"
done
diag "$((($(tap_now_ms) - before) / 1000)) s for ${#cases[@]} requests"

# number MODE [REQUEST]: its host
number() {
    for i in "${!cases[@]}"; do [[ ${cases[i]} == "$1|${2:-}"* ]] && printf '%d' $((i + 1)) && return; done
}
is "$(host_asked "$(number deaf)" | wc -l)" 1 "what may have been done is not asked again"
is "$(host_asked "$(number cut)" | wc -l)" 1 "nor when the connection breaks"

# The next request of a host that has gone silent over a shared connection begins with a new one.
n=$(number hang)
host_mode "$n" good
client_mark
client "$n report"
client_expect 10 "$n reply report OK .*" "one that was silent answers again"
is "$(host_logins "$n")" 2 "over a new connection"
n=$(number nothing)
host_mode "$n" good
client_mark
client "$n report"
client_expect 10 "$n reply report OK .*" "one that answered nonsense answers well"
is "$(host_logins "$n")" 1 "over the same connection"

host_mode "$n" going-hang
client_mark
before=$(tap_now_ms)
client "$n poweroff deadline=20000"
client_expect 10 "$n reply poweroff OK sent it goes" "silent after it has said that it goes down: it does"
took=$(($(client_ms "$n reply poweroff .*") - before))
ok $((took < 5000 || took > 7000)) "which is believed after 5 s: $took ms"

host_sshd 100 ''
host_known 100
client_stop
ok $? "the client ends"
wait_until 5 host_has_masters 0
ok $? "no connection is left"
host_start bare "root@$(host_address 100)"
client report
client_expect 10 '1 reply report NO_HELPER sent root@127.0.1.100 has no pmstack-host where its shell looks \(.*not found.*\): install it.*' "not installed, no command forced"
client_stop

done_testing
