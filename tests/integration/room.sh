# shellcheck shell=bash
# SPDX-License-Identifier: GPL-3.0-or-later
# What the tests of actions share: verbs and values by SNMP, ends of jobs, notifications beside their definition in the
# MIB. Sourced after lab.sh.

WAIT_S=30 # for what has to come; only a failure takes so long

# value OID: without units; number OID: an enumeration as its number.
value() { SNMPCONFPATH=$LAB/snmp/reader snmpget -OqvU "${LAB_SNMP_OPTIONS[@]}" "$LAB_SNMPD_ADDRESS" "$1" 2>/dev/null; }
number() { SNMPCONFPATH=$LAB/snmp/reader snmpget -OqveU "${LAB_SNMP_OPTIONS[@]}" "$LAB_SNMPD_ADDRESS" "$1" 2>/dev/null; }
# put OID VALUE [OID VALUE...]: as the operator; prints what snmpset says.
put() {
    local arguments=()
    while (($#)); do
        arguments+=("$1" "=" "$2")
        shift 2
    done
    snmp_as operator set "${arguments[@]}" 2>&1
}

value_is() { [[ $(value "$1") == "$2" ]]; }
value_like() { [[ $(value "$1") =~ $2 ]]; }
value_isnt() { [[ $(value "$1") != "$2" ]]; }
state_is() { value_is "pmMachinePowerState.$1" "$2"; }
# becomes OID VALUE NAME: an assertion about what may take a moment.
becomes() {
    wait_until "$WAIT_S" value_is "$1" "$2"
    is "$(value "$1")" "$2" "$3"
}

# While a job is active the result reads none.
job_has_ended() { value_isnt "pmMachineLastResult.$1" none && [[ -n $(value "pmMachineLastResult.$1") ]]; }
job_end() { wait_until "$WAIT_S" job_has_ended "$1"; }
# verb INDEX VERB RESULT NAME: the verb is accepted, and its job ends so.
verb() {
    put "pmMachineCommand.$1" "$2" >/dev/null || fail "$4: the SET is accepted" || return
    job_end "$1"
    is "$(value "pmMachineLastResult.$1")" "$3" "$4" || diag "$(value "pmMachineLastResultText.$1")"
}
result_text() { value "pmMachineLastResultText.$1"; }

# The chassis commands of a machine since `forget_commands`, without their times, on one line.
commands_of() { cut -d' ' -f2- "$LAB/machine/$1/commands" | paste -sd,; }
forget_commands() { : >"$LAB/machine/$1/commands"; }
commands_are() { [[ $(commands_of "$1") == "$2" ]]; }

log_count() { grep -Ec -- "$1" "$LAB/log/${2:-pmstackd}.log"; }
# log_mark; logged REGEX: of the lines since then.
log_mark() { LOG_MARK=$(wc -l <"$LAB/log/${1:-pmstackd}.log"); }
log_lines() { tail -n +$((LOG_MARK + 1)) "$LAB/log/${1:-pmstackd}.log"; }
logged() { log_lines "${2:-pmstackd}" | grep -Eq -- "$1"; }
logged_count() { log_lines "${2:-pmstackd}" | grep -Ec -- "$1"; }

# ---- notifications ----

# mib_objects NOTIFICATION: its OBJECTS in the MIB, in order, on one line.
mib_objects() {
    awk -v name="$1" '$1 == name && $2 == "NOTIFICATION-TYPE" { here = 1 }
        here { text = text " " $0 }
        here && /}/ { gsub(/.*OBJECTS *{|}.*|,/, " ", text); $0 = text; $1 = $1; print; exit }' \
        "$LAB_ROOT/mib/PMSTACK-MIB.txt"
}
# trap_names LINE: the names of the varbinds after snmpTrapOID, with instances.
trap_names() { tr '\t' '\n' <<<"${1#*snmpTrapOID.0 = *$'\t'}" | sed 's/ = .*//' | paste -sd' '; }
trap_objects() { trap_names "$1" | sed -E 's/\.[0-9.]+//g'; }
# trap_value LINE NAME.INSTANCE
trap_value() { tr '\t' '\n' <<<"$1" | sed -n "s/^$2 = //p"; }
# told REGEX NAME: a notification since trap_mark; left in $told.
told() {
    # shellcheck disable=SC2034 # for the caller
    told=$(trap_wait "$WAIT_S" "$1")
    ok $? "$2"
}
# trap_count REGEX: of the notifications since trap_mark.
trap_count() { trap_lines | grep -Ec -- "$1"; }
