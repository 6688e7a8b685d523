#!/usr/bin/perl
# SPDX-License-Identifier: GPL-3.0-or-later
# What may be written, by the parsed MIB, and values that may not: a line for each read-write column of the tables named,
# with the type as snmpset's letter. Values are parted by commas; "-" when there are none.
#
#   mib-writable.pl MIB TABLE...
#   NAME  OID  i|u|s  VALUES-OUT-OF-RANGE  LENGTHS-NOT-ALLOWED
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
require 'mib-module.pm';

my ($path, @tables) = @ARGV;
my $mib     = MibModule::read($path);
my %LETTER  = (0x02 => 'i', 0x42 => 'u', 0x04 => 's');
my %BOUNDS  = (i => [ -2147483648, 2147483647 ], u => [ 0, 4294967295 ]);
my %LENGTHS = (pmNicAddr => '1,3,5,15,17,255');    # an address of neither family

# The resting value of a verb, and what cannot be wished for, read only.
sub never_written {
    my ($labels) = @_;
    return map { $labels->{$_} } grep { /^(none|idle|unknown)$/ } keys %$labels;
}

sub bad_values {
    my ($letter, $syntax) = @_;
    return if $letter eq 's';
    my @good = sort { $a <=> $b } values %{ $syntax->{labels} }, map { @$_ } @{ $syntax->{ranges} };
    my ($least, $greatest) = @{ $BOUNDS{$letter} };
    my %bad = map { $_ => 1 } grep { $_ >= $least && $_ <= $greatest && ($_ < $good[0] || $_ > $good[-1]) }
      $least, -1, $good[0] - 1, $good[-1] + 1, $greatest;
    return (sort { $a <=> $b } keys %bad), never_written($syntax->{labels});
}

sub bad_lengths {
    my ($letter, $column) = @_;
    return if $letter ne 's';
    return $LENGTHS{ $column->{name} } // $column->{syntax}{ranges}[-1][1] + 1;
}

for my $column (map { @{ $mib->{tables}{$_}{columns} } } @tables) {
    next if $column->{access} ne 'readwrite';
    my $letter = $LETTER{ $column->{type} };
    print join(' ', $column->{name}, ".$column->{oid}", $letter,
        join(',', bad_values($letter, $column->{syntax})) || '-', join(',', bad_lengths($letter, $column)) || '-'), "\n";
}
