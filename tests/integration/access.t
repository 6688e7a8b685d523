#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Who may not, cannot: users without the right change nothing, by SNMPv3 or any other version; an operator of one machine
# neither sees nor touches another; and no secret is in any place where somebody could read it.
# shellcheck disable=SC2119 # functions of the lab have optional arguments
set -u
# shellcheck source=tests/lab/lab.sh
. "$(dirname "$0")/../lab/lab.sh"
lab_begin "$@"

# ---- given: two machines with a BMC each and a NIC, one group, and every kind of secret ----

lab_snmptrapd
lab_snmpd --bench || bail_out "no master agent"
lab_segment lan
lab_bmc web01
lab_bmc web02 --on --kg kgkey-never-shown
lab_secret "$LAB/etc/kg" kgkey-never-shown "$LAB_AGENT_USER"
lab_secret "$LAB/etc/secureon" ca:fe:ba:be:12:34 "$LAB_AGENT_USER"
interface=$(segment_interface lan)
port=$(bmc_port web01)
lab_agent_conf <<END
agent { poll-interval = 2s }
credentials "lab" { username = "$LAB_BMC_USER"  password-file = "$LAB_BMC_PASSWORD_FILE"  cipher-suites = { 3 } }
credentials "kg"  { username = "$LAB_BMC_USER"  password-file = "$LAB_BMC_PASSWORD_FILE"  cipher-suites = { 3 }
                    kg-file = "$LAB/etc/kg" }
machine "web01" {
  bmc { address = "127.0.1.1"  port = $port  credentials = "lab" }
  nic "eth0" { mac = "02:00:00:00:00:11"  interface = "$interface"  secureon-file = "$LAB/etc/secureon" }
}
machine "web02" {
  bmc { address = "127.0.1.2"  port = $port  credentials = "kg" }
  nic "eth0" { mac = "02:00:00:00:00:12"  interface = "$interface"  secureon-file = "$LAB/etc/secureon" }
}
group "rack" { members = { "web01", "web02" } }
END
lab_agent -v || bail_out "no agent"
both_known() { snmp_is reader pmMachinePowerState.1 off && snmp_is reader pmMachinePowerState.2 on; }
wait_until 30 both_known
ok $? "the states of both machines are known"

# ---- what all attempts try, and what they must not change ----

attempts=(pmMachineCommand.1=powerOn pmMachineCommand.2=powerOff pmMachineAdminState.1=on pmMachineAdminState.2=off
    pmMachineInhibit.1=true pmMachineInhibitReason.2=gone pmMachineVmTimeout.1=7 pmBmcChassisControl.1=powerUp
    pmBmcChassisControl.2=powerDown pmBmcIdentify.1=indefinite pmBmcBootDevice.2=pxe pmBmcRestorePolicy.1=alwaysOff
    pmNicWake.1.1=send pmNicInterface.2.1=lo pmNicPort.1.1=7 pmAgentInhibit.1=true pmAgentNotifyEnable.1=false
    pmAgentJobMaxConcurrent.1=1 pmAgentConfigReload.1=reload 'pmGroupCommand."rack"=powerOn' 'pmGroupStagger."rack"=7')

# All that a SET could change, read by the reader; what the BMCs were told; how often the machines have started.
settings() {
    snmp_as reader get -Oe pmMachine{AdminState,Inhibit,InhibitReason,VmTimeout,LastResult}.{1,2} pmNic{Interface,Port,WakeSent}.{1,2}.1 \
        'pmGroupStagger."rack"' pmAgent{Inhibit,NotifyEnable,JobMaxConcurrent,JobsActive,JobsStarted,JobsFailed,ConfigLastReload}.1 2>&1
    machine_commands web01
    machine_commands web02
    machine_pid web02
    machine_boots web01
}
before=$(settings)
nothing_changed() { is "$(settings)" "$before" "$1: nothing has changed"; }

# tries NAME REGEX COMMAND...: each attempt, appended to COMMAND, fails with REGEX.
tries() {
    local name=$1 regex=$2 attempt answer bad=()
    shift 2
    for attempt in "${attempts[@]}"; do
        answer=$("$@" "${attempt%%=*}" = "${attempt#*=}" 2>&1)
        [[ $? != 0 && $answer =~ $regex ]] || bad+=("$attempt: $answer")
    done
    is "${bad[*]}" "" "$name: every SET is refused with $regex"
    nothing_changed "$name"
}

# reads NAME REGEX COMMAND...: a look at machine 2 fails with REGEX.
reads() {
    local name=$1 regex=$2
    shift 2
    like "$("$@" pmMachinePowerState.2 2>&1)" "$regex" "$name: cannot read either"
}

tries "a reader" 'noAccess|authorizationError' snmp_as reader set
is "$(snmp_value reader pmMachinePowerState.2)" on "the reader reads"
tries "a user without rights" 'authorizationError|noAccess' snmp_as blind set
reads "a user without rights" 'authorizationError' snmp_as blind get
LAB_SNMP_OPTIONS=(-t 0.5 -r 0)
tries "a stranger" 'Unknown user name' snmp_as stranger set
reads "a stranger" 'Unknown user name' snmp_as stranger get

# An operator's name is not enough.
lab_snmp_user impostor "$(lab_random 16)"
sed -i 's/^defSecurityName .*/defSecurityName operator/; s/^defAuthType .*/defAuthType SHA-512/' "$LAB/snmp/impostor/snmp.conf"
tries "the operator's name with a wrong passphrase" 'Authentication failure' snmp_as impostor set
reads "the operator's name with a wrong passphrase" 'Authentication failure' snmp_as impostor get
for level in noAuthNoPriv authNoPriv; do
    lab_snmp_user "careless-$level" "$(lab_passphrase operator)"
    sed -i "s/^defSecurityName .*/defSecurityName operator/; s/^defAuthType .*/defAuthType SHA-512/
        s/^defSecurityLevel .*/defSecurityLevel $level/" "$LAB/snmp/careless-$level/snmp.conf"
    tries "the operator with $level" 'authorizationError|noAccess' snmp_as "careless-$level" set
    reads "the operator with $level" 'authorizationError' snmp_as "careless-$level" get
done

community_set() {
    local version=$1 community=$2
    shift 2
    SNMPCONFPATH=$LAB/snmp/reader snmpset -v "$version" -c "$community" -t 0.3 -r 0 "$LAB_SNMPD_ADDRESS" "$@"
}
attempts=("${attempts[@]:0:4}" pmNicWake.1.1=send pmAgentInhibit.1=true) # each one waits for its time limit
for version in 1 2c; do
    for community in public private; do
        tries "v$version with the community $community" Timeout community_set "$version" "$community"
    done
    tries "v$version with the community that may read" 'noAccess|notWritable|readOnly|noSuchName|authorizationError' \
        community_set "$version" "$LAB_COMMUNITY"
done
LAB_SNMP_OPTIONS=(-t 1 -r 2)

# ---- the operator of machine 1 ----

rows_of_others() {
    SNMPCONFPATH=$LAB/snmp/operator1 snmpbulkwalk -On "${LAB_SNMP_OPTIONS[@]}" "$LAB_SNMPD_ADDRESS" "$PM_ROOT_OID" |
        grep "^$PM_ROOT_OID" | grep -vE "^${PM_ROOT_OID//./\\.}\.1\.[0-9]+\.1\.[0-9]+\.1(\.[0-9]+)* "
}
is "$(rows_of_others)" "" "operator1 walks rows of index 1 alone"
for row in pmMachineName.1 pmNicName.1.1 pmBmcAddress.1; do
    unlike "$(snmp_as operator1 get "$row" 2>&1)" "No Such|error|Timeout" "operator1 sees $row"
done
like "$(snmp_as operator1 get pmEventText.1.1 2>&1)" pmEventText "operator1 sees the history of machine 1"
for row in pmMachineName.2 pmMachinePowerState.2 pmNicMacAddress.2.1 pmBmcStatus.2 pmEventText.2.1; do
    like "$(snmp_as operator1 get "$row" 2>&1)" "No Such" "operator1 does not see $row"
done

before=$(settings)
denied() {
    local attempt answer bad=()
    for attempt; do
        answer=$(snmp_as operator1 set "${attempt%%=*}" = "${attempt#*=}" 2>&1)
        [[ $answer =~ noAccess|authorizationError ]] || bad+=("$attempt: $answer")
    done
    is "${bad[*]}" "" "operator1 cannot write machine 2 or the agent: noAccess"
}
denied pmMachineCommand.2=powerOff pmMachineAdminState.2=off pmMachineInhibit.2=true pmBmcChassisControl.2=powerDown \
    pmBmcIdentify.2=timed pmNicWake.2.1=send pmNicPort.2.1=7 pmAgentInhibit.1=true pmAgentConfigReload.1=reload \
    'pmGroupCommand."rack"=powerOff'
like "$(snmp_as operator1 set pmMachineCommand.1 = powerOn pmMachineCommand.2 = powerOff 2>&1)" 'noAccess|authorizationError' \
    "nor both in one SET"
nothing_changed "operator1"

job_is_over() { [[ $(snmp_value reader pmAgentJobsActive.1) == 0* ]]; }
operator1_sets() {
    unlike "$(snmp_as operator1 set "$1" = "$2" 2>&1)" "Reason|Timeout" "operator1 sets $1 = $2"
    wait_until 30 job_is_over || fail "the job ends"
}
operator1_sets pmMachineCommand.1 powerOn
machine_is_on web01
ok $? "and machine 1 is on"
operator1_sets pmBmcChassisControl.1 powerDown
machine_is_off web01
ok $? "and off"
operator1_sets pmNicPort.1.1 7
operator1_sets pmMachineAdminState.1 on
machine_is_on web01
ok $? "and on again"
is "$(machine_commands web02 " bmc ")" "" "machine 2 has been told nothing"

# ---- secrets ----

# A wake carries the SecureOn password, a wrong passphrase and a reload go through all that could print a secret.
snmp_as operator set pmMachineCommand.1 = wake >/dev/null
snmp_as operator set pmAgentConfigReload.1 = reload >/dev/null
wait_until 30 job_is_over
lab_signal pmstackd USR1

# Every spelling in which a secret could be printed, one a line, in a file that only root reads.
spellings() {
    local secret
    for secret in "$(cat "$LAB_BMC_PASSWORD_FILE")" kgkey-never-shown ca:fe:ba:be:12:34 "ca fe ba be 12 34" cafebabe1234 \
        "$(lab_passphrase operator)" "$(lab_passphrase reader)" "$(lab_passphrase trapper)"; do
        printf '%s\n' "$secret"
        printf '%s' "$secret" | od -An -v -tx1 | tr -d ' \n' && printf '\n'
        printf '%s' "$secret" | od -An -v -tx1 | tr -d '\n' | sed 's/^ //' && printf '\n'
    done
}
lab_secret "$LAB/spellings" "$(spellings)"
# has_secret: whether standard input does.
has_secret() { tr -s '\n' ' ' | tr '\0' ' ' | grep -qiaFf "$LAB/spellings"; }
hides() {
    has_secret
    is $? 1 "no secret in $1"
}

printf 'before %s after\n' "$(cat "$LAB_BMC_PASSWORD_FILE")" | has_secret
ok $? "a secret would be found"
printf 'CA FE\nBA BE 12 34' | has_secret
ok $? "also as SNMP tools print octets, over the end of a line"
pid=$(lab_pid pmstackd)
hides "a whole walk" < <(snmp_as operator bulkwalk "$PM_ROOT_OID" 2>&1)
hides "a whole walk, octets in hexadecimal" < <(snmp_as operator bulkwalk -Ox "$PM_ROOT_OID" 2>&1)
hides "the notifications" <"$LAB/log/snmptrapd.log"
hides "the agent's log with -v" <"$LAB/log/pmstackd.log"
hides "the agent's arguments" <"/proc/$pid/cmdline"
hides "the agent's environment" <"/proc/$pid/environ"
hides "the state directory" < <(cat "$LAB"/state/pmstackd/*)
hides "the check of the configuration" < <("$PMSTACKD" -u "$LAB_AGENT_USER" -t -v -c "$LAB/etc/pmstackd.conf" 2>&1)
is "$(find "$LAB/state/pmstackd" -perm /077)" "" "others cannot read what the agent keeps"

# ---- nor in a core ----

core_limit() { awk '/^Max core file size/ { print $5, $6 }' "/proc/$pid/limits"; }
is "$(core_limit)" "0 0" "the agent leaves no core: the limit is 0"
# Files in /proc of a process that is not dumpable belong to root.
if nm -C "$PMSTACKD" 2>/dev/null | grep -q ' __asan_init'; then
    note "with sanitizers the agent stays dumpable"
else
    is "$(stat -c %U "/proc/$pid/mem")" root "and is not dumpable"
    is "$(ps -o user= -p "$pid")" "$LAB_AGENT_USER" "though it is an ordinary user's"
    setpriv --reuid "$LAB_AGENT_USER" --regid "$(id -g "$LAB_AGENT_USER")" --clear-groups cat "/proc/$pid/environ" >/dev/null 2>&1
    isnt $? 0 "its own user cannot look into it"
fi

lab_agent_stop
is "$LAB_STATUS" 0 "the agent ends well"
done_testing
