# SPDX-License-Identifier: GPL-3.0-or-later
# A manager of jobs in the lab, for the tests written in Perl: SETs and walks by SNMP in the words of the MIB, what
# snmptrapd was told, what the farm's machines were told, and a pmstackd that can be killed and started again.
#
#   my $lab = JobLab->new(address => 'ADDRESS:PORT', community => 'it may write', mib => 'PMSTACK-MIB.txt');
# LAB is the lab's directory (tests/lab/lab.sh). SMIPATH is for smidump.
package JobLab;
use strict;
use warnings;
use FindBin;
use Net::SNMP   qw(oid_base_match :asn1);
use Time::HiRes qw(sleep time);
use lib $FindBin::Bin;
require 'mib-module.pm';

my $WAIT_S = 30;      # for what has to come; only a failure takes so long
my $POLL_S = 0.01;
my $BULK   = 25;      # repetitions in a GETBULK

sub new {
    my ($class, %option) = @_;
    my $self = bless { %option, mib => MibModule::read($option{mib}), traps => [] }, $class;
    $self->{session} = $self->session(timeout => 1, retries => 4);
    $self->{labels} = { map { $_ => { reverse %{ $self->{mib}{columns}{$_}{syntax}{labels} } } } keys %{ $self->{mib}{columns} } };
    return $self;
}

# Another manager: timeout in seconds, retries.
sub session {
    my ($self, %option) = @_;
    my ($host, $port) = split /:/, $self->{address};
    my ($session, $error) = Net::SNMP->session(
        -hostname => $host, -port => $port, -version => 'snmpv2c', -community => $self->{community},
        -translate => 0, -timeout => $option{timeout}, -retries => $option{retries}, -maxmsgsize => 65507
    );
    die "no session: $error\n" unless $session;
    return $session;
}

# wait_until { condition } SECONDS: whether it came true in time.
sub wait_until(&;$) {
    my ($condition, $seconds) = @_;
    my $deadline = time + ($seconds // $WAIT_S);
    while (!$condition->()) {
        return 0 if time > $deadline;
        sleep $POLL_S;
    }
    return 1;
}

# --- names -----------------------------------------------------------------------------------------------------------

sub text_index { my ($text) = @_; return join '.', length $text, unpack 'C*', $text }

# job_index(5, 'ops', 'nightly')
sub job_index { my ($machine, $owner, $name) = @_; return join '.', $machine, text_index($owner), text_index($name) }

# The reverse: (5, 'ops', 'nightly', whatever follows).
sub job_names {
    my ($index) = @_;
    my ($machine, @parts) = split /\./, $index;
    my @texts = map { pack 'C*', splice @parts, 0, shift @parts } 1, 2;
    return ($machine, @texts, @parts);
}

sub oid {
    my ($self, $column, $index) = @_;
    my $known = $self->{mib}{columns}{$column} or die "$column is not in the MIB\n";
    return "$known->{oid}.$index";
}

sub encode {
    my ($self, $column, $value) = @_;
    my $known  = $self->{mib}{columns}{$column};
    my $number = $known->{syntax}{labels}{$value};
    return ($known->{type}, $number // $value);
}

# An enumeration as its label.
sub decode {
    my ($self, $column, $value) = @_;
    return defined $value && length $value ? $self->{labels}{$column}{$value} // $value : $value;
}

# --- requests --------------------------------------------------------------------------------------------------------

# set(pmJobAction => INDEX, 'reset', ...): '' when it was accepted, else the reason; undef: no answer came.
sub set {
    my ($self, @varbinds) = @_;
    my @list;
    while (my ($column, $index, $value) = splice @varbinds, 0, 3) {
        push @list, $self->oid($column, $index), $self->encode($column, $value);
    }
    my $session = $self->{setter} //= $self->session(timeout => 3, retries => 0);
    return '' if $session->set_request(-varbindlist => \@list);
    return if $session->error() =~ /No response/;
    return $session->error() =~ /received (\w+)/i ? $1 : $session->error();
}

# get(COLUMN, INDEX): its value in the words of the MIB; undef: there is none, or no answer.
sub get {
    my ($self, $column, $index) = @_;
    my $session = $self->{session};
    my $oid     = $self->oid($column, $index);
    my $answer  = $session->get_request(-varbindlist => [$oid]) or return;
    return if $session->var_bind_types()->{$oid} >= NOSUCHOBJECT;
    return $self->decode($column, $answer->{$oid});
}

# walk([COLUMN...], INDEX): the rows whose index begins so, as { index => { column => value } }; undef: it broke off.
sub walk {
    my ($self, $columns, $begin) = @_;
    my $session = $self->{session};
    my @bases   = map { $self->{mib}{columns}{$_}{oid} } @$columns;
    my $under   = defined $begin && length $begin ? ".$begin" : '';
    my @next    = map { "$_$under" } @bases;
    my %rows;
    while (1) {
        my $answer = $session->get_bulk_request(-maxrepetitions => $BULK, -varbindlist => \@next) or return;
        my @names  = $session->var_bind_names();
        while (my @row = splice @names, 0, @bases) {
            return \%rows unless oid_base_match("$bases[0]$under", $row[0]) && $session->var_bind_types()->{ $row[0] } != ENDOFMIBVIEW;
            @next = @row;
            for my $i (0 .. $#row) {
                my $index = substr $row[$i], length($bases[$i]) + 1;
                $rows{$index}{ $columns->[$i] } = $self->decode($columns->[$i], $answer->{ $row[$i] });
            }
        }
    }
}

# --- notifications ----------------------------------------------------------------------------------------------------

# Those that have come since the last call: { type, machine (0: none), index (0: none), values => { name => value } }.
sub traps {
    my ($self) = @_;
    my @new;
    $self->{trap_log} //= open_log('snmptrapd');
    for my $line (new_lines($self->{trap_log})) {
        next unless $line =~ s/^NOTIFICATION //;
        my %values  = map { / = / ? split(/ = ?/, $_, 2) : () } split /\t/, $line;
        my ($index) = map { /^pmMachineName\.(\d+)$/ ? $1 : () } keys %values;
        my %trap    = (type => $values{'snmpTrapOID.0'}, machine => $index // 0, index => $values{'pmNotifyEventIndex.0'} // 0);
        s/\.[\d.]+$// for my @names = keys %values;
        @{ $trap{values} }{@names} = values %values;
        push @new, \%trap;
    }
    push @{ $self->{traps} }, @new;
    return @new;
}

sub open_log {
    my ($name) = @_;
    open my $log, '<', "$ENV{LAB}/log/$name.log" or die "$name.log: $!\n";
    return { handle => $log, rest => '' };
}

# Whole lines that were added since the last call.
sub new_lines {
    my ($log) = @_;
    my $handle = $log->{handle};
    seek $handle, 0, 1;    # it ended here, and may go on
    local $/;
    $log->{rest} .= <$handle> // '';
    my @lines = split /\n/, $log->{rest}, -1;
    $log->{rest} = pop @lines // '';
    return @lines;
}

# --- the farm ----------------------------------------------------------------------------------------------------------

# A control line, in the order it is answered; dies when it is refused.
sub farm {
    my ($self, $line) = @_;
    unless ($self->{farm_in}) {
        open $self->{farm_in},  '+<', "$ENV{LAB}/run/farm.in"  or die "farm.in: $!\n";
        open $self->{farm_out}, '+<', "$ENV{LAB}/run/farm.out" or die "farm.out: $!\n";
        $self->{farm_in}->autoflush(1);
    }
    print { $self->{farm_in} } "$line\n";
    my @answer;
    while (defined(my $answer = readline $self->{farm_out})) {
        chomp $answer;
        push @answer, $answer;
        return @answer if $answer =~ /^ok/;
        die "farm: $line: $answer\n" if $answer =~ /^error/;
    }
    die "the farm has gone\n";
}

# What the machines were told since the last call: [bmc, command], in order, such as [3, 'hard-reset'].
sub told {
    my ($self) = @_;
    $self->{farm_log} //= open_log('farm');
    return map { /bmc=(\d+) chassis-control=(\S+) .* code=0x00/ ? [ $1, $2 ] : () } new_lines($self->{farm_log});
}

# --- the agent ----------------------------------------------------------------------------------------------------------

# agent_start(COMMAND...): with its log in log/pmstackd.log.
sub agent_start {
    my ($self, @command) = @_;
    open my $log, '>>', "$ENV{LAB}/log/pmstackd.log" or die "pmstackd.log: $!\n";
    close $log;
    $self->{agent_log} //= open_log('pmstackd');
    new_lines($self->{agent_log});
    $self->{serves} = 0;
    my $pid = fork // die "fork: $!\n";
    return $self->{agent} = $pid if $pid;
    open STDIN,  '<',  '/dev/null';
    open STDOUT, '>>', "$ENV{LAB}/log/pmstackd.log";
    open STDERR, '>&', \*STDOUT;
    exec @command or die "@command: $!\n";
}

# Whether it has registered all tables since it was started, and not lost them again.
sub agent_serves {
    my ($self) = @_;
    for my $line (new_lines($self->{agent_log})) {
        $self->{serves} = 1 if $line =~ /connected to the master agent/;
        $self->{serves} = 0 if $line =~ /the master agent .* has gone/;
    }
    return $self->{serves};
}

# Whether it has ended; then $self->{status} is how.
sub agent_gone {
    my ($self) = @_;
    return 1 unless $self->{agent};
    return 0 unless waitpid $self->{agent}, 1;    # WNOHANG
    $self->{status} = $?;
    delete $self->{agent};
    return 1;
}

sub agent_signal {
    my ($self, $signal) = @_;
    kill $signal, $self->{agent} if $self->{agent};
    return;
}

1;
