# SPDX-License-Identifier: GPL-3.0-or-later
# Outcomes of the tests written in Perl: a line each on standard output, "PASS<tab>name" or "FAIL<tab>name<tab>detail",
# which the calling bash test turns into TAP.
package MibReport;
use strict;
use warnings;
use Exporter 'import';
our @EXPORT = qw(ok is none);

$| = 1;

# More than so many lines about one failure help nobody.
my $DETAILS_MAX = 10;

sub ok {
    my ($passed, $name, @details) = @_;
    my $more = @details > $DETAILS_MAX ? sprintf('; and %d more', @details - $DETAILS_MAX) : '';
    splice(@details, $DETAILS_MAX) if $more;
    s/[\t\n]/ /g for @details;
    print $passed ? "PASS\t$name\n" : "FAIL\t$name\t" . join('; ', @details) . "$more\n";
    return $passed;
}

sub is {
    my ($got, $want, $name) = @_;
    $got //= '(nothing)';
    return ok($got eq $want, $name, "got: $got", "expected: $want");
}

# Passes when there is nothing to complain of.
sub none {
    my ($name, @complaints) = @_;
    return ok(!@complaints, $name, @complaints);
}

1;
