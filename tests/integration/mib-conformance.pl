#!/usr/bin/perl
# SPDX-License-Identifier: GPL-3.0-or-later
# Every object that the agent serves, asked in every way, beside the parsed MIB. The lab must be at rest: then nothing but
# pmMachineStateAge changes between two requests.
#
#   mib-conformance.pl MIB ADDRESS:PORT <COMMUNITY
# The community may write. Outcomes as in mib-report.pm; Net::SNMP is a manager that shares no code with net-snmp.
use strict;
use warnings;
use Encode  ();
use FindBin;
use Net::SNMP qw(oid_lex_cmp oid_base_match :asn1);
use lib $FindBin::Bin;
require 'mib-module.pm';
require 'mib-report.pm';
MibReport->import;

my $ROOT   = '1.3.6.1.4.1.8072.9999.9999.7747';
my @SERVED = qw(pmAgentTable pmMachineTable pmNicTable pmBmcTable pmVmTable pmJobTable pmJobStepTable pmGroupTable
  pmGroupMemberTable pmNameTable pmEventTable pmStateMapTable);
my %CHANGING = (pmMachineStateAge => 1);

# Columns with "No instance" in their DESCRIPTION. Those that this lab has nowhere, then those that some rows have.
my %NOWHERE   = map { $_ => 1 } qw(pmMachinePowerWatts pmNicWakeHeard pmBmcPowerOnHours pmBmcIdentify);
my %SOMEWHERE = map { $_ => 1 } qw(pmMachineStateAge pmNicMacAddress pmBmcCipherSuite pmBmcPowerFault pmBmcPowerOverload
  pmBmcInterlockActive pmBmcChassisIntrusion pmBmcDriveFault pmBmcCoolingFault pmBmcFrontPanelLockout
  pmBmcBootDevice pmBmcBootPersistent pmBmcBootEfi pmBmcRoundTrip);

my $CHUNK     = 40;            # varbinds in a request
my $UINT_MAX  = 4294967295;
my %ERROR     = (wrongType => 7, noCreation => 11, inconsistentValue => 12, notWritable => 17);

my ($path, $address) = @ARGV;
chomp(my $community = <STDIN>);
my $mib     = MibModule::read($path);
my $session = open_session();
my %column_at = map { $_->{oid} => $_ } values %{ $mib->{columns} };
my (@names, %value, %type, %place);    # the walk: names in order, and what each has

sub open_session {
    my ($host, $port) = split /:/, $address;
    my ($opened, $error) = Net::SNMP->session(
        -hostname => $host, -port => $port, -version => 'snmpv2c', -community => $community,
        -translate => 0, -timeout => 5, -retries => 5, -maxmsgsize => 65507
    );
    die "no session: $error\n" unless $opened;
    return $opened;
}

# --- asking ----------------------------------------------------------------------------------------------------------

# [name, type, value] of each varbind of the last answer.
sub varbinds {
    my $list  = $session->var_bind_list() or die 'no answer: ' . $session->error() . "\n";
    my $types = $session->var_bind_types();
    return map { [ s/ +$//r, $types->{$_}, $list->{$_} ] } $session->var_bind_names();
}

# Net::SNMP tells a name that occurs twice by blanks at its end.
sub ask {
    my ($method, @oids) = @_;
    my @answers;
    while (my @part = splice @oids, 0, $CHUNK) {
        $session->$method(-varbindlist => \@part);
        push @answers, varbinds();
    }
    return @answers;
}
sub get      { return ask('get_request',      @_) }
sub get_next { return ask('get_next_request', @_) }

sub get_bulk {
    my ($non_repeaters, $repetitions, @oids) = @_;
    $session->get_bulk_request(-nonrepeaters => $non_repeaters, -maxrepetitions => $repetitions, -varbindlist => \@oids);
    return varbinds();
}

# The SNMP error of a SET of [name, type, value]s.
sub set {
    my (@varbinds) = @_;
    $session->set_request(-varbindlist => [ map { @$_ } @varbinds ]);
    return $session->error_status();
}

sub below_root { my ($oid) = @_; return oid_base_match($ROOT, $oid); }

sub walk {
    my $at = $ROOT;
    while (1) {
        for my $varbind (get_bulk(0, 50, $at)) {
            my ($name, $type, $value) = @$varbind;
            return if $type == ENDOFMIBVIEW || !below_root($name);
            die "the walk does not get on at $name\n" if oid_lex_cmp($name, $at) <= 0;
            push @names, $at = $name;
            ($type{$name}, $value{$name}, $place{$name}) = ($type, $value, $#names);
        }
    }
    return;
}

# The column and the sub-identifiers of the index that a name consists of.
sub take_apart {
    my ($name) = @_;
    my ($oid, $index) = $name =~ /^(\Q$ROOT\E\.1\.\d+\.1\.\d+)\.(.+)$/ or return;
    return ($column_at{$oid}, $index);
}
sub is_served { my ($column) = @_; return grep { $_ eq $column->{table} } @SERVED; }
sub served    { return map { @{ $mib->{tables}{$_}{columns} } } @SERVED; }
sub readable  { return grep { $_->{access} ne 'noaccess' } served(); }

sub instances_of {
    my ($column) = @_;
    return grep { /^\Q$column->{oid}\E\./ } @names;
}

# --- one value --------------------------------------------------------------------------------------------------------

sub in_ranges {
    my ($number, $syntax) = @_;
    return !@{ $syntax->{ranges} } || grep { $number >= $_->[0] && $number <= $_->[1] } @{ $syntax->{ranges} };
}

sub is_text {
    my ($octets) = @_;
    my $copy = $octets;
    return eval { Encode::decode('UTF-8', $copy, Encode::FB_CROAK); 1 } && $octets !~ /[\x00-\x1f\x7f]/;
}

# RFC 2579, DateAndTime; or all zeros, for a time that has not come.
sub is_date {
    my ($octets) = @_;
    return 1 if $octets eq "\0" x 8;
    return 0 if length $octets != 11;
    my ($year, $month, $day, $hour, $minute, $second, $tenth, $sign, $zone_h, $zone_m) = unpack 'nC6aCC', $octets;
    return
         $year >= 2024 && $year < 2200 && $month >= 1 && $month <= 12 && $day >= 1 && $day <= 31
      && $hour <= 23 && $minute <= 59 && $second <= 60 && $tenth <= 9 && $sign =~ /[+-]/ && $zone_h <= 14 && $zone_m <= 59;
}

# What is wrong with a value, or nothing.
sub fault_of {
    my ($syntax, $value) = @_;
    my %is = map { $_ => 1 } @{ $syntax->{names} };
    if (%{ $syntax->{labels} }) {
        return (grep { $_ == $value } values %{ $syntax->{labels} }) ? () : 'no label';
    }
    return in_ranges($value, $syntax) ? () : 'out of range' if $value =~ /^-?\d+$/ && $syntax->{base} ne 'OctetString';
    return 'no such length'    unless $syntax->{base} ne 'OctetString' || in_ranges(length $value, $syntax);
    return 'not printable UTF-8' if $is{SnmpAdminString} && !is_text($value);
    return 'no date'           if $is{DateAndTime} && !is_date($value);
    return;
}

# Whether the sub-identifiers are an index as the MIB says (RFC 2578, 7.7), with nothing left over.
sub is_index {
    my ($table, @ids) = @_;
    for my $object (map { $mib->{columns}{$_} } @{ $mib->{tables}{$table}{index} }) {
        if ($object->{type} == 0x04) {
            my $length = shift(@ids) // return 0;
            my @octets = splice @ids, 0, $length;
            return 0 if @octets != $length || fault_of($object->{syntax}, pack 'C*', @octets);
        } else {
            return 0 if !@ids || fault_of($object->{syntax}, shift @ids);
        }
    }
    return !@ids;
}

# --- reading ------------------------------------------------------------------------------------------------------------

sub check_walk {
    ok(@names > 1000, 'the walk has found ' . @names . ' instances');
    none('the walk is in order', grep { $_ && oid_lex_cmp($names[ $_ - 1 ], $names[$_]) >= 0 } 0 .. $#names);
    none('all that is served is in a table of the MIB, and accessible',
        grep { my ($column) = take_apart($_); !$column || !is_served($column) || $column->{access} eq 'noaccess' } @names);
    is(join(' ', sort { $a cmp $b } keys %{ { map { (take_apart($_))[0]{table} => 1 } @names } }),
        join(' ', sort @SERVED), 'these tables are served');
    my ($last) = get_next($names[-1]);
    ok($last->[1] == ENDOFMIBVIEW || !below_root($last->[0]), 'after the last instance the MIB is left');
    return;
}

sub check_column {
    my ($column) = @_;
    my ($name, @instances) = ($column->{name}, instances_of($column));
    if ($NOWHERE{$name}) {
        return none("$name: no instance here", @instances);
    }
    ok(scalar(@instances), "$name: there are instances") or return;
    none("$name: ASN.1 type", grep { $type{$_} != $column->{type} } @instances);
    none("$name: values", map { my @fault = fault_of($column->{syntax}, $value{$_}); @fault ? "$_: @fault" : () } @instances);
    none("$name: indexes", grep { !is_index($column->{table}, split /\./, (take_apart($_))[1]) } @instances);
    return;
}

# Only columns that may lack an instance do.
sub check_rows {
    my ($table) = @_;
    my %rows;
    for my $column (grep { $_->{access} ne 'noaccess' } @{ $mib->{tables}{$table}{columns} }) {
        $rows{ (take_apart($_))[1] }{ $column->{name} } = 1 for instances_of($column);
    }
    my @whole = grep { $_->{access} ne 'noaccess' && !$NOWHERE{ $_->{name} } && !$SOMEWHERE{ $_->{name} } }
      @{ $mib->{tables}{$table}{columns} };
    none("$table: all rows are whole", map {
        my $row = $_;
        map { "$_->{name}.$row is missing" } grep { !$rows{$row}{ $_->{name} } } @whole
    } sort keys %rows);
    return;
}

# As text, so that a difference can be printed.
sub shown { my ($varbind) = @_; return sprintf '%s 0x%02x %s', $varbind->[0], $varbind->[1], $varbind->[2] =~ /[^ -~]/ ? unpack('H*', $varbind->[2]) : $varbind->[2]; }

sub walked {
    my ($name) = @_;
    return defined $name ? [ $name, $type{$name}, $value{$name} ] : [ 'the end', 0, '' ];
}

# Two varbinds are the same, but for the value of what changes by itself.
sub differs {
    my ($got, $want) = @_;
    $got = [ 'the end', 0, '' ] if $got->[1] == ENDOFMIBVIEW || !below_root($got->[0]);
    my ($column) = take_apart($want->[0]);
    $got = [ $got->[0], $got->[1], $want->[2] ] if $column && $CHANGING{ $column->{name} };
    return shown($got) eq shown($want) ? () : shown($got) . ' is not ' . shown($want);
}

sub check_get {
    my @answers = get(@names);
    none('GET of each instance is what the walk says', map { differs($answers[$_], walked($names[$_])) } 0 .. $#names);
    return;
}

sub check_get_next {
    my @answers = get_next(@names);
    none('GETNEXT of each instance is the following one',
        map { differs($answers[$_], walked($names[ $_ + 1 ])) } 0 .. $#names);
    return;
}

# The first instance after a name, by bisection of the walk.
sub place_after {
    my ($oid) = @_;
    my ($low, $high) = (0, scalar @names);
    while ($low < $high) {
        my $middle = int(($low + $high) / 2);
        if (oid_lex_cmp($names[$middle], $oid) > 0) { $high = $middle } else { $low = $middle + 1 }
    }
    return $low;
}

sub check_next_from {
    my ($what, @oids) = @_;
    my @answers = get_next(@oids);
    none("GETNEXT from $what", map { differs($answers[$_], walked($names[ place_after($oids[$_]) ])) } 0 .. $#oids);
    return;
}

# Instances of which every kind of neighbour is tried: the first and last of each column, and some between.
sub sample {
    my @sample;
    for my $column (readable()) {
        my @instances = instances_of($column) or next;
        push @sample, @instances[ grep { $_ < 8 || $_ == $#instances || $_ % 97 == 0 } 0 .. $#instances ];
    }
    return @sample;
}

sub with_last {
    my ($oid, $change) = @_;
    return $oid =~ s/(\d+)$/$change->($1)/er;
}

sub check_places_between {
    my @tables  = map { $mib->{tables}{$_} } keys %{ $mib->{tables} };
    my @columns = map { $_->{oid} } values %{ $mib->{columns} };
    my @sample  = sample();
    check_next_from('the root and around it', '1.3.6.1.4.1.8072.9999.9999.7746', $ROOT, "$ROOT.0", "$ROOT.1", "$ROOT.1.0", "$ROOT.2", "$ROOT.$UINT_MAX");
    check_next_from('tables and entries', map { ($_->{oid}, $_->{row}, "$_->{oid}.0", "$_->{oid}.0.1.1", "$_->{oid}.2", "$_->{oid}.$UINT_MAX") } @tables);
    check_next_from('columns',             @columns);
    check_next_from('column 0',            map { "$_->{row}.0" } @tables);
    check_next_from('column 0 with an index', map { "$_->{row}.0.1" } @tables);
    check_next_from('after the last column', map { ("$_->{row}.99", "$_->{row}.99.1", "$_->{row}.$UINT_MAX.$UINT_MAX") } @tables);
    check_next_from('index 0',             map { "$_.0" } @columns);
    check_next_from('the end of a column', map { "$_.$UINT_MAX" } @columns);
    check_next_from('an index that is too short', grep { below_root($_) } map { s/\.\d+$//r } @sample);
    check_next_from('an index that is too long',  map { ("$_.0", "$_.1", "$_.$UINT_MAX") } @sample);
    check_next_from('the index before', map { with_last($_, sub { $_[0] ? $_[0] - 1 : 0 }) } @sample);
    check_next_from('the index after',  map { with_last($_, sub { $_[0] + 1 }) } @sample);
    check_next_from('an index of the greatest numbers', map { with_last($_, sub { $UINT_MAX }) } @sample);
    return;
}

# All columns of a table in one GETBULK, with the table's name itself as a non-repeater.
sub check_bulk {
    my ($table) = @_;
    my @columns = map { $_->{oid} } grep { $_->{access} ne 'noaccess' } @{ $mib->{tables}{$table}{columns} };
    my $repetitions = 5;
    my @answers = get_bulk(1, $repetitions, $mib->{tables}{$table}{oid}, @columns);
    my @want    = walked($names[ place_after($mib->{tables}{$table}{oid}) ]);
    for my $repetition (0 .. $repetitions - 1) {
        push @want, map { walked($names[ place_after($_) + $repetition ]) } @columns;
    }
    none("GETBULK over all columns of $table", map { differs($answers[$_], $want[$_]) } 0 .. $#answers);
    ok(@answers > @columns, "$table: with whole rows in the answer");
    return;
}

# --- what is not there -----------------------------------------------------------------------------------------------------

sub check_exception {
    my ($what, $exception, @oids) = @_;
    my @answers = get(@oids);
    none("GET of $what", map { $_->[0] } grep { $_->[1] != $exception } @answers);
    return;
}

sub check_absent {
    my @served   = map { $mib->{tables}{$_} } @SERVED;
    my @unserved = grep { my $table = $_; !grep { $_ eq $table->{name} } @SERVED } values %{ $mib->{tables} };
    my @readable = map { $_->{oid} } readable();
    my @sample   = sample();
    check_exception('objects that are not accessible: noSuchObject', NOSUCHOBJECT, map { ("$_->{oid}.1", "$_->{oid}.1.1") } grep { $_->{access} eq 'noaccess' } served());
    check_exception('columns of tables that are not served: noSuchObject', NOSUCHOBJECT, map { "$_->{oid}.1" } map { @{ $_->{columns} } } @unserved);
    check_exception('tables and entries: noSuchObject', NOSUCHOBJECT, map { ($_->{oid}, $_->{row}) } @served);
    check_exception('columns that the MIB does not have: noSuchObject', NOSUCHOBJECT, map { ("$_->{row}.0.1", "$_->{row}.31.1", "$_->{row}.99.1", "$_->{row}.$UINT_MAX.1", "$_->{oid}.2.2.1") } @served);
    check_exception('a column without an index: noSuchInstance', NOSUCHINSTANCE, @readable);
    check_exception('rows that are not there: noSuchInstance', NOSUCHINSTANCE, map { ("$_.0", "$_.$UINT_MAX", "$_.0.0", "$_.99999.1", "$_.1.99999") } @readable);
    check_exception('an index that is too long: noSuchInstance', NOSUCHINSTANCE, map { ("$_.0", "$_.1") } @sample);
    check_exception('an index that is too short: noSuchInstance', NOSUCHINSTANCE, grep { !$column_at{$_} } map { s/\.\d+$//r } @sample);
    return;
}

# --- what belongs together ---------------------------------------------------------------------------------------------------

# INDEX => value of a column.
sub column {
    my ($name) = @_;
    return map { (take_apart($_))[1] => $value{$_} } instances_of($mib->{columns}{$name});
}
sub counted_name { my ($name) = @_; return join '.', length $name, unpack 'C*', $name; }

sub check_agreement {
    my %name    = column('pmMachineName');
    my %indexed = column('pmNameIndex');
    none('pmNameTable has each machine under its name, and no other',
        (grep { ($indexed{ counted_name($name{$_}) } // 0) != $_ } keys %name), (keys %name == keys %indexed ? () : 'their numbers differ'));
    my %member = column('pmGroupMemberMachineName');
    none('pmGroupMemberMachineName is pmMachineName', grep { my ($machine) = /(\d+)$/; ($name{$machine} // '') ne $member{$_} } keys %member);
    check_groups(\%member, { column('pmMachinePowerState') });
    my %state = column('pmMachinePowerState');
    my %map   = column('pmStateMapStates');
    none('pmStateMapStates is pmMachinePowerState', map {
        my $block = $_;
        grep { ord(substr $map{$block}, $_ - 256 * ($block - 1) - 1, 1) != ($state{$_} // 0) } 256 * ($block - 1) + 1 .. 256 * $block
    } keys %map);
    is(join(' ', sort { $a <=> $b } keys %map), join(' ', sort { $a <=> $b } keys %{ { map { int(($_ - 1) / 256) + 1 => 1 } keys %state } }), 'the blocks of pmStateMapTable are those with machines');
    check_totals(%state);
    return;
}

# pmGroupTable counts what pmGroupMemberTable lists.
sub check_groups {
    my ($member, $state) = @_;
    my %column = (Members => { column('pmGroupMembers') });
    my %of_state = (2 => 'Off', 4 => 'On', 1 => 'Unknown');
    my %counted = map { $_ => { Members => 0, On => 0, Off => 0, Unknown => 0 } } keys %{ $column{Members} };
    for my $index (keys %$member) {
        my ($group, $machine) = $index =~ /^(.+)\.(\d+)$/;
        $counted{$group}{Members}++;
        $counted{$group}{ $of_state{ $state->{$machine} } }++;
    }
    $column{$_} = { column("pmGroup$_") } for qw(On Off Unknown);
    none('pmGroupTable counts the members of pmGroupMemberTable', map {
        my $group = $_;
        map { "pmGroup$_.$group" } grep { ($column{$_}{$group} // -1) != $counted{$group}{$_} } keys %{ $counted{$group} }
    } keys %counted);
    return;
}

sub check_totals {
    my (%state) = @_;
    my %source = column('pmMachineStateSource');
    my %counted = (Machines => scalar keys %state);
    $counted{ { 2 => 'MachinesOff', 4 => 'MachinesOn' }->{$_} // 'MachinesUnknown' }++ for values %state;
    for my $total (sort keys %counted) {
        is((column("pmAgent$total"))[1], $counted{$total}, "pmAgent$total");
    }
    none('the source of a state is none exactly when it is unknown', grep { ($source{$_} == 1) != ($state{$_} == 1) } keys %state);
    my %age = column('pmMachineStateAge');
    none('a known state has an age', grep { $state{$_} != 1 && !defined $age{$_} } keys %state);
    return;
}

# --- SET -------------------------------------------------------------------------------------------------------------------------

sub check_read_only {
    my @wrong;
    for my $column (grep { $_->{access} !~ /^read(write|create)$/ } served()) {
        my ($instance) = instances_of($column);
        my $oid   = $instance // "$column->{oid}.1";
        my $value = $instance ? $value{$instance} : $column->{type} == 0x04 ? 'x' : 1;
        my $error = set([ $oid, $column->{type}, $value ]);
        push @wrong, "$column->{name}: error $error" if $error != $ERROR{notWritable};
    }
    none('a SET of each object that can not be written: notWritable', @wrong);
    return;
}

# Another value that the column may have, and its own.
sub other_value {
    my ($column, $value) = @_;
    my $syntax = $column->{syntax};
    return { map { $_ => 1 } @{ $syntax->{names} } }->{InetAddress} ? pack('C4', 192, 0, 2, 1) : 'räck 7' if $column->{type} == 0x04;
    return $value == 1 ? 2 : 1 if %{ $syntax->{labels} };
    return $value == $syntax->{ranges}[0][1] ? $syntax->{ranges}[0][0] : $syntax->{ranges}[0][1];
}

# Settings keep what is written. The wish and the verbs start jobs: those are tested apart.
sub check_setting {
    my ($column, $instance) = @_;
    my $new = $column->{name} eq 'pmNicInterface' ? 'eth7' : other_value($column, $value{$instance});
    my $first = set([ $instance, $column->{type}, $new ]);
    my ($read) = get($instance);
    my $second = set([ $instance, $column->{type}, $value{$instance} ]);
    my ($back) = get($instance);
    is("$first $read->[2] $second $back->[2]", "0 $new 0 $value{$instance}", "$column->{name}: written, read, written back");
    return;
}

my @SETTINGS = qw(pmAgentJobMaxConcurrent pmAgentInhibit pmAgentNotifyEnable pmMachineInhibit pmMachineInhibitReason
  pmMachineStackTimeout pmMachineVmTimeout pmMachinePowerOnMethod pmNicWolMethod pmNicInterface pmNicAddr pmNicPort
  pmVmShutdownTimeout pmGroupStagger);

# A verb or a wish, and the machine in whose last result its job ends: 1 has a BMC and is on, 2 a NIC.
my @VERBS = (
    [ 'pmMachineAdminState',      '1',   2, 2 ], [ 'pmMachineAdminState', '1', 1, 1 ],
    [ 'pmMachineCommand',         '1',   2, 1 ], [ 'pmMachineStackAdminState', '1', 1, 1 ],
    [ 'pmBmcChassisControl',      '1',   3, 1 ], [ 'pmBmcRestorePolicy',  '1', 4, undef ],
    [ 'pmBmcIdentify',            '1',   2, undef ], [ 'pmBmcBootDevice', '1', 2, undef ],
    [ 'pmBmcBootPersistent',      '1',   1, undef ], [ 'pmBmcBootEfi',    '1', 2, undef ],
    [ 'pmGroupCommand', '6.114.97.99.107.45.49', 2, 1 ],    # rack-1
    [ 'pmNicWake',                '2.1', 2, 1 ], [ 'pmAgentConfigReload', '1', 2, 1 ],
);

# To a VM that runs: nothing is left to do.
sub vm_verbs {
    my %state = column('pmVmState');
    my ($running) = sort grep { $state{$_} == 4 } keys %state;
    return ([ 'pmVmAdminState', $running, 1, 1 ], [ 'pmVmCommand', $running, 2, 1 ]);
}

sub is_idle { my @active = get("$mib->{columns}{pmAgentJobsActive}{oid}.1"); return $active[0][2] == 0; }

sub wait_until_idle {
    my $deadline = time + 60;
    until (is_idle()) {
        die "a job does not end\n" if time > $deadline;
        select undef, undef, undef, 0.05;
    }
    return;
}

sub check_verb {
    my ($name, $index, $verb, $reads) = @_;
    my $column   = $mib->{columns}{$name};
    my $instance = "$column->{oid}.$index";
    is(set([ $instance, $column->{type}, $verb ]), 0, "$name = $verb is accepted");
    my ($read) = get($instance);
    is($read->[2], $reads, "$name reads $reads after it") if defined $reads;
    wait_until_idle();
    return;
}

sub check_lock {
    my ($instance) = instances_of($mib->{columns}{pmAgentSetLock});
    my ($lock) = get($instance);
    is(set([ $instance, INTEGER, $lock->[2] ]), 0, 'pmAgentSetLock: the value read is accepted');
    my ($next) = get($instance);
    is($next->[2], $lock->[2] == 2147483647 ? 0 : $lock->[2] + 1, 'and counted up');
    is(set([ $instance, INTEGER, $lock->[2] ]), $ERROR{inconsistentValue}, 'the old value is not accepted any more');
    return;
}

sub check_read_write {
    for my $name (@SETTINGS) {
        my $column = $mib->{columns}{$name};
        check_setting($column, (instances_of($column))[0]);
    }
    check_verb(@$_) for @VERBS, vm_verbs();
    check_lock();
    my %tried = map { $_ => 1 } @SETTINGS, 'pmAgentSetLock', map { $_->[0] } @VERBS, vm_verbs();
    none('each read-write object was written', grep { !$tried{$_} } map { $_->{name} } grep { $_->{access} eq 'readwrite' } served());
    return;
}

walk();
check_walk();
check_column($_) for readable();
check_rows($_)   for @SERVED;
check_agreement();
check_get();
check_get_next();
check_places_between();
check_bulk($_) for @SERVED;
check_absent();
check_read_only();
check_read_write();
