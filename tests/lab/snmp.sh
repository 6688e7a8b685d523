# shellcheck shell=bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Part of the lab: snmpd as AgentX master with SNMPv3 users, snmptrapd, and the manager's commands. Sourced by lab.sh.
#
#   reader     may read everything, write nothing               SHA-256, AES
#   operator   may also write PMSTACK-MIB                       SHA-512, AES
#   operator1  sees and writes the rows of pmIndex 1 alone, over all tables (a VACM mask)
#   blind      authenticates, and has no rights at all
#   stranger   is not known to snmpd
# Passphrases are random for each lab and exist in files of mode 0600 only: snmp/USER/snmp.conf (SNMPCONFPATH).
#
#   LAB_SNMPD_ADDRESS  ADDRESS:PORT of the master       LAB_AGENTX      its AgentX address as pmstackd's "master"
#   LAB_AGENTX_TCP     the same over TCP when asked     LAB_COMMUNITY   read-only v2c community of --bench

PM_ROOT_OID=.1.3.6.1.4.1.8072.9999.9999.7747
LAB_USERS=(reader operator operator1 blind)

# Directories of the MIB modules: ours, net-snmp's, and the IETF's wherever this system has them.
lab_mib_directories() {
    local directory list=$LAB_ROOT/mib
    for directory in /usr/share/snmp/mibs /usr/share/snmp/mibs/ietf /usr/share/mibs/ietf /usr/lib/erlang/lib/snmp-*/mibs; do
        [[ -d $directory ]] && list+=:$directory
    done
    printf '%s' "$list"
}

lab_mib_modules() {
    printf 'SNMPv2-MIB:SNMP-FRAMEWORK-MIB:NET-SNMP-AGENT-MIB'
    [[ ! -e $LAB_ROOT/mib/PMSTACK-MIB.txt ]] || printf ':PMSTACK-MIB'
}

lab_auth_type() { [[ $1 == operator* ]] && printf SHA-512 || printf SHA-256; }

# lab_passphrase USER: the user's passphrase, made at the first call.
lab_passphrase() {
    local file=$LAB/snmp/$1.passphrase
    [[ -s $file ]] || lab_secret "$file" "$(lab_random 16)"
    cat "$file"
}

# lab_snmp_user USER [PASSPHRASE]: snmp/USER/snmp.conf, with which the net-snmp tools need no option to act as USER.
lab_snmp_user() {
    local directory=$LAB/snmp/$1 passphrase=${2:-$(lab_passphrase "$1")}
    install -d -m 700 "$directory" "$directory"/persistent/{,cert_indexes}
    lab_secret "$directory/snmp.conf" "defVersion 3
defSecurityName $1
defSecurityLevel authPriv
defAuthType $(lab_auth_type "$1")
defPrivType AES
defAuthPassphrase $passphrase
defPrivPassphrase $passphrase
defaultPort ${LAB_SNMPD_ADDRESS##*:}
persistentDir $directory/persistent
mibdirs $(lab_mib_directories)
mibs $(lab_mib_modules)"
}

# lab_raw_user USER: makes a manager raw-USER, who is USER without the MIB: the tools then check nothing by themselves.
lab_raw_user() {
    install -d -m 700 "$LAB/snmp/raw-$1"
    lab_secret "$LAB/snmp/raw-$1/snmp.conf" "$(sed 's/^mibs .*/mibs :/' "$LAB/snmp/$1/snmp.conf")"
}

# snmp_as USER get|getnext|walk|bulkwalk|bulkget|set ARGUMENT...
# The net-snmp command as that user, printing `name value` lines. Further output options may be given, such as -Ov
# (values alone), -Oe (enumerations as numbers), -On; -Oq and -Os are set already, and each -O letter toggles.
snmp_as() {
    local user=$1 verb=$2
    shift 2
    SNMPCONFPATH=$LAB/snmp/$user "snmp$verb" -Oqs "${LAB_SNMP_OPTIONS[@]}" "$LAB_SNMPD_ADDRESS" "$@"
}
LAB_SNMP_OPTIONS=(-t 1 -r 2)

# snmp_value USER OID: one value alone.
snmp_value() {
    SNMPCONFPATH=$LAB/snmp/$1 snmpget -Oqv "${LAB_SNMP_OPTIONS[@]}" "$LAB_SNMPD_ADDRESS" "$2"
}

# snmp_is USER OID VALUE: for wait_until.
snmp_is() { [[ $(snmp_value "$1" "$2" 2>/dev/null) == "$3" ]]; }

# ---- snmpd ----

# lab_snmpd [--bench] [--agentx-tcp] [--traps|--informs] [--conf FILE]
#   --bench        also a read-only v2c community with a random name, from 127.0.0.1 only
#   --agentx-tcp   also accept AgentX on TCP (LAB_AGENTX_TCP)
#   --informs      send notifications acknowledged (default); --traps: unacknowledged
#   --conf FILE    further lines of snmpd.conf
# Returns when it answers. The address stays the same over lab_snmpd_stop, _kill, _start and _restart.
lab_snmpd() {
    local bench='' tcp='' inform=-Ci extra=/dev/null
    while (($#)); do
        case $1 in
        --bench) bench=yes ;;
        --agentx-tcp) tcp=yes ;;
        --informs) inform=-Ci ;;
        --traps) inform='' ;;
        --conf) extra=$2 && shift ;;
        *) lab_complain "lab_snmpd: unknown option $1" || return 1 ;;
        esac
        shift
    done
    LAB_SNMPD_ADDRESS=127.0.0.1:$(lab_port 1161)
    LAB_ENGINE_ID=${LAB_ENGINE_ID:-$(lab_engine_id)}
    LAB_AGENTX=unix:$LAB/agentx/master
    [[ -z $tcp ]] || LAB_AGENTX_TCP=tcp:127.0.0.1:$(lab_port 1705)
    [[ -z $bench ]] || LAB_COMMUNITY=$(lab_random 8)
    lab_snmpd_files "$inform" "$extra"
    lab_snmpd_start
}

# RFC 3411 SnmpEngineID: net-snmp's enterprise number, format 5 (octets).
lab_engine_id() { printf '0x80001f8805%s' "$(lab_random 8)"; }

lab_snmpd_files() {
    local user
    install -d -m 711 "$LAB/agentx"
    install -d -m 700 "$LAB"/state/snmpd/{,cert_indexes}
    for user in "${LAB_USERS[@]}"; do lab_snmp_user "$user"; done
    lab_snmp_user stranger
    lab_secret "$LAB/state/snmpd/snmpd.conf" "$(lab_create_users)"
    lab_secret "$LAB/etc/snmpd.conf" "$(lab_snmpd_conf "$1")
$(cat "$2")"
}

# The sender of an unacknowledged trap is a user of snmpd itself.
lab_create_users() {
    local user
    for user in "${LAB_USERS[@]}" trapper; do
        printf 'createUser %s %s "%s" AES "%s"\n' "$user" "$(lab_auth_type "$user")" \
            "$(lab_passphrase "$user")" "$(lab_passphrase "$user")"
    done
}

# In the mask, a zero bit stands for any sub-identifier: of the table, and of the column.
lab_snmpd_conf() {
    cat <<END
agentAddress udp:$LAB_SNMPD_ADDRESS
master agentx
agentXSocket $LAB_AGENTX${LAB_AGENTX_TCP:+,$LAB_AGENTX_TCP}
agentXPerms 0660 0711 root nogroup
agentXTimeout 2
dontLogTCPWrappersConnects yes
sysName lab
exactEngineID $LAB_ENGINE_ID
view all       included .1
view pmstack   included $PM_ROOT_OID
view machine1  included $PM_ROOT_OID.1.0.1.0.1 ff:ea
view machine1w included $PM_ROOT_OID.1.0.1.0.1 ff:ea
view machine1w excluded $PM_ROOT_OID.1.1
view machine1w excluded $PM_ROOT_OID.1.1.1.0.1 ff:fa
group readers   usm reader
group operators usm operator
group partial   usm operator1
access readers   "" usm authPriv exact all      none      none
access operators "" usm authPriv exact all      pmstack   none
access partial   "" usm authPriv exact machine1 machine1w none
END
    [[ -z ${LAB_COMMUNITY:-} ]] || printf 'rocommunity %s 127.0.0.1\n' "$LAB_COMMUNITY"
    [[ -z ${LAB_TRAPD_ADDRESS:-} ]] || lab_trap_session "$1"
}

lab_trap_session() {
    printf 'trapsess %s -v 3 -u trapper -l authPriv -a SHA-256 -A %s -x AES -X %s udp:%s\n' "$1" \
        "$(lab_passphrase trapper)" "$(lab_passphrase trapper)" "$LAB_TRAPD_ADDRESS"
}

lab_snmpd_start() {
    lab_spawn snmpd env MIBS= SNMP_PERSISTENT_DIR="$LAB/state/snmpd" SNMPCONFPATH="$LAB/etc:$LAB/state/snmpd" \
        snmpd -f -Lo -I -smux
    wait_until 10 lab_snmpd_answers || lab_complain "snmpd does not answer on $LAB_SNMPD_ADDRESS"
}

lab_snmpd_answers() {
    local LAB_SNMP_OPTIONS=(-t 0.3 -r 0)
    snmp_value reader .1.3.6.1.2.1.1.3.0 >/dev/null 2>&1
}

lab_snmpd_stop() { lab_stop snmpd; }
lab_snmpd_kill() { lab_kill snmpd; }
lab_snmpd_restart() {
    lab_snmpd_stop
    lab_snmpd_start
}

# ---- snmptrapd ----

# lab_snmptrapd: before lab_snmpd. Each notification is a line of log/snmptrapd.log:
#   NOTIFICATION <tab separated varbinds as name = value>
lab_snmptrapd() {
    LAB_TRAPD_ADDRESS=127.0.0.1:$(lab_port 1162)
    LAB_TRAP_MARK=0
    LAB_ENGINE_ID=${LAB_ENGINE_ID:-$(lab_engine_id)}
    install -d -m 700 "$LAB"/state/snmptrapd/{,cert_indexes}
    lab_secret "$LAB/state/snmptrapd/snmptrapd.conf" "$(lab_create_trapper)
$(lab_create_trapper -e "$LAB_ENGINE_ID")"
    # shellcheck disable=SC2016 # no expansions meant: snmptrapd's own format
    printf '%s\n' "snmpTrapdAddr udp:$LAB_TRAPD_ADDRESS" 'authUser log trapper' 'outputOption Qs' \
        'format2 NOTIFICATION %v\n' >"$LAB/etc/snmptrapd.conf"
    lab_snmptrapd_start
}

# Informs name the receiver's engine, traps the sender's.
lab_create_trapper() {
    printf 'createUser %s trapper SHA-256 "%s" AES "%s"\n' "$*" "$(lab_passphrase trapper)" "$(lab_passphrase trapper)"
}

lab_snmptrapd_start() {
    lab_spawn snmptrapd env MIBDIRS="$(lab_mib_directories)" MIBS="$(lab_mib_modules)" \
        SNMPCONFPATH="$LAB/etc:$LAB/state/snmptrapd" SNMP_PERSISTENT_DIR="$LAB/state/snmptrapd" snmptrapd -f -Lo
    wait_until 10 lab_log_has snmptrapd 'NET-SNMP version' || lab_complain "snmptrapd did not start"
}

# trap_mark: notifications so far are not looked at by the following trap_wait and trap_lines.
trap_mark() { LAB_TRAP_MARK=$(wc -l <"$LAB/log/snmptrapd.log"); }

trap_lines() { tail -n +$((LAB_TRAP_MARK + 1)) "$LAB/log/snmptrapd.log" | grep '^NOTIFICATION'; }

trap_seen() { trap_lines | grep -Eq -- "$1"; }

# trap_wait SECONDS REGEX: until a notification since trap_mark matches; prints the first one that does.
trap_wait() {
    wait_until "$1" trap_seen "$2" || return 1
    trap_lines | grep -E -m 1 -- "$2"
}
