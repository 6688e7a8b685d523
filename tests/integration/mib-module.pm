# SPDX-License-Identifier: GPL-3.0-or-later
# PMSTACK-MIB as smidump parses it, for the tests written in Perl. smidump finds the imported modules by SMIPATH.
#
#   my $mib = MibModule::read('mib/PMSTACK-MIB.txt');
#   $mib->{tables}  by name: { name, oid, row, index => [column names], columns => [columns in order] }
#   $mib->{columns} by name: { name, table, number, oid, access, type, syntax }; type is its ASN.1 tag
#   $mib->{types}   by name: a syntax, of this module and of those that it imports
# A syntax is { base, labels => { name => number }, ranges => [[min, max], ...], names => [itself and its ancestors] }.
package MibModule;
use strict;
use warnings;

my %ASN1 = (
    Enumeration      => 0x02,
    Integer32        => 0x02,
    OctetString      => 0x04,
    ObjectIdentifier => 0x06,
    Counter32        => 0x41,
    Gauge32          => 0x42,
    Unsigned32       => 0x42,
    TimeTicks        => 0x43,
);
my %types;    # "MODULE::NAME" => syntax
my %loaded;

sub dump_lines {
    my (@arguments) = @_;
    open(my $pipe, '-|', @arguments) or die "smidump: $!\n";
    my @lines = <$pipe>;
    close($pipe) or die "failed: @arguments\n";
    return @lines;
}

# The attributes of an XML tag on one line.
sub attributes { my ($line) = @_; return $line =~ /(\w+)="([^"]*)"/g; }

# A syntax that refines another one, or a base type.
sub derive {
    my ($parent, $base, $name) = @_;
    return {
        base   => $parent ? $parent->{base} : $base,
        labels => {},
        ranges => [],
        names  => [ $name ? $name : (), $parent ? @{ $parent->{names} } : () ],
        parent => $parent,
    };
}

# What a refinement leaves out is its parent's.
sub settle {
    my ($syntax) = @_;
    my $parent = delete $syntax->{parent};
    return $syntax unless $parent;
    $syntax->{labels} = $parent->{labels} unless %{ $syntax->{labels} };
    $syntax->{ranges} = $parent->{ranges} unless @{ $syntax->{ranges} };
    return $syntax;
}

# RFC 2578's own types have no definition to load.
sub type_named {
    my ($module, $name) = @_;
    return settle(derive(undef, $name, $name)) if $ASN1{$name};
    load_types($module);
    return $types{"${module}::$name"} // die "$module has no type $name\n";
}

# -k: smidump stumbles over an import in SNMPv2-TC as some systems have it, which does not matter here; a type that
# is missing in the end does.
sub load_types {
    my ($module) = @_;
    read_types($module, dump_lines('sh', '-c', 'exec smidump -k -f xml "$0" 2>/dev/null', $module)) unless $loaded{$module}++;
    return;
}

sub refine {
    my ($syntax, $line) = @_;
    my %tag = attributes($line);
    if ($line =~ /<namednumber /) {
        $syntax->{labels}{ $tag{name} } = $tag{number};
    } elsif ($line =~ /<range /) {
        push @{ $syntax->{ranges} }, [ $tag{min}, $tag{max} ];
    } elsif ($line =~ /<parent /) {
        my $parent = type_named($tag{module}, $tag{name});
        $syntax->{parent} = $parent;
        push @{ $syntax->{names} }, @{ $parent->{names} };
    }
    return;
}

sub read_types {
    my ($module, @lines) = @_;
    my ($name, $syntax);
    for my $line (@lines) {
        if ($line =~ /^    <typedef name="([^"]+)" basetype="([^"]+)"/) {
            $name   = $1;
            $syntax = derive(undef, $2, $1);
        } elsif ($line =~ m{^    </typedef>}) {
            $types{"${module}::$name"} = settle($syntax);
            undef $syntax;
        } elsif ($syntax) {
            refine($syntax, $line);
        }
    }
    return;
}

sub finish_column {
    my ($mib, $table, $column) = @_;
    my $syntax = settle($column->{syntax});
    my ($known) = grep { $ASN1{$_} } @{ $syntax->{names} }, $syntax->{base};
    $column->{type} = $ASN1{$known} // die "$column->{name}: unknown base type\n";
    push @{ $table->{columns} }, $column;
    $mib->{columns}{ $column->{name} } = $column;
    return;
}

sub begin_column {
    my ($table, %tag) = @_;
    my ($number) = $tag{oid} =~ /(\d+)$/;
    return { name => $tag{name}, table => $table->{name}, number => $number, oid => $tag{oid} };
}

sub column_line {
    my ($table, $column, $line) = @_;
    my %tag = attributes($line);
    if ($line =~ /<type module/) {
        my $type = type_named($tag{module}, $tag{name});
        $column->{syntax} = derive($type, undef, undef);
    } elsif ($line =~ /<typedef basetype/) {
        $column->{syntax} = derive(undef, $tag{basetype}, undef);
    } elsif ($line =~ m{<access>(\w+)</access>}) {
        $column->{access} = $table->{creates} && $1 eq 'readwrite' ? 'readcreate' : $1;
    } elsif ($column->{syntax} && !$column->{access}) {
        refine($column->{syntax}, $line);
    }
    return;
}

# What the DESCRIPTION or the compliance statement leaves of a convention: lengths of 0, 4 and 16; no other types.
my %narrowed = (
    pmNicAddr        => [ 0, 16 ],
    pmJobWolAddr     => [ 0, 16 ],
    pmJobWolAddrType => [ 0, 2 ],
    pmJobStorageType => [ 2, 3 ],
);

# What a SET may write: minimum and maximum of a number, or of the length of a string.
sub bounds {
    my ($column) = @_;
    my @numbers = sort { $a <=> $b } values %{ $column->{syntax}{labels} }, map { @$_ } @{ $column->{syntax}{ranges} };
    return @{ $narrowed{ $column->{name} } // [ @numbers[ 0, -1 ] ] };
}

# Labels within these bounds that are read and never set: the resting value of a verb, and what cannot be wished for.
my %never = (pmJobRowStatus => ['notReady'], pmJobWolAddrType => []);

sub never_set {
    my ($column) = @_;
    my $labels = $column->{syntax}{labels};
    return map { $labels->{$_} } @{ $never{ $column->{name} } // [ grep { /^(none|idle|unknown)$/ } keys %$labels ] };
}

sub read {
    my ($path) = @_;
    my @lines = dump_lines('smidump', '-f', 'xml', $path);
    my $mib   = { tables => {}, columns => {}, types => \%types };
    my ($table, $column);
    $loaded{'PMSTACK-MIB'} = 1;
    read_types('PMSTACK-MIB', @lines);
    for my $line (@lines) {
        my %tag = attributes($line);
        if ($line =~ /<table name/) {
            $table = $mib->{tables}{ $tag{name} } = { name => $tag{name}, oid => $tag{oid}, index => [], columns => [] };
        } elsif ($line =~ /<row name/) {
            $table->{row}     = $tag{oid};
            $table->{creates} = ($tag{create} // '') eq 'true';    # what can be written is read-create
        } elsif ($line =~ /<index module/) {
            push @{ $table->{index} }, $tag{name};
        } elsif ($line =~ /<column name/) {
            $column = begin_column($table, %tag);
        } elsif ($line =~ m{</column>}) {
            finish_column($mib, $table, $column);
            undef $column;
        } elsif ($column) {
            column_line($table, $column, $line);
        }
    }
    die "smidump cannot read $path\n" unless %{ $mib->{columns} };
    return $mib;
}

1;
