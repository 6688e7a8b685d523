#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Many BMCs and probes by name, and a name server that takes its time: only a few look-ups are made at once, and who waits
# for one is not taken for dead. One that says nothing at all holds up nobody for long.
# shellcheck disable=SC2119 # functions of the lab have optional arguments
set -u
# shellcheck source=tests/lab/lab.sh
. "$(dirname "$0")/../lab/lab.sh"
# shellcheck source=tests/integration/room.sh
. "$(dirname "$0")/room.sh"
lab_begin "$@"

BMCS=800
PROBES=400
DNS_DELAY_MS=30

# ---- given: names that a slow server resolves ----

{ lab_snmptrapd && lab_snmpd && lab_farm --count $BMCS; } || bail_out "no farm"
farm bmc all power on >/dev/null
printf 'nameserver 127.0.0.9\n' >"$LAB/etc/resolv.conf"
chmod 755 "$LAB/etc"
chmod 644 "$LAB/etc/resolv.conf"
mount --bind "$LAB/etc/resolv.conf" /etc/resolv.conf # of this namespace alone
lab_spawn dns /usr/bin/python3 "$LAB_ROOT/tests/integration/slow_dns.py" 127.0.0.9 "$DNS_DELAY_MS"
wait_until "$WAIT_S" lab_log_has dns listening || bail_out "no name server"
{
    cat <<END
agent { name = "room"  poll-interval = 1h  power-interval = 0 }
credentials "lab" { username = "$LAB_BMC_USER"  password-file = "$LAB_BMC_PASSWORD_FILE" }
END
    awk -v bmcs="$BMCS" -v probes="$PROBES" 'BEGIN { for (i = 1; i <= bmcs; i++)
        printf "machine \"m%03d\" { bmc { address = \"b%d.test\"  credentials = \"lab\" } }\n", i, i
        for (i = 1; i <= probes; i++)
            printf "machine \"p%03d\" { probe { method = \"icmp\"  address = \"b%d.test\" } }\n", i, i }'
} | lab_agent_conf

# ---- it takes as long as it takes ----

: >"$LAB/log/pmstackd.log"
log_mark
lab_agent || bail_out "no agent"
wait_until 60 logged 'asked .*BMC'
like "$(log_lines | grep -m 1 'asked .*BMC')" "asked $BMCS BMCs: $BMCS answered, 0 did not" "all BMCs are found"
wait_until "$WAIT_S" logged 'asked .*probe'
like "$(log_lines | grep -m 1 'asked .*probe')" "asked $PROBES probes: $PROBES answered, 0 did not" "and so are all probes"
is "$(value pmAgentMachinesOn.1) $(trap_lines | grep -c pmBmcDown)" "$((BMCS + PROBES)) 0" "nothing is down"
is "$(logged_count 'look')" 0 "nor is the name server blamed"

# ---- it says nothing ----

lab_signal dns STOP
log_mark
lab_signal pmstackd USR2
wait_until "$WAIT_S" logged 'asked .*BMC'
like "$(log_lines | grep -m 1 'asked .*BMC')" "asked $BMCS BMCs: $BMCS answered, 0 did not" "BMCs are asked in the sessions that there are"
wait_until "$WAIT_S" logged 'asked .*probe'
like "$(log_lines | grep -m 1 'asked .*probe')" "asked $PROBES probes: 0 answered, $PROBES did not" "the probes are given up"
logged "is the name server down"
ok $? "and it is said why"
lab_signal dns CONT
lab_agent_stop
is "$LAB_STATUS" 0 "the agent stops cleanly"
done_testing
