#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# The simulated BMCs, judged by those who do not know that they are: FreeIPMI without any workaround, and ipmitool. All
# cipher suites and authentication types, all operations, and what they say when something is refused.
# shellcheck disable=SC2119 # functions of the lab have optional arguments
set -u
# shellcheck source=tests/lab/lab.sh
. "$(dirname "$0")/../lab/lab.sh"
lab_begin "$@"

PROGRAMS=${PM_TEST_BIN:-$LAB_ROOT/build/tests}
SUITES=(0 1 2 3 6 7 8 11 12 15 16 17)
TIMES=(--session-timeout=1500 --retransmission-timeout=400)

lab_bmc_password
password=$(<"$LAB_BMC_PASSWORD_FILE")
export IPMI_PASSWORD=$password
oracle() { timeout 30 "$PROGRAMS/farm_oracle" "$LAB_BMC_PASSWORD_FILE" "$@" </dev/null; }
# tool INTERFACE HOST ARGUMENT...: ipmitool
tool() { timeout 30 ipmitool -E -U "$LAB_BMC_USER" -N 1 -R 2 -p "$LAB_FARM_PORT" -I "$1" -H "$2" "${@:3}" 2>&1; }
plus() { tool lanplus "$1" -C 17 "${@:2}"; }
# FreeIPMI's tools read the password from a file, so that it is in no argument list.
free_conf() { printf 'username %s\npassword %s\n' "${1:-$LAB_BMC_USER}" "${2:-$password}" >"$LAB/etc/freeipmi.conf"; }
free() { timeout 30 "$1" --config-file="$LAB/etc/freeipmi.conf" "${@:2}" 2>&1; }
power() { free ipmipower -D LAN_2_0 -I 17 "${TIMES[@]}" "$@"; }
power15() { free ipmipower -D LAN "${TIMES[@]}" "$@"; }
free_conf

# ---- options that are wrong ----

complaint() { timeout 10 "$PM_FARM" "$@" 2>&1 </dev/null; printf '\nexit %d' $?; }
like "$(complaint --count 0)" 'a number from 1 to 1000000, not 0.*exit 2' "too few"
like "$(complaint --base 127.255.255.0 --count 300)" 'do not fit.*exit 2' "addresses that do not fit"
like "$(complaint --base nowhere)" 'an IPv4 address, not nowhere.*exit 2' "no address"
like "$(complaint --suites 3,4)" '15,16,17, or none, not 4.*exit 2' "a cipher suite that is not simulated"
like "$(complaint --lan15 md2)" 'md5,straight,none, or off, not md2.*exit 2' "an authentication type that is not simulated"
like "$(complaint --users /nowhere)" '/nowhere: No such file.*exit 2' "no file of users"
like "$(complaint --kg /dev/null)" '1 to 20 octets.*exit 2' "an empty K_g"
printf 'admin boss secret\n' >"$LAB/etc/bad"
like "$(complaint --users "$LAB/etc/bad")" 'bad:1: wanted is NAME .*exit 2' "a line of users, by file and line"
like "$(complaint --do 'bmc 1 dead perhaps')" 'dead is on or off, not perhaps.*exit 2' "a control line"
like "$(complaint surplus)" 'only options are taken.*exit 2' "an argument"
like "$(complaint --help)" '--count N.*exit 0' "help"

lab_farm --count 200 --suites "$(IFS=,; printf '%s' "${SUITES[*]}")" --lan15 md5,straight,none || bail_out "no farm"

# ---- FreeIPMI's client library: every operation, in each suite and type on a fresh BMC ----

steps=(device-id auth-capabilities=1 privilege=2 privilege=4 channel-info channel-access=1 user-access=2 user-name=2
    payload-support payload-version=0 payload-version=1 cipher-suites=0 cipher-suites=3 cipher-suites=4 capabilities
    status control=3 control=1 status control=3 control=4 control=2 control=0 status control=1 control=5 status
    identify=10 status identify-force=1 status identify=0 status policy=2 policy=3 status restart-cause poh
    boot-progress=1 boot-progress=1 boot-set=0x101 boot-get boot-set=0x205 boot-progress=0 boot-get boot-info
    dcmi-capabilities dcmi-power=2 self-test)
number=20
first=$(oracle 127.1.0.20 2.0:17 "${steps[@]}")
is "$(wc -l <<<"$first")" ${#steps[@]} "FreeIPMI, suite 17: one session for all operations"
for version in "${SUITES[@]/#/2.0:}" 1.5:md5 1.5:straight 1.5:none; do
    number=$((number + 1))
    is "$(oracle "127.1.0.$number" "$version" "${steps[@]}")" "$first" "FreeIPMI $version: the same answers to ${#steps[@]} requests" ||
        diag "$(diff <(printf '%s' "$first") <(oracle "127.1.0.$number" "$version" "${steps[@]}"))"
done
is "$(farm_total bad) $(farm_total sessions)" "0 0" "nothing of it was dropped, and all sessions were closed"

# answers STEP: those of FreeIPMI, one a line
answers() { sed -n "s/^$1://p" <<<"$first"; }
is "$(answers control=3 | paste -sd,)" " code 0xD5," "hard reset: refused when off, then done"
is "$(answers control=2)$(answers control=4)$(answers control=0)$(answers control=5)" "" "the other controls are done"
is "$(answers status | grep -o 'power_is_on=1' | wc -l)" 1 "power is on after power up alone"
is "$(answers status | sed -n 's/.*chassis_identify_state=\([0-9]\).*/\1/p' | paste -sd,)" 1,2 "identify: for a time, indefinite, off"
like "$(answers status | tail -n 1)" 'power_restore_policy=2' "restore policy"
is "$(answers policy=3)" "$(answers policy=2)" "asking for the policies that there are"
is "$(answers boot-progress=1 | paste -sd,)" ", code 0x81" "set in progress twice"
is "$(answers boot-get | sed 's/.*selector=5//' | paste -sd,)" \
    " boot_flags_persistent=1 boot_flags_valid=1 boot_device=1, bios_boot_type=1 boot_flags_valid=1 boot_device=5" "boot flags"
like "$(answers restart-cause)" 'restart_cause=1 channel=1' "restart cause: by command"
like "$(answers user-access=2)" 'user_privilege_level_limit=4 user_ipmi_messaging=1' "user access"
is "$(answers user-name=2)" " user_name=61646d696e0000000000000000000000" "user name"
is "$(answers cipher-suites=0)" " channel_number=1 cipher_suite_record_data=c000004080c001014080c002014180c0" "cipher suite records"
is "$(answers cipher-suites=4)" " channel_number=1" "end with an empty answer"
like "$(answers dcmi-capabilities)" 'major_version=1 .*minor_version=5 .*power_management_monitoring_support=1' "DCMI"
is "$(answers dcmi-power=2) $(answers self-test) $(answers payload-version=1)" " code 0xCC  code 0xC1  code 0x80" \
    "what is not there has its completion code"
farm bmc 50 power on
farm bmc 50 set watts=345 poh=1234
like "$(oracle 127.1.0.50 2.0:3 dcmi-power=1)" 'current_power=345 minimum_power_over_sampling_duration=8 maximum_power_over_sampling_duration=345 .*power_measurement=1' \
    "DCMI power reading"
is "$(oracle 127.1.0.50 2.0:3 poh)" "poh: minutes_per_counter=60 counter_reading=1234" "power-on hours"
farm bmc 50 set poh-unit=6
is "$(oracle 127.1.0.50 2.0:3 poh)" "poh: minutes_per_counter=6 counter_reading=12340" "counted in another unit"
is "$(oracle 127.1.0.51 2.0:3 device-guid system-guid | sed 's/.*guid=//' | sort -u | wc -l)" 1 "one GUID"
isnt "$(oracle 127.1.0.51 2.0:3 device-guid)" "$(oracle 127.1.0.52 2.0:3 device-guid)" "of its own for each"

# ---- FreeIPMI's tools ----

is "$(power -h '127.1.0.[60-159]' --stat | grep -c ': off')" 100 "ipmipower: a hundred BMCs"
is "$(power -h '127.1.0.[60-159]' --on | grep -c ': ok')" 100 "are switched on"
is "$(power -h '127.1.0.[60-159]' --stat | grep -c ': on')" 100 "and are on"
is "$(farm_count 'bmc=([6-9].|1[0-5].) chassis-control=power-up power=off:on .*duplicate=no')" 100 "each once, says the farm's log"
for verb in cycle:power-cycle reset:hard-reset pulse:diagnostic-interrupt soft:soft-shutdown; do
    host=127.1.0.$((60 + ++number - 30))
    is "$(power -h "$host" --"${verb%:*}")" "$host: ok" "ipmipower --${verb%:*}"
    is "$(farm_count "bmc=${host##*.} chassis-control=${verb#*:} .*code=0x00")" 1 "is done"
done
is "$(power -h 127.1.0.61 --off)" "127.1.0.61: ok" "ipmipower --off"
is "$(power15 -h '127.1.0.[60-61]' --stat | paste -sd,)" "127.1.0.60: on,127.1.0.61: off" "ipmipower over IPMI 1.5"
is "$(power15 -h 127.1.0.61 --on)" "127.1.0.61: ok" "switches on"
chassis() { free ipmi-chassis -D LAN_2_0 -I 8 -h 127.1.0.160 "$@"; }
like "$(chassis --get-chassis-status)" 'System Power +: off' "ipmi-chassis"
chassis --chassis-control=power-up >/dev/null
ok $? "--chassis-control"
chassis --chassis-identify=force >/dev/null
ok $? "--chassis-identify"
config() { free ipmi-config -D LAN_2_0 -h 127.1.0.160 --category=chassis "$@"; }
config --commit -e Chassis_Power_Conf:Power_Restore_Policy=On_State_AC_Apply -e Chassis_Boot_Flags:Boot_Device=PXE
ok $? "ipmi-config sets restore policy and boot device"
like "$(config --checkout)" 'Restore_Policy +On_State_AC_Apply.*Boot_Device +PXE' "and reads them"
like "$(chassis --get-chassis-status)" 'System Power +: on.*Always on.*Identify state +: Indefinite on' "and what they did"
like "$(chassis --get-chassis-capabilities)" 'Diagnostic Interrupt +: provided' "--get-chassis-capabilities"
like "$(chassis --get-power-on-hours-counter)" 'hours +: 0' "--get-power-on-hours-counter"
like "$(chassis --get-system-restart-cause)" 'Chassis control command' "--get-system-restart-cause"
like "$(free ipmi-dcmi -D LAN_2_0 -h 127.1.0.160 --get-system-power-statistics)" 'Current Power +: 120' "ipmi-dcmi"
like "$(free bmc-info -D LAN_2_0 -h 127.1.0.160)" 'IPMI Version +: 2.0' "bmc-info"
like "$(ipmiping -c 1 127.1.0.160)" '0.0% packet loss' "ipmiping"
like "$(rmcpping -c 1 127.1.0.160)" '0.0% packet loss' "rmcpping"

# ---- ipmitool ----

for suite in 0 1 2 3 6 7 8 15 16 17; do
    is "$(tool lanplus 127.1.0.160 -C "$suite" power status)" "Chassis Power is on" "ipmitool, suite $suite"
done
for type in MD5 PASSWORD NONE; do
    is "$(tool lan 127.1.0.160 -A "$type" power status)" "Chassis Power is on" "ipmitool, IPMI 1.5 $type"
done
like "$(tool lanplus 127.1.0.160 power status)" 'is on' "ipmitool chooses a suite by itself"
like "$(plus 127.1.0.161 power on)" 'Up/On' "power on"
for verb in reset cycle diag soft off; do
    plus 127.1.0.161 power "$verb" >/dev/null
    ok $? "power $verb"
    plus 127.1.0.161 power on >/dev/null
done
is "$(farm_count 'bmc=161 chassis-control=.* code=0x00')" 11 "eleven controls were done"
plus 127.1.0.162 chassis identify force >/dev/null && plus 127.1.0.162 chassis policy always-on >/dev/null
is "$(farm_stat 162 identify) $(farm_stat 162 policy)" "indefinite always-on" "identify and policy"
like "$(plus 127.1.0.162 chassis status)" 'Restore Policy : always-on' "chassis status"
like "$(plus 127.1.0.162 chassis policy list)" 'always-off always-on previous' "policy list"
like "$(plus 127.1.0.162 chassis bootdev disk options=persistent,efiboot)" 'Boot Device to disk' "bootdev"
like "$(plus 127.1.0.162 chassis bootparam get 5)" 'Flag Valid.*all future boots.*EFI boot.*Hard-Drive' "bootparam"
is "$(farm_stat 162 boot)" e008000000 "and the flags are those of table 28-14"
like "$(plus 127.1.0.50 chassis poh)" '51 days, 10 hours' "poh"
like "$(plus 127.1.0.162 chassis restart_cause)" 'cause: unknown' "restart cause"
like "$(plus 127.1.0.50 dcmi power reading)" 'Instantaneous power reading: +345 Watts.*activated' "dcmi power reading"
like "$(plus 127.1.0.50 dcmi discover)" 'Power management available' "dcmi discover"
like "$(plus 127.1.0.50 mc info)" 'IPMI Version +: 2.0' "mc info"
like "$(plus 127.1.0.50 mc guid)" 'GUID Version +: Random' "mc guid"
like "$(plus 127.1.0.50 session info active)" 'user id +: 2.*ADMINISTRATOR.*IPMIv2/RMCP\+.*console ip +: 127' "session info"
like "$(tool lan 127.1.0.50 session info active)" 'session type +: IPMIv1.5' "session info over IPMI 1.5"
like "$(plus 127.1.0.50 channel info 1)" '802.3 LAN.*multi-session' "channel info"
like "$(plus 127.1.0.50 user list 1)" '2 +admin +true +false +true +ADMINISTRATOR' "user list"
is "$(plus 127.1.0.50 channel getciphers ipmi 1 | grep -c aes_cbc_128)" 4 "cipher suites"
like "$(plus 127.1.0.50 raw 6 4)" 'rsp=0xc1' "an unknown command"
like "$(plus 127.1.0.50 raw 0 2 1 2)" 'rsp=0xc7' "a wrong length"
like "$(plus 127.1.0.50 raw 0 2 9)" 'rsp=0xcc' "an unknown control"

# ---- IPv6 ----

ip -6 route add local fd00:b3c::/64 dev lo
lab_farm --name six --port 6623 --base 127.9.0.1 --base6 fd00:b3c::1 --count 300 --do 'bmc 300 power on' ||
    bail_out "no farm for IPv6"
export IPMI_PASSWORD=$password
# ipmitool takes no IPv6 address that is on the loopback interface
is "$(power -h '[fd00:b3c::12c]:6623' --stat)" "fd00:b3c::12c: on" "ipmipower over IPv6 finds the BMC of that address"
is "$(LAB_FARM_PORT=6623 plus 127.9.1.44 power status)" "Chassis Power is on" "which is the same over IPv4"
like "$(power -h '[fd00:b3c::12d]:6623' --stat)" 'timeout' "there is no BMC behind the last"
isnt "$(farm_total stray six)" 0 "but what was sent there is counted"
lab_stop six

# ---- who may, and what they hear otherwise ----

printf '%s\n' kgkey123 >"$LAB/etc/kg"
# one name twice, with different limits and passwords, and the null user
lab_farm_users keyed "\"\" user $password" "reader user $password" "op operator $password" "twin user one" \
    "twin administrator two" "0123456789abcdef administrator 0123456789abcdefghij"
lab_farm --name keyed --port 5623 --base 127.2.0.1 --count 20 --kg "$LAB/etc/kg" || bail_out "no farm with K_g"
said() { local out; out=$(free ipmipower "${TIMES[@]}" -h 127.2.0.1:5623 "$@"); printf '%s' "${out#127.2.0.1: }"; }
free_conf op
is "$(said -D LAN_2_0 -I 17 -k kgkey123 -l operator --on)" ok "an operator, with K_g"
is "$(said -D LAN_2_0 -I 3 -k kgkey124 -l operator --stat)" "k_g invalid" "a wrong K_g"
is "$(said -D LAN_2_0 -I 3 -l operator --stat)" "k_g invalid" "no K_g"
is "$(said -D LAN_2_0 -I 3 -k kgkey123 -l admin --stat)" "privilege level cannot be obtained for this user" "a privilege too high"
is "$(said -D LAN -l admin --stat)" "privilege level cannot be obtained for this user" "over IPMI 1.5 too"
is "$(said -D LAN_2_0 -I 2 -k kgkey123 -l operator --stat)" "cipher suite id unavailable" "a suite that is not there"
free_conf op wrong
is "$(said -D LAN_2_0 -I 17 -k kgkey123 -l operator --stat)" "password invalid" "a wrong password"
is "$(said -D LAN -l operator --stat)" "password verification timeout" "over IPMI 1.5 nothing is said"
free_conf nobody
is "$(said -D LAN_2_0 -I 17 -k kgkey123 -l operator --stat)" "username invalid" "an unknown user"
is "$(said -D LAN -l operator --stat)" "username invalid" "over IPMI 1.5 too"
as() { IPMI_PASSWORD=${PASSWORD-$password} timeout 30 ipmitool -E -N 1 -R 2 -p 5623 -I lanplus -C 17 -k kgkey123 -U "$1" -H 127.2.0.2 "${@:2}" 2>&1; }
like "$(as reader -L USER power status)" 'Chassis Power is off' "a user may read"
like "$(as reader -L USER power on)" 'Insufficient privilege level' "but not switch"
like "$(as op -L USER power on)" 'Insufficient privilege level' "an operator neither, having asked for user level"
like "$(as op -L OPERATOR power on)" 'Up/On' "but as operator"
like "$(as reader -L USER user list 1)" 'Insufficient privilege' "users are not told to users"
like "$(as '' -L USER power status)" 'Chassis Power is on' "the null user"
like "$(PASSWORD=0123456789abcdefghij as 0123456789abcdef power status)" 'is on' "a name of 16 octets and a password of 20"
like "$(PASSWORD=one as twin -L USER power status)" 'is on' "by name alone the first entry of that name counts"
like "$(PASSWORD=two as twin -L ADMINISTRATOR power status -v)" 'Unable to establish' "not the second"
like "$(as reader -L OPERATOR -v power status)" 'unauthorized role or privilege|Unable to establish' "ipmitool: a privilege too high"
like "$(IPMI_PASSWORD=wrong tool lanplus 127.1.0.50 -C 17 -v power status)" 'HMAC is invalid|Unable to establish' "ipmitool: a wrong password"
like "$(LAB_FARM_PORT=5623 tool lan 127.2.0.3 -U nobody power status)" 'Invalid user name' "ipmitool over IPMI 1.5: an unknown user"
lab_stop keyed
is "$LAB_STATUS" 0 "the farm ends cleanly"

# ---- many ----

lab_farm --name many --port 7623 --count 10000 || bail_out "no large farm"
kib=$(grep -oE '[0-9]+ KiB' "$LAB/run/many.listens")
ok $((${kib% KiB} < 60 * 1024 ? 0 : 1)) "10,000 BMCs in $kib"
is "$(LAB_FARM_PORT=7623 plus 127.1.39.16 power status)" "Chassis Power is off" "the last of them answers"
note "$(farm_total cpu-us-per-packet) µs of CPU for a packet"
done_testing
