#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# PMSTACK-MIB as the tools of the field see it: smilint, net-snmp, smidump, the Prometheus SNMP exporter's generator; and
# every number in it beside mib-contract.txt, which was written apart from it.
set -u

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
MIB=${PM_MIB:-$ROOT/mib/PMSTACK-MIB.txt}
CONTRACT=$ROOT/tests/integration/mib-contract.txt
ROOT_OID=.1.3.6.1.4.1.8072.9999.9999.7747

# shellcheck source=tests/lab/tap.sh
. "$ROOT/tests/lab/tap.sh"

DIRECTORY=$(mktemp -d "${TMPDIR:-/tmp}/pmstack-mib.XXXXXX") || exit 3
trap 'rm -rf "$DIRECTORY"' EXIT

# Every directory of MIB modules that Debian's packages, a MIB downloader or the administrator may have made.
mib_directories() {
    local directory
    for directory in /usr/lib/erlang/lib/snmp-*/mibs /usr/share/snmp/mibs{,/ietf,/iana} /var/lib/mibs/{ietf,iana} \
        /var/lib/snmp/mibs/{ietf,iana} /usr/share/mibs/{ietf,iana} /usr/local/share/snmp/mibs; do
        [[ -d $directory ]] && printf '%s\n' "$directory"
    done
}

# collect_modules MODULE...: links the modules into one directory of their own, so that a broken module elsewhere on this
# system does not disturb the tools.
collect_modules() {
    local module directory file
    for module; do
        file=
        while IFS= read -r directory; do
            for file in "$directory/$module"{,.txt,.mib,.my}; do
                [[ -f $file ]] && break 2
            done
        done < <(mib_directories)
        [[ -n $file && -f $file ]] || bail_out "no $module found: install the packages erlang-snmp and libsnmp-base (make deps)"
        ln -s "$file" "$DIRECTORY/mibs/$module.txt"
    done
}

# Facts about the module as net-snmp parses it, one a line, in the notation of mib-contract.txt.
module_facts() {
    local oids
    mapfile -t oids < <(smidump -f identifiers "$MIB" | awk '$3 ~ /^(scalar|table|row|column|notification)$/ { print "." $4 }')
    ((${#oids[@]} > 0)) || return 1
    snmptranslate -m PMSTACK-MIB -Td "${oids[@]}" | awk '
        BEGIN { split("not-accessible na read-only ro read-write rw read-create rc accessible-for-notify nf", a)
                for (i = 1; i < 10; i += 2) short[a[i]] = a[i + 1] }
        function compact(text) { gsub(/[[:space:]{}"]/, "", text); return text }
        function rest(line) { sub(/^[^{]*/, "", line); return compact(line) }
        / (OBJECT|NOTIFICATION)-TYPE$/ { name = $1; what = $2; tc = syntax = access = extra = list = "" }
        /^  -- TEXTUAL CONVENTION/     { tc = $NF }
        /^  SYNTAX/                    { sub(/^  SYNTAX[[:space:]]*(INTEGER \{)?/, ""); syntax = compact($0) }
        /^  MAX-ACCESS/                { access = short[$2] }
        /^  DEFVAL/                    { extra = extra " default=" rest($0) }
        /^  UNITS/                     { sub(/^  UNITS/, ""); extra = extra " units=" compact($0) }
        /^  (INDEX|OBJECTS)/           { list = rest($0) }
        /^::= /                        {
            gsub(/[^ ]*\(|\)|[:={}]/, ""); gsub(/ +/, "."); sub(/\.$/, "")
            oid = $0
            if (what == "NOTIFICATION-TYPE") print "NOTIFICATION", name, oid, list
            else if (list != "") print "INDEX", name, oid, list
            else if (access != "" && name !~ /Table$/) {
                if (tc ~ /^Pm/) conventions[tc] = syntax
                range = syntax; if (!sub(/^[^(]*/, "", range) || syntax ~ /,/) range = ""
                print name, oid, (tc == "" ? syntax : tc range), access extra
            }
        }
        END { for (tc in conventions) print "TC", tc, conventions[tc] }'
}

# One key for each line: its name, with TC, INDEX or NOTIFICATION before it.
declare -A fact
read_facts() {
    local word rest
    while read -r word rest; do
        case $word in
        TC | INDEX | NOTIFICATION) fact["$word ${rest%% *}"]=${rest#* } ;;
        *) fact[$word]=$rest ;;
        esac
    done
}

# published_object WANT GOT NAME: syntax, access and the attributes that WANT names are those of GOT. A syntax without a
# range leaves the range open.
published_object() {
    local want got name=$3 attribute rest=
    read -ra want <<<"$1"
    read -ra got <<<"$2"
    if [[ ${want[1]} != *"("* ]]; then got[1]=${got[1]%%(*}; fi
    for attribute in "${want[@]:3}"; do
        [[ " ${got[*]:3} " == *" $attribute "* ]] && rest+=" $attribute"
    done
    is "${got[*]:0:3}$rest" "${want[*]}" "$name"
}

compare_with_contract() {
    local word rest key
    while read -r word rest; do
        [[ -z $word || $word == \#* ]] && continue
        rest=$(tr -s ' ' <<<"$rest")
        case $word in
        TC) key="TC ${rest%% *}" rest=${rest#* } ;;
        INDEX | NOTIFICATION) key="$word ${rest%% *}" rest="${ROOT_OID}.${rest#* }" ;;
        *) key=$word rest="${ROOT_OID}.$rest" ;;
        esac
        if [[ -z ${fact[$key]:-} ]]; then
            fail "$key is in the module"
        elif [[ $word == pm* ]]; then
            published_object "$rest" "${fact[$key]}" "$key"
        else
            is "${fact[$key]}" "$rest" "$key"
        fi
        unset "fact[$key]"
    done <"$CONTRACT"
    is "${!fact[*]}" "" "nothing is in the module that the contract does not name"
}

# Both ways for every node that has a name: name -> OID -> name, and the OID that smidump, another parser, gives.
translates_both_ways() {
    local names=() oids=() by_name by_oid name oid
    while read -r name oid; do
        names+=("PMSTACK-MIB::$name") oids+=(".$oid")
    done < <(smidump -f identifiers "$MIB" | awk '$1 == "PMSTACK-MIB" && $3 != "type" { print $2, $4 }')
    by_name=$(snmptranslate -m PMSTACK-MIB -On "${names[@]}" 2>&1 | grep .)
    by_oid=$(snmptranslate -m PMSTACK-MIB "${oids[@]}" 2>&1 | grep .)
    is "$by_name" "$(printf '%s\n' "${oids[@]}")" "snmptranslate: ${#names[@]} names to the OIDs that smidump gives"
    is "$by_oid" "$(printf '%s\n' "${names[@]}")" "snmptranslate: the OIDs back to the names"
}

generates_exporter_configuration() {
    local output
    cat >"$DIRECTORY/generator.yml" <<'END'
modules:
  pmstack:
    walk: [pmAgentTable, pmMachineTable, pmNicTable, pmBmcTable, pmVmTable, pmJobTable, pmGroupTable, pmNameTable,
           pmGroupMemberTable, pmConsoleTable, pmSessionTable, pmEventTable, pmWitnessTable, pmStateMapTable, pmJobStepTable]
    lookups:
      - source_indexes: [pmIndex]
        lookup: pmMachineName
      - source_indexes: [pmIndex, pmNicIndex]
        lookup: pmNicName
END
    output=$(cd "$DIRECTORY" && prometheus-snmp-generator --fail-on-parse-errors generate -o snmp.yml 2>&1)
    ok $? "prometheus-snmp-generator accepts every table" || diag "$output"
    unlike "$output" 'level=(warn|error)' "and has nothing to remark"
    local yml=$DIRECTORY/snmp.yml
    is "$(awk '/- name: pmMachinePowerState$/ { getline; getline; print $2; exit }' "$yml")" gauge \
        "pmMachinePowerState becomes a gauge"
    is "$(awk '/- name: pmMachineName$/ { getline; getline; print $2; exit }' "$yml")" DisplayString \
        "pmMachineName becomes text"
    is "$(awk '/- name: pmAgentJobsStarted$/ { getline; getline; print $2; exit }' "$yml")" counter \
        "pmAgentJobsStarted becomes a counter"
}

# Erlang's compiler is a third parser, stricter in places, and makes what an Erlang manager loads. It knows modules by their
# compiled form only, and takes no module name from a file's suffix but .mib.
compiles_with_erlang() {
    local compiled output module
    compiled=$(dirname "$(readlink -f "$DIRECTORY/mibs/SNMPv2-SMI.txt")")/../priv/mibs
    for module in NET-SNMP-MIB PMSTACK-MIB; do
        ln -s "$DIRECTORY/mibs/$module.txt" "$DIRECTORY/$module.mib"
        output=$(cd "$DIRECTORY" && erlc -I . -I "$compiled" "$module.mib" 2>&1)
        ok $? "erlc compiles $module" || diag "$output"
    done
}

# Names in other modules that are ours but for their case, or begin as ours do.
foreign_names() {
    local path
    path=$(mib_directories | paste -sd:)
    MIBDIRS=$DIRECTORY/mibs:$path snmptranslate -m ALL -TB '^[Pp][Mm]' 2>/dev/null | grep -v '^PMSTACK-MIB::'
}

twice_but_for_case() {
    smidump -f identifiers "$MIB" | awk '$1 == "PMSTACK-MIB" { print tolower($2) }' | sort | uniq -d
}

# Labels of our own enumerations; those of other modules' conventions are not ours to choose.
labels() {
    grep -oE '[A-Za-z0-9-]+\(-?[0-9]+\)(,|$| )' "$DIRECTORY/facts" | grep -v '^OCTETSTRING'
}

is_ascii_without_tabs() {
    ! LC_ALL=C grep -nP '\t|[^\x20-\x7e]|.{79}| $' "$MIB"
}

mkdir "$DIRECTORY/mibs" "$DIRECTORY/cert_indexes"
collect_modules SNMPv2-SMI SNMPv2-TC SNMPv2-CONF SNMP-FRAMEWORK-MIB INET-ADDRESS-MIB NET-SNMP-MIB
ln -s "$MIB" "$DIRECTORY/mibs/PMSTACK-MIB.txt"
# The tools read configuration and older modules from elsewhere unless they are told not to.
export SMIPATH=$DIRECTORY/mibs MIBDIRS=$DIRECTORY/mibs MIBS='' SNMPCONFPATH=$DIRECTORY SNMP_PERSISTENT_DIR=$DIRECTORY
export LC_ALL=C

is "$(smilint -l 6 "$MIB" 2>&1)" "" "smilint -l 6 prints nothing"
is "$(snmptranslate -m PMSTACK-MIB -Pcu "$ROOT_OID" 2>&1)" PMSTACK-MIB::pmstackMIB "net-snmp parses it without a remark"
is "$(grep -c '{ netSnmpPlaypen 7747 }' "$MIB")" 1 "the root stands on one line"
is "$(is_ascii_without_tabs)" "" "ASCII, without tabs, at most 78 columns, no blanks at line ends"

translates_both_ways
for format in xml identifiers tree mosy; do
    output=$(smidump -f "$format" "$MIB" 2>&1 >"$DIRECTORY/dump.$format")
    is "$?:$output" "0:" "smidump -f $format has nothing to remark"
    ok "$(grep -q pmStateMapStates "$DIRECTORY/dump.$format"; echo $?)" "and goes to the end of the module"
done
is "$(xmllint --noout --nowarning "$DIRECTORY/dump.xml" 2>&1)" "" "smidump's XML is well-formed"
generates_exporter_configuration
compiles_with_erlang

is "$(twice_but_for_case)" "" "no two names differ in case only"
is "$(foreign_names)" "" "no other module has names with our prefix"
is "$(smidump -f identifiers "$MIB" | awk '$1 == "PMSTACK-MIB" && $2 !~ /^[Pp]m[A-Zs]/')" "" "all names begin with pm"

module_facts >"$DIRECTORY/facts" || bail_out "nothing can be read from the module"
isnt "$(labels | wc -l)" 0 "enumerations have labels"
is "$(labels | grep '[0-9].*(')" "" "no label of an enumeration has a digit"
is "$(labels | grep -E '\((0|-)')" "" "enumerations begin at 1"

read_facts <"$DIRECTORY/facts"
compare_with_contract
done_testing
