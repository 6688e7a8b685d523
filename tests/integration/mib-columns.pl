#!/usr/bin/perl
# SPDX-License-Identifier: GPL-3.0-or-later
# The agent's sources beside the parsed MIB: the tables' columns as mib-columns.c prints them, the names of the columns in
# agent/mib/*_table.c, and the enumerations of agent/tc.h. So the two cannot drift.
#
#   mib-columns.pl REPOSITORY <OUTPUT_OF_MIB_COLUMNS
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
require 'mib-module.pm';
require 'mib-report.pm';
MibReport->import;

my ($root) = @ARGV;
my $mib = MibModule::read("$root/mib/PMSTACK-MIB.txt");

# C enumerations that have no textual convention of their own in the MIB.
my %convention_of = (
    pm_truth          => 'SNMPv2-TC::TruthValue',
    pm_row_status     => 'SNMPv2-TC::RowStatus',
    pm_storage        => 'SNMPv2-TC::StorageType',
    pm_vm_admin_state => 'PMSTACK-MIB::PmVmAdminStateTC',
    pm_vm_state       => 'PMSTACK-MIB::PmVmStateTC',
);
my %object_of = (
    pm_power_on_method   => 'pmMachinePowerOnMethod',
    pm_stack_admin_state => 'pmMachineStackAdminState',
    pm_wol_method        => 'pmNicWolMethod',
    pm_nic_armed         => 'pmNicArmed',
    pm_bmc_status        => 'pmBmcStatus',
    pm_os_reachable      => 'pmMachineOsReachable',
    pm_event_kind        => 'pmEventKind',
    pm_severity          => 'pmEventSeverity',
    pm_job_state         => 'pmJobState',
    pm_job_admin_status  => 'pmJobAdminStatus',
    pm_step_action       => 'pmJobStepAction',
);

# --- the columns --------------------------------------------------------------------------------------------------

my %access = (na => 'noaccess', ro => 'readonly', rw => 'readwrite', rc => 'readcreate');

sub check_column {
    my ($column, $type, $access, $min, $max, $never) = @_;
    my $name = $column->{name};
    is($type,            $column->{type},   "$name: ASN.1 type");
    is($access{$access}, $column->{access}, "$name: access");
    return unless $access =~ /^r[wc]$/;
    is("$min..$max", join('..', MibModule::bounds($column)), "$name: range");
    is($never, (MibModule::never_set($column))[0] // 0, "$name: the value that is not set");
    return;
}

sub check_columns {
    my %seen;
    while (my $line = <STDIN>) {
        my ($table, $number, $column, @rest) = split ' ', $line;
        my $expected = $mib->{tables}{$table} or ok(0, "$table is in the MIB"), next;
        $seen{$table}{$column} = 1;
        is($number, ($expected->{oid} =~ /(\d+)$/)[0], "$table: number") if keys %{ $seen{$table} } == 1;
        my ($object) = grep { $_->{number} == $column } @{ $expected->{columns} };
        ok($object, "$table: column $column is in the MIB") && check_column($object, @rest);
    }
    for my $table (sort keys %seen) {
        none("$table: all columns of the MIB", map { $_->{name} } grep { !$seen{$table}{ $_->{number} } } accessible($table));
    }
    return;
}

# An index that is not accessible need not be declared.
sub accessible { my ($table) = @_; return grep { $_->{access} ne 'noaccess' } @{ $mib->{tables}{$table}{columns} }; }

# --- enumerations in C ----------------------------------------------------------------------------------------------

sub slurp {
    my ($path) = @_;
    local $/;
    open(my $file, '<', $path) or die "$path: $!\n";
    my $text = <$file>;
    $text =~ s{/\*.*?\*/}{}gs;
    return $text;
}

# NAME => number, of the body of a C enum.
sub enumerators {
    my ($body) = @_;
    my ($next, %number) = (0);
    for my $item (grep { /\S/ } split /,/, $body) {
        my ($name, $value) = $item =~ /^\s*(\w+)\s*(?:=\s*(\d+))?\s*$/ or die "cannot read \"$item\"\n";
        $next = $value // $next;
        $number{$name} = $next++;
    }
    return %number;
}

# POWER_STATE and powerState alike.
sub plain { my ($name) = @_; $name =~ s/_//g; return lc $name; }

sub check_column_names {
    my ($path) = @_;
    my $text = slurp($path);
    my ($first) = $text =~ /\benum\s*\{([^}]*COLUMN_COUNT)/ or return;
    my ($table) = $text =~ /\.name = "(pm\w+)"/;
    my %number = enumerators($first);
    my $prefix = plain($table =~ s/Table$//r);
    delete @number{qw(COLUMN_COUNT INDEX)};
    my %named = map { plain($_->{name}) => $_->{number} } @{ $mib->{tables}{$table}{columns} };
    none(
        "$table: the columns are called in C as in the MIB",
        grep { ($named{ $prefix . plain($_) } // $named{ 'pm' . plain($_) } // 0) != $number{$_} } sort keys %number
    );
    return;
}

# The labels of the textual convention or object that a C enum stands for.
sub labels_of {
    my ($tag) = @_;
    return $mib->{columns}{ $object_of{$tag} }{syntax}{labels} if $object_of{$tag};
    my $name = join '', map { ucfirst } split /_/, $tag;
    my $type = $mib->{types}{ $convention_of{$tag} // "PMSTACK-MIB::$name" } or return {};
    return $type->{labels};
}

# Labels that the agent neither shows nor takes.
my %not_used = (pm_storage => { map { $_ => 1 } qw(other permanent readOnly) });

sub check_enum {
    my ($tag, $body) = @_;
    my %number  = enumerators($body);
    my $labels  = labels_of($tag);
    my %in_c    = reverse %number;
    my @missing = grep { !$not_used{$tag}{$_} && plain($in_c{ $labels->{$_} } // '') !~ /\Q@{[ plain($_) ]}\E$/ } sort keys %$labels;
    none("enum $tag has each label of the MIB, with its number", @missing);
    is(scalar(keys %number), scalar(grep { !$not_used{$tag}{$_} } keys %$labels), "enum $tag has no others");
    return;
}

check_columns();
check_column_names($_) for sort glob("$root/agent/mib/*_table.c");
my $header = slurp("$root/agent/tc.h");
check_enum($1, $2) while $header =~ /\benum\s+(\w+)\s*\{([^}]*)\}/g;
