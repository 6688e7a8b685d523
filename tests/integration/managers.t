#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Managers that others wrote: Erlang's sees the same rows as net-snmp's, Nagios' check_snmp tells the states of machines by
# its exit status, and the Prometheus SNMP exporter makes metrics of pmMachineTable. All over SNMPv3, as the reader.
# shellcheck disable=SC2119 # functions of the lab have optional arguments
set -u
# shellcheck source=tests/lab/lab.sh
. "$(dirname "$0")/../lab/lab.sh"
lab_begin "$@"
lab_need escript perl prometheus-snmp-exporter prometheus-snmp-generator
check_snmp=/usr/lib/nagios/plugins/check_snmp
[[ -x $check_snmp ]] || bail_out "$check_snmp is not installed: make deps"

# ---- given: machines that are on, off and unknown, at rest ----

lab_snmptrapd
lab_snmpd || bail_out "no master agent"
lab_bmc web01 --on
lab_bmc web02
lab_segment lan
port=$(bmc_port web01)
lab_agent_conf <<END
agent { poll-interval = 1h }
credentials "lab" { username = "$LAB_BMC_USER"  password-file = "$LAB_BMC_PASSWORD_FILE"  cipher-suites = { 3 } }
machine "web[01-02]" {
  location = "Straße 1"
  bmc { address = "127.0.1.[1-2]"  port = $port  credentials = "lab" }
}
machine "nas1"          { nic "eth0" { mac = "02:00:00:00:00:11"  interface = "$(segment_interface lan)" } }
machine "node[001-300]" { location = "row 2" }
group "rack" { members = { "web01", "node[001-009]" } }
END
lab_agent || bail_out "no agent"
at_rest() {
    [[ $(snmp_as reader get -OvU pmMachinePowerState.{1,2,3} pmBmcBootDevice.{1,2} pmAgentNotifyPending.1 pmAgentJobsActive.1 \
        2>/dev/null | tr '\n' ' ') == "on off unknown noOverride noOverride 0 0 " ]]
}
wait_until 30 at_rest
ok $? "the machines are known"
snmp_as operator set pmMachineCommand.1 = powerOn >/dev/null
wait_until 30 snmp_is reader pmMachineLastResult.1 alreadyInState
ok $? "a job has run"
wait_until 30 at_rest

# ---- Erlang ----

# Numbers, octets in hexadecimal and object identifiers, as managers-walk.erl prints them; an age changes by itself.
without_age() { sed -E "s/^(${PM_ROOT_OID//./\\.}\.1\.2\.1\.9\.[0-9]+) .*/\1 age/; s/ +$//"; }
net_snmp_walk() {
    install -d -m 700 "$LAB/snmp/raw"
    lab_secret "$LAB/snmp/raw/snmp.conf" "$(sed 's/^mibs .*/mibs :/' "$LAB/snmp/reader/snmp.conf")"
    snmp_as raw bulkwalk -OsnxtU "$PM_ROOT_OID" | tr -d '"' | awk -v root="$PM_ROOT_OID." '
        index($0, root) == 1 { if (line != "") print line; line = $0; next }
        { line = line " " $0 }
        END { print line }' | tr -s ' '
}
net_snmp_walk | without_age >"$LAB/walk.net-snmp"
mkdir "$LAB/erlang"
HOME=$LAB/erlang escript "$LAB_ROOT/tests/integration/managers-walk.erl" "${LAB_SNMPD_ADDRESS%:*}" "${LAB_SNMPD_ADDRESS#*:}" \
    reader "${LAB_ENGINE_ID#0x}" "$PM_ROOT_OID" "$LAB/erlang" <<<"$(lab_passphrase reader)" >"$LAB/walk.raw" 2>"$LAB/log/erlang.log"
ok $? "Erlang's manager walks to the end"
without_age <"$LAB/walk.raw" >"$LAB/walk.erlang"
count=$(wc -l <"$LAB/walk.erlang")
ok $((count < 5000)) "and finds $count instances"
is "$(diff "$LAB/walk.net-snmp" "$LAB/walk.erlang" | head -n 10)" "" "the same as net-snmp's, with the same values"

# ---- Nagios ----

# The plugin starts snmpget with an environment of its own: where the MIB is must be in the system's configuration.
printf 'mibdirs %s\n' "$(lab_mib_directories)" >"$LAB/etc/snmp.conf"
mkdir -p /etc/snmp && touch /etc/snmp/snmp.conf && mount --bind "$LAB/etc/snmp.conf" /etc/snmp/snmp.conf

# check NAME WANT OUTPUT OPTION...: exit status WANT (0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN), and a matching output.
check() {
    local name=$1 want=$2 regex=$3 output status
    shift 3
    output=$("$check_snmp" -H "${LAB_SNMPD_ADDRESS%:*}" -p "${LAB_SNMPD_ADDRESS#*:}" -P 3 -L authPriv -U reader \
        -a SHA-256 -A "$(lab_passphrase reader)" -x AES -X "$(lab_passphrase reader)" -t 10 -m PMSTACK-MIB "$@" 2>&1)
    status=$?
    is "$status" "$want" "check_snmp: $name" || diag "$output"
    like "$output" "$regex" "and says $regex"
}
state=PMSTACK-MIB::pmMachinePowerState
check "a machine that is on: OK" 0 '^SNMP OK - 4' -o "$state.1" -w 4:4 -c 4:4
check "one that is off: CRITICAL" 2 '^SNMP CRITICAL - \*2\*' -o "$state.2" -w 4:4 -c 4:4
check "off is WARNING when told so" 1 '^SNMP WARNING - \*2\*' -o "$state.2" -w 4:4 -c 2:4
check "and unknown CRITICAL" 2 '^SNMP CRITICAL - \*1\*' -o "$state.3" -w 4:4 -c 2:4
check "several machines: the worst" 2 'CRITICAL - 4 \*2\*' -o "$state.1,$state.2" -w 4:4,4:4 -c 4:4,4:4
check "a name that is as expected" 0 'SNMP OK - "?web01' -o PMSTACK-MIB::pmMachineName.1 -s web01
check "and one that is not" 2 'SNMP CRITICAL' -o PMSTACK-MIB::pmMachineName.2 -s web01
check "a result text that matches" 0 'SNMP OK' -o PMSTACK-MIB::pmMachineLastResultText.1 -r 'on already'
check "and one that does not" 2 'SNMP CRITICAL' -o PMSTACK-MIB::pmMachineLastResultText.1 -r 'off already'
check "by the object identifier" 0 '^SNMP OK - 4' -o "$PM_ROOT_OID.1.2.1.4.1" -w 4:4 -c 4:4
check "the counts of the agent" 0 'SNMP OK - 1' -o PMSTACK-MIB::pmAgentMachinesOff.1 -c 0:1
check "a machine that is not there: UNKNOWN" 3 'No Such Instance|UNKNOWN' -o "$state.999" -w 4:4 -c 4:4
machine_power web01 off
snmp_as operator set pmMachineCommand.1 = softOff >/dev/null
wait_until 30 snmp_is reader pmMachinePowerState.1 off
check "a machine that has gone down: CRITICAL" 2 '^SNMP CRITICAL - \*2\*' -o "$state.1" -w 4:4 -c 4:4

# ---- Prometheus ----

modules=$LAB/etc/exporter-mibs
mkdir -p "$modules"
IFS=: read -ra directories <<<"$(lab_mib_directories)"
for module in SNMPv2-SMI SNMPv2-TC SNMPv2-CONF SNMP-FRAMEWORK-MIB INET-ADDRESS-MIB NET-SNMP-MIB PMSTACK-MIB; do
    for directory in "${directories[@]}"; do
        for file in "$directory/$module"{,.txt,.mib}; do
            [[ ! -f $file ]] || ln -sf "$file" "$modules/$module.txt"
        done
    done
done
mkdir "$LAB/etc/exporter"
cd "$LAB/etc/exporter" || exit
lab_secret generator.yml "modules:
  pmstack:
    version: 3
    auth: { username: reader, security_level: authPriv, auth_protocol: SHA256, password: $(lab_passphrase reader), priv_protocol: AES,
            priv_password: $(lab_passphrase reader) }
    walk: [pmMachineTable]
    lookups:
      - { source_indexes: [pmIndex], lookup: pmMachineName }"
(umask 077 && MIBDIRS=$modules SNMPCONFPATH=$LAB/etc/exporter prometheus-snmp-generator generate -o snmp.yml) >"$LAB/log/generator.log" 2>&1
ok $? "the generator makes a configuration of the MIB"
cd "$LAB_ROOT" || exit
lab_spawn exporter prometheus-snmp-exporter --config.file="$LAB/etc/exporter/snmp.yml" --web.listen-address=127.0.0.1:9116

# http_get PATH: the body.
http_get() {
    exec 8<>/dev/tcp/127.0.0.1/9116 || return
    printf 'GET %s HTTP/1.0\r\n\r\n' "$1" >&8
    sed '1,/^\r$/d' <&8
    exec 8>&-
}
exporter_answers() { http_get / >/dev/null 2>&1; }
wait_until 30 exporter_answers
ok $? "the exporter is up"
http_get "/snmp?target=$LAB_SNMPD_ADDRESS&module=pmstack" >"$LAB/metrics"
metric() { sed -n "s/^$1{\(.*\)} /\1 /p" "$LAB/metrics" | grep "pmMachineName=\"$2\"" | sed 's/.*} *//; s/.* //'; }
for machine in web01=2 web02=2 nas1=1 node300=1; do
    is "$(metric pmMachinePowerState "${machine%=*}")" "${machine#*=}" "pmMachinePowerState of ${machine%=*}"
done
is "$(grep -c '^pmMachinePowerState{' "$LAB/metrics")" 303 "each machine has a metric"
like "$(grep '^pmMachineLocation{.*web01' "$LAB/metrics")" 'pmMachineLocation="Straße 1"' "text comes through"
is "$(metric pmMachinePowerOffCount web01)" 1 "so do counters"

lab_agent_stop
is "$LAB_STATUS" 0 "the agent ends well"
done_testing
