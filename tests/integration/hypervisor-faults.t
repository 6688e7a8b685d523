#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# The libvirt driver alone when things go wrong: libvirtd restarts, dies, hangs; guests hang; nobody may connect; it is
# closed in the middle of all that.
# shellcheck disable=SC2119 # functions of the lab have optional arguments
set -u
# shellcheck source=tests/lab/lab.sh
. "$(dirname "$0")/../lab/lab.sh"
lab_begin "$@"
# shellcheck source=tests/integration/hypervisor.sh
. "$(dirname "$0")/hypervisor.sh"

lab_libvirtd hv || bail_out "no libvirtd"
for vm in a b c d e f g; do lab_vm hv $vm --start >/dev/null; done
for vm in a b c d e f g; do wait_until 15 vm_up hv $vm || bail_out "$vm does not come up"; done
uri=$(libvirt_uri hv)
client_start client "$uri"
client_expect 15 '1 list 7' "connected"

threads=$(client_threads)

# ---- guests that hang ----

hanging() { for vm in a b c d e f; do "$1" hv $vm; done; }
hanging vm_silence
client_mark
client "shutdown a 60000" "shutdown b 1000" "shutdown c 60000" "shutdown d 60000" "shutdown e 60000" "shutdown f 60000"
client_expect 15 '1 reply shutdown b TIMEOUT sent no answer to the shutdown within 1 s' "six guests hang: no answer"
client_mark
client "shutdown g"
client_expect 15 '1 reply shutdown g OK sent .*' "another one is asked all the same"
client_expect 15 '1 vm g shutdown .*' "and shuts down"
client_mark
client look
client_expect 15 '1 reply look - OK .*' "all are looked at"
client "pause b"
client_expect 15 '1 reply pause b TIMEOUT unsent not sent: .*before' "one that hangs is not called again before it answers"
client_mark
client "destroy b"
client_expect 40 '1 reply destroy b OK sent switched off' "but can be destroyed"
client_expect 15 '1 vm b shutdown .*' "and is off"
is "$(client_count '1 down .*')" 0 "the connection has held"
client_mark
hanging vm_resume 2>/dev/null
for vm in a c d e f; do client_expect 15 "1 vm $vm shutdown .*" "$vm goes on, and down"; done
client_has '1 reply shutdown [acdef] OK .*'
ok $? "what was asked is answered"

# ---- libvirtd restarts, dies, hangs ----

client start\ a
wait_until 15 vm_up hv a
client_mark
libvirt_restart hv
client_expect 15 '1 down UNREACHABLE .*' "libvirtd restarts: the connection is lost"
client_expect 15 '1 up' "and there again"
client_expect 15 '1 vm a running active .*' "the guest has lived on"
client_mark
libvirt hv suspend a
client_expect 15 '1 vm a paused active .*' "events come as before"
libvirt hv resume a

client_mark
libvirt_kill hv
client_expect 15 '1 down UNREACHABLE .*' "libvirtd is killed"
client "shutdown a"
client_expect 15 '1 reply shutdown a UNREACHABLE unsent .*' "nothing can be asked"
vm_kill hv a
several() { (($(client_count '1 down .*') >= 3)); }
wait_until 15 several
ok $? "it is tried again"
times=$(tail -n "+$((CLIENT_MARK + 1))" "$CLIENT_LOG" | grep ' 1 down' | cut -d' ' -f1)
gaps=$(awk 'NR > 1 { printf "%d ", ($1 - last) / 950 } { last = $1 }' <<<"$times")
like "$gaps" "^(1 2|2 4) " "after pauses that double"
libvirt_return hv
client_mark
before=$(date +%s%3N)
client hurry
client_expect 15 '1 up' "at once when somebody hurries"
ok $(($(client_ms '1 up') - before > 4000)) "and not only at the end of a pause"
client_expect 15 '1 vm a (crashed|shutdown) cpus.*' "what has happened meanwhile is told"

client "start a"
wait_until 15 vm_up hv a
client_mark
before=$(date +%s%3N)
libvirt_silence hv
client "shutdown a 60000" look
client_expect 30 '1 down UNREACHABLE .*' "libvirtd hangs: found"
ok $(($(client_ms '1 down UNREACHABLE .*') - before > 20000)) "$(($(client_ms '1 down UNREACHABLE .*') - before)) ms after it was silent"
client_expect 15 '1 reply shutdown a UNREACHABLE .*' "what was asked ends"
client_saw '1 reply look - UNREACHABLE unsent .*' "all of it"
client_mark
client hurry
libvirt_resume hv
client_expect 15 '1 up' "it goes on: there again"

# ---- closed in the middle ----

# closed_in_the_middle TEXT LINE...: again and again, at other moments
closed_in_the_middle() {
    local text=$1 pause
    shift
    client_mark
    for pause in 0 0.002 0.005 0.01 0.02 0.05 0.1 0.3; do
        client reopen "$@"
        sleep $pause
        client close
    done
    client reopen
    client_expect 15 '1 list 7' "$text"
    client close
}
client close
closed_in_the_middle "closed while it connects"
closed_in_the_middle "closed with operations and a hurry" "pause a" hurry look "resume a" look
libvirt_silence hv
client_mark
client reopen "look" close reopen hurry
sleep 1
client close
libvirt_resume hv
client reopen
client_expect 15 '1 list 7' "closed while it hangs"
as_before() { (($(client_threads) == threads)); }
wait_until 30 as_before
ok $? "all other threads have ended"
libvirt_silence hv
client "shutdown a 60000"
client_stop
ok $? "it ends while libvirtd hangs"
ok $((CLIENT_LEFT < 2)) "and leaves threads that hang to themselves ($CLIENT_LEFT)"
libvirt_resume hv
is "$(cat "$LAB/log/client.stderr.log")" "" "libvirt printed nothing"

# ---- nobody may connect, and nobody is asked ----

# cannot RESULT TEXT URI EXPLANATION
cannot() {
    client_start "$(tr -cd '[:lower:]' <<<"$4")" "$3"
    client_expect 15 "1 down $1 $2" "$4"
    diag "$(client_told | head -n 1)"
    client_stop
    is "$(grep -c 'geh.*eim' "$CLIENT_LOG")$(cat "$LAB/log/$CLIENT_NAME.stderr.log")" 0 "no secret, and nothing printed"
}
cannot UNREACHABLE '.*No such file.*' "qemu+unix:///system?socket=$LAB/nowhere" "no socket"
cannot UNREACHABLE '.*refused.*' "qemu+tcp://admin:geh%65im@127.0.0.1:9/system" "refused"
cannot UNREACHABLE '.*' "qemu+ssh://admin:geheim@127.0.0.1:9/system" "ssh refused"
chmod 600 "$LAB/hv/hv/libvirt-sock"
CLIENT_AS=(setpriv --reuid=nobody --clear-groups --inh-caps=-all)
cannot AUTH_FAILED '.*Permission denied.*' "$uri" "not allowed"
CLIENT_AS=()
cannot UNSUPPORTED '.*' "qemu+nonsense:///system" "no such transport"
done_testing
