#!/usr/bin/perl
# SPDX-License-Identifier: GPL-3.0-or-later
# The managers of master-kill.t, while snmpd is killed again and again.
#
#   master-kill.pl ask  ADDRESS:PORT MACHINES SECONDS <COMMUNITY   a job for each machine, spread over this time
#   master-kill.pl walk ADDRESS:PORT MACHINES <COMMUNITY           walks as long as LAB/run/walk is there
#   master-kill.pl told ADDRESS:PORT MACHINES <COMMUNITY           what has become of the jobs, and what was told
# The machines are m001, m002, ..., with these pmIndexes. Outcomes as in mib-report.pm; a line "COUNT<tab>what<tab>number"
# is a figure. LAB/run/down has a line for each time the agent was not served: begin and end, in seconds since the epoch.
use strict;
use warnings;
use FindBin;
use Net::SNMP   qw(:asn1);
use Time::HiRes qw(sleep time);
use lib $FindBin::Bin;
BEGIN { require 'job-lab.pm' }
require 'mib-report.pm';
MibReport->import;

my ($part, $address, $machines, $seconds) = @ARGV;
chomp(my $community = <STDIN>);
my $lab = JobLab->new(address => $address, community => $community, mib => "$FindBin::Bin/../../mib/PMSTACK-MIB.txt");

my $OWNER   = 'night shift';
my @ACTIONS = qw(reset cycle powerOn shutdown);    # of machine 1, 2, 3, 4, 5, ...
my %COMMAND = (reset => 'hard-reset', cycle => 'power-cycle', powerOn => 'power-up', shutdown => 'soft-shutdown');
my $DELAY_MAX_S = 3;

sub action_of { my ($machine) = @_; return $ACTIONS[ ($machine - 1) % @ACTIONS ] }
sub delay_of  { my ($machine) = @_; return $machine % ($DELAY_MAX_S + 1) }
sub index_of  { my ($machine) = @_; return JobLab::job_index($machine, $OWNER, "job-$machine") }
sub row_of {
    my ($machine) = @_;
    return (
        pmJobAction => action_of($machine),
        pmJobScope  => 'machine',
        pmJobLabel  => "for machine $machine",
        pmJobDelay  => delay_of($machine),
        pmJobRetain => 86400
    );
}

# --- ask ---------------------------------------------------------------------------------------------------------------

# A manager repeats a SET whose answer is lost; the same again must succeed while the job is at work. When it has ended
# meanwhile, the row is there.
sub ask_for {
    my ($machine) = @_;
    my @row = row_of($machine);
    my @varbinds;
    while (my ($column, $value) = splice @row, 0, 2) { push @varbinds, $column, index_of($machine), $value }
    push @varbinds, pmJobRowStatus => index_of($machine), 'createAndGo';
    my $tries = 0;
    my $done  = JobLab::wait_until {
        $tries++;
        my $answer = $lab->set(@varbinds);
        defined $answer && ($answer eq '' || ($lab->get(pmJobLabel => index_of($machine)) // '') eq "for machine $machine");
    };
    ok($done, "job of machine $machine is accepted", "$tries tries") unless $done;
    return $tries;
}

sub ask {
    my $begin = time;
    my $tries = 0;
    for my $machine (1 .. $machines) {
        sleep($begin + $seconds * ($machine - 1) / $machines - time) if $begin + $seconds * ($machine - 1) / $machines > time;
        $tries += ask_for($machine);
    }
    print "COUNT\tSETs for $machines jobs\t$tries\n";
    return;
}

# --- walk --------------------------------------------------------------------------------------------------------------

# Columns that every row has. StateAge and PowerWatts have no instance while nothing is known.
sub columns_of {
    my ($table) = @_;
    return grep { $lab->{mib}{columns}{$_}{access} ne 'noaccess' && !/StateAge$|PowerWatts$/ }
      map { $_->{name} } @{ $lab->{mib}{tables}{$table}{columns} };
}

# The rows of a table, [index, { column => value }] in order; what is wrong with them is added to @$wrong. The last
# element tells how it ended: whole, or cut.
sub walk_table {
    my ($session, $table, $wrong) = @_;
    my @columns = columns_of($table);
    my @bases   = map { $lab->{mib}{columns}{$_}{oid} } @columns;
    my @next    = @bases;
    my @rows;
    while (1) {
        my $answer = $session->get_bulk_request(-maxrepetitions => 10, -varbindlist => \@next) or return (@rows, 'cut');
        my $types  = $session->var_bind_types();
        my @names  = $session->var_bind_names();
        return (@rows, 'cut') if @names % @bases;
        while (my @row = splice @names, 0, @bases) {
            my @indexes = map { index($row[$_], "$bases[$_].") == 0 ? substr($row[$_], length($bases[$_]) + 1) : '' } 0 .. $#row;
            my ($index) = @indexes;
            return (@rows, 'whole') if !grep { $_ ne '' } @indexes;
            my @odd = grep { $indexes[$_] ne $index } 0 .. $#row;
            push @$wrong, "$table: row $index without " . join(' ', map { "$columns[$_] (has '$indexes[$_]')" } @odd) if @odd;
            push @$wrong, "$table: $index twice" if @rows && $rows[-1][0] eq $index;
            return (@rows, 'whole') if @odd;
            push @rows, [ $index, { map { $columns[$_] => $lab->decode($columns[$_], $answer->{ $row[$_] }) } 0 .. $#row } ];
            @next = @row;
        }
    }
}

sub check_job_row {
    my ($index, $row) = @_;
    my ($machine, $owner, $name) = JobLab::job_names($index);
    return if $owner ne $OWNER;
    my %wanted = (row_of($machine), pmJobRowStatus => 'active', pmJobStorageType => 'nonVolatile', pmJobAdminStatus => 'enabled');
    return map { "pmJobTable: machine $machine: $_ is '$row->{$_}', expected '$wanted{$_}'" } grep { $row->{$_} ne $wanted{$_} } sort keys %wanted;
}

sub check_machine_row {
    my ($index, $row) = @_;
    my $wanted = sprintf 'm%03d', $index;
    return $row->{pmMachineName} eq $wanted ? () : "pmMachineTable: the name of $index is '$row->{pmMachineName}'";
}

sub walk {
    my $session = $lab->session(timeout => 1, retries => 0);
    my %count = map { $_ => 0 } qw(whole cut short rows);
    my (@wrong, @short);
    while (-e "$ENV{LAB}/run/walk") {
        for my $table (qw(pmMachineTable pmJobTable)) {
            my $begin = time;
            my @rows  = walk_table($session, $table, \@wrong);
            my $end   = pop @rows;
            my $short = $table eq 'pmMachineTable' && $end eq 'whole' && @rows < $machines;
            push @short, [ $begin, time, scalar @rows ] if $short;
            $count{ $short ? 'short' : $end }++;
            $count{rows} += @rows;
            push @wrong, $table eq 'pmJobTable' ? check_job_row(@$_) : check_machine_row(@$_) for @rows;
        }
        sleep 0.02;
    }
    none('walks see whole rows, and what was written', @wrong);
    none('walks are short only while the agent is not served', unexplained(@short));
    ok($count{whole} > 2, 'walks come to their end', "$count{whole} of them did");
    print "COUNT\twalks $_\t$count{$_}\n" for sort keys %count;
    return;
}

# Walks that have missed rows at a time when all were served.
sub unexplained {
    my (@short) = @_;
    open my $file, '<', "$ENV{LAB}/run/down" or die "run/down: $!\n";
    my @down = map { [split] } <$file>;
    return map { "$_->[2] rows at $_->[0]" } grep {
        my ($begin, $end) = @$_;
        !grep { $_->[0] < $end && $_->[1] > $begin } @down;
    } @short;
}

# --- told --------------------------------------------------------------------------------------------------------------

# Which kinds of events are told, and as what.
my %TOLD = (
    powerState => qr/^pmPowerStateChange$/, jobStarted => qr/^pmJobStarted$/,
    jobFinished => qr/^pmJobFinished$/,     jobFailed  => qr/^pmJobFailed$/,
);

# { machine => { index => kind } } of the events that were to be told; the first state of a machine is none of them.
sub events {
    my $rows = $lab->walk([qw(pmEventKind pmEventText)]) or die "pmEventTable cannot be walked\n";
    my %events;
    for (keys %$rows) {
        my ($machine, $index) = split /\./;
        $events{$machine}{$index} = $rows->{$_}{pmEventKind} if $TOLD{ $rows->{$_}{pmEventKind} } && $rows->{$_}{pmEventText} !~ /was unknown/;
    }
    return \%events;
}

# The master that was killed may have passed a notification on without having said so: then it comes a second time, by
# the next master, which tells of its own start (coldStart) before. A receiver knows it by its event index.
sub check_told {
    my ($events) = @_;
    my (%master, %top, @wrong, @order, @again, @twice);
    my $masters = 0;
    for my $trap ($lab->traps()) {
        my ($machine, $index, $type) = @$trap{qw(machine index type)};
        $masters++ if $type eq 'coldStart';
        next unless $index;
        my $kind = $events->{$machine}{$index} // '(none)';
        push @wrong, "event $machine.$index, $kind, was told as $type" unless $TOLD{$kind} && $type =~ $TOLD{$kind};
        my $before = $master{$machine}{$index};
        $master{$machine}{$index} = $masters;
        push @again, "$machine.$index" if defined $before;
        push @twice, "$machine.$index" if defined $before && $before == $masters;
        push @order, "$machine.$index after $machine.$top{$machine}" if $index < ($top{$machine} // 0);
        $top{$machine} = $index;
    }
    my @lost = map { my $machine = $_; map { "$machine.$_" } grep { !defined $master{$machine}{$_} } keys %{ $events->{$machine} } } keys %$events;
    none('every event was told as what it is', @wrong);
    none('no notification is lost',            @lost);
    none('each is told once by a master',      @twice);
    none('they come in order for each machine', @order);
    print "COUNT\tnotifications of events\t" . (map { keys %{ $master{$_} } } keys %master) . "\n";
    print "COUNT\ttold again by the next master\t@{[ scalar @again ]}\n";
    return;
}

sub told {
    my %sent;
    $sent{ $_->[0] }{ $_->[1] }++ for $lab->told();
    my (@bad, @sent);
    for my $machine (1 .. $machines) {
        my ($state, $command) = ($lab->get(pmJobState => index_of($machine)) // 'away', $COMMAND{ action_of($machine) });
        push @bad, "machine $machine: $state: " . ($lab->get(pmJobResultText => index_of($machine)) // '') if $state ne 'succeeded';
        push @sent, "machine $machine: @{[ %{ $sent{$machine} // {} } ]}" if join(' ', %{ $sent{$machine} // {} }) ne "$command 1";
    }
    none('all jobs have succeeded',                @bad);
    none('and each was done once, and nothing else', @sent);
    check_told(events());
    is($lab->get(pmAgentNotifyDropped => 1), 0, 'no notification was dropped');
    return;
}

my %PARTS = (ask => \&ask, walk => \&walk, told => \&told);
$PARTS{$part}->();
