#!/usr/bin/perl
# SPDX-License-Identifier: GPL-3.0-or-later
# What may be written, by the parsed MIB, and values that may not: a line for each writable column of the tables named,
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
my $ADDRESS = '1,3,5,15,17,255';    # of neither family
my %LENGTHS = (pmNicAddr => $ADDRESS, pmJobWolAddr => $ADDRESS);

sub bad_values {
    my ($letter, $column) = @_;
    return if $letter eq 's';
    my @good = MibModule::bounds($column);
    my ($least, $greatest) = @{ $BOUNDS{$letter} };
    my %bad = map { $_ => 1 } grep { $_ >= $least && $_ <= $greatest && ($_ < $good[0] || $_ > $good[1]) }
      $least, -1, $good[0] - 1, $good[1] + 1, $greatest;
    return (sort { $a <=> $b } keys %bad), MibModule::never_set($column);
}

sub bad_lengths {
    my ($letter, $column) = @_;
    return if $letter ne 's';
    return $LENGTHS{ $column->{name} } // (MibModule::bounds($column))[1] + 1;
}

for my $column (map { @{ $mib->{tables}{$_}{columns} } } @tables) {
    next if $column->{access} !~ /^read(write|create)$/;
    my $letter = $LETTER{ $column->{type} };
    print join(' ', $column->{name}, ".$column->{oid}", $letter,
        join(',', bad_values($letter, $column)) || '-', join(',', bad_lengths($letter, $column)) || '-'), "\n";
}
