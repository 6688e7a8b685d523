#!/usr/bin/perl
# SPDX-License-Identifier: GPL-3.0-or-later
# Kills pmstackd at one point of its journal after another, starts it again, and looks at what has become of its jobs.
#
#   journal-kill.pl ADDRESS:PORT FIRST STEP AGENT... <COMMUNITY
# Takes the FIRST-th of the points of each kind, then every STEP-th, until the jobs are over before the next point is
# reached. AGENT... is the command that starts pmstackd with killer.so (tests/lab/killer.c) for STATE/state.db, where STATE
# is the state directory of the lab's pmstackd; its configuration is that of journal-kill.t. Outcomes as in
# mib-report.pm.
use strict;
use warnings;
use FindBin;
use List::Util  qw(max);
use Time::HiRes qw(sleep time);
use lib $FindBin::Bin;
BEGIN { require 'job-lab.pm' }
require 'mib-report.pm';
MibReport->import;

my $OWNER = 'ops';
my $cycle = 0;
my ($address, $first, $step, @agent) = @ARGV;
chomp(my $community = <STDIN>);
my $state    = "$ENV{LAB}/state/pmstackd";
my $database = "$state/state.db";
my $control  = "$state/killer";
my $lab      = JobLab->new(address => $address, community => $community, mib => "$FindBin::Bin/../../mib/PMSTACK-MIB.txt");

# struct control of killer.c
my %WHEN  = ('before operation' => 1, 'after commit' => 2, 'before sync' => 3, 'after sync' => 4);
my $WHENS = 5;

# --- the jobs --------------------------------------------------------------------------------------------------------

# Each is asked for by SETs at their times (seconds from the beginning; those of one time follow each other at once).
#   machine    its pmIndex, and the number of its BMC
#   power      of the machine at the beginning
#   sets       [ time, what, values of the row of pmJobTable, or the verb ]
#   once       commands that may be sent once, over restarts too
#   leaves     the machine's power when it has succeeded
#   wish       it must be fulfilled, also over restarts
#   ends       how, when nobody is killed
my @JOBS = (
    {
        name => 'reboot', machine => 1, power => 'on', leaves => 'on', ends => 'succeeded', once => [qw(soft-shutdown power-down)],
        sets => [ [ 0, 'create', pmJobAction => 'reboot', pmJobScope => 'machine', pmJobLabel => 'of three steps' ] ],
    },
    {
        name => 'reset', machine => 2, power => 'on', leaves => 'on', ends => 'succeeded', once => ['hard-reset'],
        sets => [ [ 0, 'verb', 'reset' ] ],
    },
    {
        name => 'cycle', machine => 3, power => 'on', leaves => 'on', ends => 'succeeded', once => ['power-cycle'],
        sets => [ [ 0, 'create', pmJobAction => 'cycle', pmJobScope => 'machine', pmJobLabel => 'momentary' ] ],
    },
    {
        name => 'powerOn', machine => 4, power => 'off', leaves => 'on', ends => 'succeeded', wish => 1, once => [],
        sets => [ [ 0, 'verb', 'powerOn' ] ],
    },
    {
        name => 'member', machine => 5, power => 'on', leaves => 'on', ends => 'succeeded', once => ['hard-reset'],
        sets => [ [ 0.1, 'group', 'reset' ] ],
    },
    { name => 'member', machine => 6, power => 'on', leaves => 'on', ends => 'succeeded', once => ['hard-reset'], sets => [] },
    {
        name => 'delayed', machine => 7, power => 'on', leaves => 'off', ends => 'succeeded', wish => 1, once => [],
        sets => [ [ 0, 'create', pmJobAction => 'powerOff', pmJobScope => 'machine', pmJobLabel => 'later', pmJobDelay => 1 ] ],
    },
    {
        name => 'reset at last', machine => 11, power => 'on', leaves => 'on', ends => 'succeeded', once => ['hard-reset'],
        sets => [ [ 0, 'create', pmJobAction => 'reset', pmJobScope => 'machine', pmJobLabel => 'momentary, later', pmJobDelay => 1 ] ],
    },
    {
        name => 'abort', machine => 8, power => 'on', leaves => 'on', ends => 'aborted', once => [qw(soft-shutdown power-down)],
        sets => [
            [ 0,   'create', pmJobAction => 'reboot', pmJobScope => 'machine', pmJobLabel => 'stopped' ],
            [ 0.4, 'abort',  pmJobAdminStatus => 'disabled' ],
        ],
    },
    {
        name => 'draft', machine => 9, power => 'on', leaves => 'off', ends => 'succeeded', wish => 1, once => [],
        sets => [
            [ 0,   'draft',    pmJobAction => 'shutdown', pmJobScope => 'machine', pmJobLabel => 'prepared' ],
            [ 0.2, 'activate', pmJobRowStatus => 'active' ],
        ],
    },
    {
        name => 'interrupt', machine => 10, power => 'on', leaves => 'on', ends => 'succeeded', once => ['diagnostic-interrupt'],
        sets => [ [ 0, 'verb', 'diagnosticInterrupt' ] ],
    },
);

my $BMCS = max map { $_->{machine} } @JOBS;
my @REQUESTS = sort { $a->{at} <=> $b->{at} } map {
    my $job = $_;
    map { { job => $job, at => $_->[0], what => $_->[1], values => [ @$_[ 2 .. $#$_ ] ] } } @{ $job->{sets} };
} @JOBS;

my %FINAL = map { $_ => 1 } qw(succeeded failed aborted timedOut interrupted);
my @ROW   = qw(pmJobAction pmJobScope pmJobDelay pmJobLabel pmJobState pmJobResult pmJobResultText pmJobStepsTotal pmJobStepsDone pmJobRowStatus);

# The varbinds of a request of this cycle.
sub varbinds {
    my ($request) = @_;
    my ($machine, @values) = ($request->{job}{machine}, @{ $request->{values} });
    return (pmMachineCommand => $machine, @values) if $request->{what} eq 'verb';
    return (pmGroupCommand => JobLab::text_index('pair'), @values) if $request->{what} eq 'group';
    my $index = row_index($request->{job});
    push @values, pmJobRowStatus => 'createAndGo'   if $request->{what} eq 'create';
    push @values, pmJobRowStatus => 'createAndWait' if $request->{what} eq 'draft';
    my @list;
    while (my ($column, $value) = splice @values, 0, 2) { push @list, $column, $index, $value }
    return @list;
}

sub has_row { my ($job) = @_; return grep { $_->[1] =~ /create|draft/ } @{ $job->{sets} } }
sub row_index { my ($job) = @_; return JobLab::job_index($job->{machine}, $OWNER, "$job->{name}-$cycle") }

# --- killing ---------------------------------------------------------------------------------------------------------

sub write_control {
    my (@numbers) = @_;
    open my $file, '+<:raw', $control or die "$control: $!\n";
    syswrite $file, pack 'L*', @numbers;
    return;
}

sub read_control {
    open my $file, '<:raw', $control or die "$control: $!\n";
    sysread $file, my $octets, 4 * ($WHENS + 3);
    my ($when, $at, @counts) = unpack 'L*', $octets;
    my $killed = pop @counts;
    return { killed => $killed, map { $_ => $counts[ $WHEN{$_} ] } keys %WHEN };
}

# The process that runs, or the next one, dies at this point; without a point none does.
sub arm {
    my ($point) = @_;
    write_control($point ? ($WHEN{ $point->{when} }, $point->{at}) : (0, 0), (0) x $WHENS, 0);
    return;
}

# What is sure to be there after a loss of power: what was synchronised. SQLite makes state.db-shm anew.
sub lose_power {
    for my $file ($database, "$database-wal") {
        unlink $file;
        system('cp', '-p', "$file.synced", $file) == 0 or die "$file.synced\n" if -e "$file.synced";
    }
    unlink "$database-shm";
    system('chown', '-R', 'nobody', $state) == 0 or die "chown\n";
    return;
}

# A process that is killed closes no sessions, and a BMC has few.
sub start {
    $lab->farm('bmc all expire');
    $lab->agent_start(@agent);
    return;
}

sub stop {
    $lab->agent_signal('TERM');
    JobLab::wait_until { $lab->agent_gone() } or die "the agent does not end\n";
    unlink map { "$_.synced" } $database, "$database-wal";
    return;
}

# --- one cycle: the jobs, kills, starts, and what has become of the jobs -----------------------------------------------

my $context = '';    # what is being done, for complaints
my @complaints;
my %stat = map { $_ => 0 } qw(cycles kills accepted unanswered again);

sub complain { my ($text) = @_; push @complaints, "$context: $text"; return }

sub prepare {
    my %power;
    push @{ $power{ $_->{power} } }, $_->{machine} for @JOBS;
    $lab->farm("bmc @{[ join ',', @{ $power{$_} } ]} power $_") for keys %power;
    JobLab::wait_until { $lab->agent_serves() } or die "$context: pmstackd serves no rows\n";
    $lab->agent_signal('USR2');    # polls all
    JobLab::wait_until {
        my $rows = $lab->walk(['pmMachinePowerState']) or return 0;
        !grep { ($rows->{ $_->{machine} }{pmMachinePowerState} // '') ne $_->{power} } @JOBS;
    } or die "$context: the machines are not as they should be at the beginning: " . join(' ', map { $_->{machine} . ' ' . ($lab->get(pmMachinePowerState => $_->{machine}) // '-') } @JOBS), "\n";
    be_quiet() or die "$context: it does not come to rest\n";
    $lab->told();
    return;
}

# Waits until nothing is at work and all is told, or the agent has gone. False: neither comes.
sub be_quiet {
    return JobLab::wait_until {
        sleep 0.05;
        $lab->agent_gone() || ($lab->agent_serves() && ($lab->get(pmAgentJobsActive => 1) // 1) == 0 && ($lab->get(pmAgentNotifyPending => 1) // 1) == 0);
    };
}

# Asks for the jobs until the agent is killed. What was answered, by job and what: '' accepted, else the refusal;
# undef: it was killed, and may have done it or not.
sub ask {
    my $begin = time;
    my %answers;
    for my $request (@REQUESTS) {
        sleep max(0, $begin + $request->{at} - time);
        last if $lab->agent_gone();
        my $answer = $lab->set(varbinds($request));
        my $killed = !(defined $answer && $answer eq '') && JobLab::wait_until { $lab->agent_gone() } 0.3;
        $answer = undef if $killed;
        complain("$request->{job}{name}: $request->{what}: " . ($answer // 'no answer')) if !$killed && ($answer // '-') ne '';
        $answers{ $request->{job}{name} }{ $request->{what} } = $answer;
        $stat{ $killed ? 'unanswered' : 'accepted' }++;
    }
    return \%answers;
}

# A manager repeats what was not answered: without it this job would wait for its machine for ever.
sub abort_again {
    my ($answers) = @_;
    my ($job) = grep { $_->{name} eq 'abort' } @JOBS;
    my $index = row_index($job);
    JobLab::wait_until { $lab->agent_gone() || $lab->agent_serves() };
    my $state = $lab->get(pmJobState => $index) // 'none';
    return if $lab->agent_gone() || $FINAL{$state} || !grep { $state eq $_ } qw(scheduled running verifying);
    $answers->{abort}{abort} = $lab->set(pmJobAdminStatus => $index, 'disabled');
    return;
}

# Runs the jobs and kills the agent at the first point, the next one at the second, and so on. Whether all were reached.
sub run {
    my (@points) = @_;
    my $reached = 0;
    $cycle++;
    $context = "cycle $cycle";
    prepare();
    $context = join ', ', "cycle $cycle", map { "killed $_->{when} $_->{at}" . ($_->{loss} ? ', power lost' : '') } @points;
    arm($points[0]);
    my $answers = ask();
    for my $i (0 .. $#points) {
        abort_again($answers) if $i;
        be_quiet() or complain('it does not come to rest');
        last unless $lab->agent_gone();
        complain("it ended by itself, status $lab->{status}") unless read_control()->{killed};
        $stat{kills}++;
        $reached++;
        lose_power() if $points[$i]{loss};
        arm($points[ $i + 1 ]);
        start();
    }
    arm();
    abort_again($answers);
    be_quiet() or complain('it does not come to rest');
    die "$context: pmstackd has ended, status $lab->{status}\n" if $lab->agent_gone();
    check($answers, $reached);
    $stat{cycles}++;
    return $reached == @points;
}

# --- what has become of them -------------------------------------------------------------------------------------------

my (%told, %top, %ends, %begins, @groups);

# Takes in what was told: an index is that of one event for ever, and they ascend for each machine.
sub note_traps {
    my @traps = $lab->traps();
    push @groups, grep { $_->{type} eq 'pmGroupFinished' } @traps;
    for my $trap (grep { $_->{index} } @traps) {
        my ($machine, $index, $values) = @$trap{qw(machine index values)};
        my $job       = join '/', map { $values->{$_} // '' } qw(pmNotifyJobOwner pmNotifyJobName);
        my $signature = join ' ', $trap->{type}, $job, map { $values->{$_} // '' } qw(pmMachinePowerState pmMachineLastResult pmNotifyText);
        if (defined $told{$machine}{$index}) {
            $stat{again}++;
            complain("event $machine.$index was '$told{$machine}{$index}', and is told as '$signature'") if $told{$machine}{$index} ne $signature;
            next;
        }
        complain("event $machine.$index is told after $machine.$top{$machine}") if $index < ($top{$machine} // 0);
        $told{$machine}{$index} = $signature;
        $top{$machine} = $index;
        $ends{$machine}{$job}{$index}   = $trap if $trap->{type} =~ /^pmJob(Finished|Failed)$/;
        $begins{$machine}{$job}{$index} = $trap if $trap->{type} eq 'pmJobStarted';
    }
    return;
}

# The rows of each machine: { machine => { "owner/name" => row } }.
sub by_machine {
    my ($rows) = @_;
    my %of;
    for my $index (keys %$rows) {
        my ($machine, $owner, $name) = JobLab::job_names($index);
        $of{$machine}{"$owner/$name"} = $rows->{$index};
    }
    return \%of;
}

# The answers to the SETs that ask for a job, and to those that change it.
my %ASKS = map { $_ => 1 } qw(verb group create draft);

sub check_job {
    my ($job, $answers, $rows, $sent, $power, $killed) = @_;
    my @asked = grep { $ASKS{$_} } keys %$answers;
    my $accepted = grep { ($answers->{$_} // '-') eq '' } @asked;
    my ($name, @more) = sort keys %$rows;
    my $row = defined $name ? $rows->{$name} : undef;
    complain("$job->{name}: it was accepted, and is not there") if $accepted && !$row;
    complain("$job->{name}: there are several rows for it: $name @more") if @more;
    complain("$job->{name}: nobody has asked for it, and it is there: $name") if $row && !@asked;
    complain("$job->{name}: it is not in the journal, and sent: @$sent") if !$row && @$sent;
    for my $command (@{ $job->{once} }) {
        my $times = grep { $_ eq $command } @$sent;
        complain("$job->{name}: $command was sent $times times") if $times > 1;
    }
    return unless $row;
    $stat{ "$job->{name} $row->{pmJobState}" . (@$sent ? '' : ', nothing sent') }++;
    check_row($job, $answers, $name, $row);
    check_effect($job, $row, $sent, $power);
    complain("$job->{name}: $row->{pmJobState}: $row->{pmJobResultText}") if !$killed && $row->{pmJobState} ne $job->{ends};
    return;
}

# What a SET writes is there as a whole; what has ended was told once.
sub check_row {
    my ($job, $answers, $name, $row) = @_;
    my ($created) = grep { $_->[1] =~ /create|draft/ } @{ $job->{sets} };
    my %wanted = $created ? @$created[ 2 .. $#$created ] : ();
    my $ends   = keys %{ $ends{ $job->{machine} }{$name}   // {} };
    my $begins = keys %{ $begins{ $job->{machine} }{$name} // {} };
    my $draft = $row->{pmJobState} eq 'notReady';
    for my $column (keys %wanted) {
        complain("$job->{name}: $column is '$row->{$column}'") if $row->{$column} ne $wanted{$column};
    }
    complain("$job->{name}: it is $row->{pmJobState}") unless $FINAL{ $row->{pmJobState} } || $draft;
    complain("$job->{name}: it was activated, and is a draft") if $draft && ($answers->{activate} // '-') eq '';
    complain("$job->{name}: it is $row->{pmJobState}, and its end was told by $ends events") if $ends != ($draft ? 0 : 1);
    complain("$job->{name}: its begin was told by $begins events") if $begins > 1;
    complain("$job->{name}: it was aborted, and is $row->{pmJobState}")
      if ($answers->{abort} // '-') eq '' && $row->{pmJobState} ne 'aborted';
    complain("$job->{name}: $row->{pmJobStepsDone} of $row->{pmJobStepsTotal} steps are done: " . steps_of($job))
      if $row->{pmJobState} eq 'succeeded' && ($row->{pmJobStepsDone} != $row->{pmJobStepsTotal} || !$row->{pmJobStepsDone});
    return;
}

# Its steps in words.
sub steps_of {
    my ($job) = @_;
    my $steps = $lab->walk([qw(pmJobStepAction pmJobStepState pmJobStepResult pmJobStepText)], row_index($job)) // {};
    return join ', ', map { join ' ', @{ $steps->{$_} }{qw(pmJobStepAction pmJobStepState pmJobStepResult pmJobStepText)} } sort keys %$steps;
}

sub check_effect {
    my ($job, $row, $sent, $power) = @_;
    my $state = "$row->{pmJobState} ($row->{pmJobResultText}), sent: @$sent, machine $power";
    if ($row->{pmJobState} eq 'succeeded') {
        complain("$job->{name}: $state") if $power ne $job->{leaves};
        complain("$job->{name}: $state") if $row->{pmJobResult} eq 'ok' && !@$sent;
    } elsif ($job->{wish} && $row->{pmJobState} ne 'notReady') {
        complain("$job->{name}: it is a wish, and $state");
    }
    complain("$job->{name}: $state") if $row->{pmJobState} eq 'aborted' && grep { /power-/ } @$sent;
    complain("$job->{name}: $state") if $row->{pmJobState} eq 'notReady' && @$sent;
    return;
}

# { bmc => on or off }
sub powers { return map { /^bmc=(\d+).* power=(\w+)/ ? ($1 => $2) : () } $lab->farm("stat 1-$BMCS") }

sub check {
    my ($answers, $killed) = @_;
    my $rows  = by_machine(check_journal());
    my %power = powers();
    my %sent;
    push @{ $sent{ $_->[0] } }, $_->[1] for $lab->told();
    @groups = ();
    JobLab::wait_until { note_traps(); !untold($rows) && (!$rows->{5} || @groups) } 3;
    for my $job (@JOBS) {
        my $machine = $job->{machine};
        check_job($job, $answers->{ $job->{name} } // {}, $rows->{$machine} // {}, $sent{$machine} // [], $power{$machine}, $killed);
    }
    check_group($rows, $killed);
    clear($rows);
    return;
}

# What the table shows is what the journal has.
sub check_journal {
    my ($rows, @table, @journal);
    my $same = JobLab::wait_until {
        $rows    = $lab->walk(\@ROW) or return 0;
        @table   = sort map { table_line($_, $rows->{$_}) } keys %$rows;
        @journal = sort(journal_lines());
        "@table" eq "@journal";
    } 3;
    my %in_journal = map { $_ => 1 } @journal;
    my %in_table   = map { $_ => 1 } @table;
    complain("the journal has not what pmJobTable shows: $_") for grep { !$same && !$in_journal{$_} } @table;
    complain("pmJobTable does not show what the journal has: $_") for grep { !$same && !$in_table{$_} } @journal;
    return $rows;
}

sub table_line {
    my ($index, $row) = @_;
    my ($machine, $owner, $name) = JobLab::job_names($index);
    return join '|', $machine, $owner, $name, map { $row->{$_} } qw(pmJobAction pmJobLabel pmJobState pmJobResult pmJobStepsTotal pmJobStepsDone);
}

sub journal_lines {
    open my $pipe, '-|', 'sqlite3', $database,
      'SELECT machine, owner, name, action, label, state, result, (SELECT count(*) FROM step WHERE job = job.id),'
      . ' (SELECT count(*) FROM step WHERE job = job.id AND state > 5) FROM job'
      or die "sqlite3: $!\n";
    chomp(my @lines = <$pipe>);
    return map {
        my @fields = split /\|/, $_, -1;
        $fields[ $_->[0] ] = $lab->decode($_->[1], $fields[ $_->[0] ]) for [ 3, 'pmJobAction' ], [ 5, 'pmJobState' ], [ 6, 'pmJobResult' ];
        join '|', @fields;
    } @lines;
}

# Both members of the group have got a job, or none; the end of all was told once, but for repetitions after a kill.
sub check_group {
    my ($rows, $killed) = @_;
    my ($one, $other) = map { scalar keys %{ $rows->{$_} // {} } } 5, 6;
    complain("group: $one and $other jobs of its members") if $one != $other;
    complain('group: its end was told ' . @groups . ' times') if $one ? !@groups || @groups > 1 + $killed : @groups;
    for my $values (map { $_->{values} } @groups) {
        my ($total, $good, $bad) = map { /(\d+)/ } @$values{qw(pmNotifyJobsTotal pmNotifyJobsSucceeded pmNotifyJobsFailed)};
        complain("group: $good of $total have succeeded, and $bad have not") if $total != 2 || $good + $bad != 2;
    }
    return;
}

sub untold {
    my ($rows) = @_;
    return grep { my $machine = $_; grep { $FINAL{ $rows->{$machine}{$_}{pmJobState} } && !$ends{$machine}{$_} } keys %{ $rows->{$machine} } } keys %$rows;
}

# Rows that are not at work may go; all in one SET.
sub clear {
    my ($rows) = @_;
    my @varbinds;
    for my $machine (sort { $a <=> $b } keys %$rows) {
        push @varbinds, pmJobRowStatus => JobLab::job_index($machine, split m{/}, $_, 2), 'destroy' for sort keys %{ $rows->{$machine} };
    }
    my $answer = @varbinds ? $lab->set(@varbinds) : '';
    complain('destroy: ' . ($answer // 'no answer')) if ($answer // '-') ne '';
    my $left = $lab->walk(['pmJobState']) // {};
    complain('rows stay after destroy: ' . keys %$left) if %$left;
    return;
}

# --- all points of all kinds -------------------------------------------------------------------------------------------

my $COMPLAINTS_MAX = 20;

# every(FUNCTION): calls it for FIRST, FIRST + STEP, ... until it says that this point was not reached. How many were.
sub every {
    my ($run) = @_;
    my $at = $first;
    while (@complaints < $COMPLAINTS_MAX && $run->($at)) { $at += $step }
    return $at;
}

sub names {
    my $rows = $lab->walk(['pmNameIndex']) or die "pmNameTable cannot be walked\n";
    return join ' ', map { "$_ is $rows->{$_}{pmNameIndex}" } sort keys %$rows;
}

# What is in the rings of events was told.
sub check_events {
    my @wrong;
    be_quiet();
    JobLab::wait_until { note_traps(); @wrong = untold_events(); !@wrong } 3;
    none('every event was told as what it is', @wrong);
    return;
}

my %TOLD_AS = (powerState => 'pmPowerStateChange', jobStarted => 'pmJobStarted', jobFinished => 'pmJobFinished', jobFailed => 'pmJobFailed');

# But the first state of a machine, which nobody is told of.
sub untold_events {
    my $rows = $lab->walk([qw(pmEventKind pmEventText)]) or die "pmEventTable cannot be walked\n";
    my @wrong;
    for my $row (sort keys %$rows) {
        my ($machine, $index) = split /\./, $row;
        my ($kind, $text) = @{ $rows->{$row} }{qw(pmEventKind pmEventText)};
        my $told = $told{$machine}{$index} // 'nothing';
        push @wrong, "event $row ($text) was told as: $told" if $TOLD_AS{$kind} && $told !~ /^$TOLD_AS{$kind} / && $text !~ /was unknown/;
    }
    return @wrong;
}

srand $first;
arm();
start();
JobLab::wait_until { $lab->agent_serves() } or die "pmstackd serves no rows\n";
my $names = names();
my %reached;
for my $when (sort { $WHEN{$a} <=> $WHEN{$b} } keys %WHEN) {
    next if $when eq 'before sync' || $when eq 'after sync';
    $reached{$when} = every(sub { run({ when => $when, at => $_[0] }) });
}
for my $when ('after commit', 'before sync', 'after sync') {
    $reached{"$when, power lost"} = every(sub { run({ when => $when, at => $_[0], loss => 1 }) });
}
my $last = $reached{'before operation'};
$reached{'before operation, in the start after a kill'} =
  every(sub { run({ when => 'before operation', at => 1 + int rand $last }, { when => 'before operation', at => $_[0] }) });
is(names(), $names, 'the indexes are as they were');
check_events();
stop();
is($lab->{status}, 0, 'the agent ends well');
none('killed at any point, no rule is broken', @complaints);
print "REACHED\t$_\t$reached{$_}\n" for sort keys %reached;
print "COUNT\t$_\t$stat{$_}\n"      for sort keys %stat;
