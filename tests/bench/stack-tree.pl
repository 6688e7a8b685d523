#!/usr/bin/perl
# SPDX-License-Identifier: GPL-3.0-or-later
# A random stack of depth 3, the same for the same seed: as a world for stack_agent, and as a machine's configuration.
#
#   stack-tree.pl VMS SEED PARALLEL MEAN_MS WORLD CONF
#
# A tenth of the VMs are hypervisors, on the machine or on one of the first kind; each other VM stands on any of them. How
# long a VM takes to shut down is at random, exponentially distributed, from a tenth of the mean to four times the mean.
# Prints, in ms, what no plan can beat and what a plain one does:
#   CRITICAL  the longest way from a leaf to the machine: each VM after all that stand on it
#   BOUND     the same with at most PARALLEL at a time on a hypervisor: also, for every moment, what is released only then,
#             shared among PARALLEL
#   GREEDY    list scheduling: whatever is ready first takes the next free place
use strict;
use warnings;
use List::Util qw(max min);

my ($vms, $seed, $parallel, $mean_ms, $world, $conf) = @ARGV;
die "usage: stack-tree.pl VMS SEED PARALLEL MEAN_MS WORLD CONF\n" unless $conf;
srand($seed);

# ---- the tree: hypervisor 0 is the machine's, each other one is in a VM ----

my @vms;         # { name, on (hypervisor), shutdown_ms, carries (hypervisor, undef) }
my @hypervisors; # { uri, vms => [...], in (VM, undef), depth }

sub add_hypervisor {
    my ($in) = @_;
    push @hypervisors,
        { uri => 'fake://h' . scalar @hypervisors, vms => [], in => $in, depth => $in ? $in->{depth} : 0 };
    return $hypervisors[-1];
}

sub add_vm {
    my ($on) = @_;
    my $time_ms = min(4 * $mean_ms, max(0.1 * $mean_ms, -$mean_ms * log(1 - rand)));
    my $vm = { name => 'v' . (@vms + 1), on => $on, shutdown_ms => int $time_ms, depth => $on->{depth} + 1 };
    push @vms, $vm;
    push @{ $on->{vms} }, $vm;
    return $vm;
}

sub add_carrier {
    my ($on) = @_;
    my $vm = add_vm($on);
    $vm->{carries} = add_hypervisor($vm);
}

my $root     = add_hypervisor(undef);
my $carriers = int($vms / 10);
my $lower    = int($carriers / 3) || 1;
add_carrier($root) for 1 .. $lower;
add_carrier($hypervisors[ 1 + int rand $lower ]) for $lower + 1 .. $carriers;
add_vm($hypervisors[-1]); # depth 3, whatever the dice say
add_vm($hypervisors[ int rand @hypervisors ]) while @vms < $vms;

# ---- what no plan can beat ----

# When its VMs could be off at the earliest, given when each could begin.
sub bound {
    my ($hypervisor) = @_;
    my @jobs = sort { $b->[0] <=> $a->[0] }
        map { [ $_->{carries} ? bound($_->{carries}) : 0, $_->{shutdown_ms} ] } @{ $hypervisor->{vms} };
    my ($best, $work) = (0, 0);
    for my $job (@jobs) {
        $work += $job->[1];
        $best = max($best, $job->[0] + $job->[1], $job->[0] + $work / $parallel);
    }
    return $best;
}

sub critical {
    my ($hypervisor) = @_;
    return max(0, map { $_->{shutdown_ms} + ($_->{carries} ? critical($_->{carries}) : 0) } @{ $hypervisor->{vms} });
}

# A hypervisor's VMs do not wait for those of another one but by the tree: each can be scheduled by itself.
sub greedy {
    my ($hypervisor) = @_;
    my @ready = sort { $a->[0] <=> $b->[0] }
        map { [ $_->{carries} ? greedy($_->{carries}) : 0, $_->{shutdown_ms} ] } @{ $hypervisor->{vms} };
    my @free = (0) x min($parallel, scalar @ready);
    my $end  = 0;
    for my $job (@ready) {
        @free = sort { $a <=> $b } @free;
        $free[0] = max($free[0], $job->[0]) + $job->[1];
        $end = max($end, $free[0]);
    }
    return $end;
}

# ---- files ----

sub write_world {
    my ($to) = @_;
    for my $hypervisor (@hypervisors) { # each behind the VM in which it is
        printf $to "hv %s %s answer_ms=2 event_ms=1\n", $hypervisor->{uri},
            $hypervisor->{in} ? $hypervisor->{in}{name} : '-';
        printf $to "vm %s %s on shutdown_ms=%d\n", $hypervisor->{uri}, $_->{name}, $_->{shutdown_ms}
            for @{ $hypervisor->{vms} };
    }
}

sub write_section {
    my ($to, $indent, $hypervisor) = @_;
    my $head = $hypervisor->{in} ? qq(guest "$hypervisor->{in}{name}") : 'stack';
    printf $to "%s%s {\n%s  uri = \"%s\"\n", $indent, $head, $indent, $hypervisor->{uri};
    printf $to "%s  parallel = %d\n", $indent, $parallel unless $hypervisor->{in};
    write_section($to, "$indent  ", $_->{carries}) for grep { $_->{carries} } @{ $hypervisor->{vms} };
    print $to "$indent}\n";
}

open my $out, '>', $world or die "$world: $!\n";
write_world($out);
close $out or die "$world: $!\n";
open $out, '>', $conf or die "$conf: $!\n";
print $out qq(machine "room01" {\n);
write_section($out, '  ', $root);
print $out "}\n";
close $out or die "$conf: $!\n";
printf "%d %d %d\n", critical($root), bound($root), greedy($root);
