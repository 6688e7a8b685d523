#!/usr/bin/perl
# SPDX-License-Identifier: GPL-3.0-or-later
# Compares pmJobTable and pmJobStepTable with the journal, row by row and column by column. Prints what differs, and
# exits with 1 then. What a job at work is doing is in the table only.
#
#   journal-table.pl DATABASE BEFORE AFTER
#
# BEFORE and AFTER: snmpbulkwalk -On -Ox, without MIB, of both tables, before and after DATABASE was copied. What is not
# the same in both of them changed meanwhile, and is not looked at.
use strict;
use warnings;

my ($database, $before, $after) = @ARGV;
my $ROOT = '.1.3.6.1.4.1.8072.9999.9999.7747.1';

# SQL of each column as it reads in the MIB; octets in hexadecimal.
my %JOB = (
    3  => 'action', 4 => 'scope', 5 => 'vm', 6 => 'force', 7 => 'delay_s', 8 => 'timeout_s', 9 => 'vm_timeout_s',
    10 => '2 - arm_wol', 11 => 'nic', 12 => 'wol_addr_type', 13 => 'hex(substr(wol_addr, 1, wol_addr_length))',
    14 => 'wol_port', 15 => 'init_level', 16 => 'hex(label)', 17 => '2 - dry_run', 18 => '2 - enabled', 19 => 'state',
    20 => 'result', 21 => "CASE WHEN state >= 6 THEN hex(text) ELSE '*' END",
    23 => '(SELECT count(*) FROM step WHERE job = job.id)',
    24 => '(SELECT count(*) FROM step WHERE job = job.id AND step.state >= 6)',
    26 => 'begin_ms / 100', 27 => 'end_ms / 100', 28 => 'retain_s', 29 => 'storage', 30 => 'row_status',
);
my %STEP = (
    3 => 'step.vm', 4 => 'step.action', 5 => 'step.level', 6 => 'step.state', 7 => 'step.result',
    8 => "CASE WHEN step.state >= 6 THEN hex(step.text) ELSE '*' END", 9 => 'step.start_ms / 100',
    10 => 'step.end_ms / 100',
);
my %TIME = (6 => { 26 => 1, 27 => 1 }, 7 => { 9 => 1, 10 => 1 });

# DateAndTime in tenths of a second since 1970 (RFC 2579); eight zeros are never.
sub tenths {
    my (@octets) = map { hex } $_[0] =~ /../g;
    return 0 if !grep { $_ } @octets;
    require Time::Local;
    my ($year, $month, $day, $hour, $minute, $second, $tenth, $sign, $east, $more) = ($octets[0] * 256 + $octets[1], @octets[2 .. 10]);
    my $seconds = Time::Local::timegm($second, $minute, $hour, $day, $month - 1, $year);
    my $offset = ($east * 60 + $more) * 60;
    return ($seconds - (chr($sign) eq '-' ? -$offset : $offset)) * 10 + $tenth;
}

# "TABLE.INDEX" => { column => value }
sub read_walk {
    my ($path) = @_;
    my (%rows, $last);
    open(my $file, '<', $path) or die "$path: $!\n";
    while (my $line = <$file>) {
        if ($line =~ /^\Q$ROOT\E\.([67])\.1\.(\d+)\.([\d.]+) = (.*)$/) {
            my ($table, $column, $index, $value) = ($1, $2, $3, $4);
            $value =~ s/^(?:Hex-STRING|STRING|INTEGER|Gauge32): //;
            $value = '' if $value eq '""';
            $last = \($rows{"$table.$index"}{$column} = $value);
        } elsif ($last && $line =~ /^[\dA-Fa-f ]+$/) {
            ${$last} .= $line;
        }
    }
    close($file);
    for my $key (keys %rows) {
        my ($table) = $key =~ /^(\d)/;
        for my $column (keys %{ $rows{$key} }) {
            my $value = \$rows{$key}{$column};
            ${$value} =~ s/\s+//g;
            ${$value} = tenths(${$value}) if $TIME{$table}{$column};
        }
    }
    return \%rows;
}

sub dotted { my @octets = map { hex } $_[0] =~ /../g; return join('.', scalar @octets, @octets); }

sub read_journal {
    my ($rows, $table, $columns, $from) = @_;
    my @numbers = sort { $a <=> $b } keys %{$columns};
    my $number = $table == 7 ? 'step.number' : q('');
    my $sql = "SELECT job.machine, hex(job.owner), hex(job.name), $number, " . join(', ', map { $columns->{$_} } @numbers) . " FROM $from";
    open(my $pipe, '-|', 'sqlite3', '-separator', '|', $database, $sql) or die "sqlite3: $!\n";
    while (my $line = <$pipe>) {
        chomp $line;
        my ($machine, $owner, $name, $step, @values) = split /\|/, $line, -1;
        my $index = join('.', $machine, dotted($owner), dotted($name), $step eq '' ? () : $step);
        @{ $rows->{"$table.$index"} }{@numbers} = @values;
    }
    close($pipe) or die "sqlite3 $database failed\n";
    return;
}

# What a row is, on one line.
sub text_of { my ($row) = @_; return $row ? join('|', map { "$_=$row->{$_}" } sort { $a <=> $b } keys %{$row}) : ''; }

my $walk  = read_walk($before);
my $later = read_walk($after);
my (%journal, %unsteady);
read_journal(\%journal, 6, \%JOB, 'job WHERE row_status < 6');
read_journal(\%journal, 7, \%STEP, 'step JOIN job ON job.id = step.job WHERE job.row_status < 6');
for my $key (keys %{ { %{$walk}, %{$later} } }) {
    my ($index) = $key =~ /^6\.(.*)/;
    $unsteady{$index} = 1 if defined $index && text_of($walk->{$key}) ne text_of($later->{$key});
}

# Rows that stay as they are; a step belongs to its job.
sub steady {
    my ($table, $index) = $_[0] =~ /^(\d)\.(.*)/;
    $index =~ s/\.\d+$// if $table == 7;
    return !$unsteady{$index};
}

# A volatile row is in the journal only while its job has not ended.
sub is_volatile {
    my ($table, $index) = $_[0] =~ /^(\d)\.(.*)/;
    $index =~ s/\.\d+$// if $table == 7;
    return ($walk->{"6.$index"}{29} // 0) == 2;
}

my @wrong;
for my $key (grep { steady($_) } sort keys %journal) {
    my $row = $walk->{$key};
    push @wrong, "$key is in the journal only" and next if !$row;
    for my $column (sort { $a <=> $b } keys %{ $journal{$key} }) {
        my ($told, $kept) = ($row->{$column} // 'nothing', $journal{$key}{$column});
        push @wrong, "$key column $column: the table says $told, the journal $kept" if $kept ne '*' && uc($told) ne uc($kept);
    }
}
push @wrong, map { "$_ is in the table only" } grep { steady($_) && !$journal{$_} && !is_volatile($_) } sort keys %{$walk};
print map { "$_\n" } @wrong;
printf STDERR "%d rows\n", scalar keys %journal;
exit(@wrong ? 1 : 0);
