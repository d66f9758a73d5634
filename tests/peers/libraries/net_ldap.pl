# What an application does with Net::LDAP for Perl, printed line by line.
use strict;
use warnings;
use POSIX qw(ceil);

use Net::LDAP;
use Net::LDAP::Constant qw(LDAP_CONTROL_PAGED LDAP_CONTROL_PASSWORDPOLICY LDAP_CONTROL_SORTRESULT);
use Net::LDAP::Control::Paged;
use Net::LDAP::Control::PasswordPolicy;
use Net::LDAP::Control::Sort;
use Net::LDAP::Control::SortResult;
use Net::LDAP::Extension::SetPassword;
use Net::LDAP::Extension::WhoAmI;

my ($host, $authority, $stranger, $password) =
    @ENV{qw(DOORWARD_HOST DOORWARD_CA DOORWARD_OTHER_CA DOORWARD_PASSWORD)};
my $base      = 'dc=example,dc=org';
my $reader    = "cn=reader,ou=services,$base";
my $everybody = '(objectClass=posixAccount)';
my $new       = 'marble thunder kettle';

sub person { return "uid=$_[0],ou=people,$base" }

sub connected {
    my ($scheme) = @_;
    my $url = ($scheme // 'ldap') . "://$host";
    return Net::LDAP->new($url, timeout => 20, verify => 'require', cafile => $authority)
        // die "$url: $@";
}

sub bound {
    my ($name, $secret, %more) = @_;
    my $ldap   = connected();
    my $answer = $ldap->bind($name, password => $secret, %more);
    die $answer->error if $answer->code;
    return $ldap;
}

sub code_of_bind {
    my ($name, $secret) = @_;
    return connected()->bind($name, password => $secret)->code;
}

sub who {
    my ($ldap) = @_;
    my $answer = $ldap->who_am_i;
    die $answer->error if $answer->code;
    return $answer->response // '';
}

# The policy control beside a bind.
sub policy {
    my ($name, $secret) = @_;
    my $wanted = Net::LDAP::Control::PasswordPolicy->new;
    my $answer = connected()->bind($name, password => $secret, control => [$wanted]);
    my ($control) = $answer->control(LDAP_CONTROL_PASSWORDPOLICY);
    return 'none' unless $control;
    return 'error ' . $control->pp_error if defined $control->pp_error;
    my $left = $control->time_before_expiration;
    return defined $left ? 'expires in ' . ceil($left / 86400) . ' days' : 'nothing';
}

sub say_line { print join(' ', @_), "\n" }

binmode STDOUT, ':encoding(UTF-8)';
say_line 'bind:',           code_of_bind($reader,          $password);
say_line 'wrong password:', code_of_bind(person('alice'),  'wrong');
say_line 'nobody:',         code_of_bind(person('nobody'), $password);

say_line 'nobody is bound:', "'" . who(connected()) . "'";
my $ldap = bound($reader, $password);
say_line 'who am I:', who($ldap);

my $found = $ldap->search(base => $base, filter => '(uid=grace)', attrs => ['cn']);
my $cn    = $found->entry(0)->get_value('cn');
utf8::decode($cn);
say_line 'found:', $found->entry(0)->dn, $cn;
say_line 'not found:', $ldap->search(base => $base, filter => '(uid=nobody)')->count;
say_line 'no such object:',
    $ldap->search(base => "ou=x,$base", scope => 'base', filter => '(objectClass=*)')->code;
my $compared = $ldap->compare(person('alice'), attr => 'uid', value => 'ALICE');
say_line 'compare:', $compared->code == 6 ? 'True' : 'False';

my $page = Net::LDAP::Control::Paged->new(size => 3, critical => 1);
my @sizes;
while (1) {
    my $answer =
        $ldap->search(base => $base, filter => $everybody, attrs => ['uid'], control => [$page]);
    die $answer->error if $answer->code;
    push @sizes, $answer->count;
    my ($more) = $answer->control(LDAP_CONTROL_PAGED) or die 'no control';
    my $cookie = $more->cookie;
    last unless defined $cookie && length $cookie;
    $page->cookie($cookie);
}
say_line 'pages:', @sizes;

sub ordered {
    my ($rule) = @_;
    my $order = Net::LDAP::Control::Sort->new(order => $rule, critical => 1);
    my $answer =
        $ldap->search(base => $base, filter => $everybody, attrs => ['uid'], control => [$order]);
    my ($result) = $answer->control(LDAP_CONTROL_SORTRESULT) or die 'no control';
    die 'not sorted' if $result->result;
    return map { $_->get_value('uid') } $answer->entries;
}
say_line 'in order:',  ordered('uid');
say_line 'backwards:', ordered('-uidNumber');

my $protected = connected();
my $answer    = $protected->start_tls(verify => 'require', cafile => $authority);
die $answer->error if $answer->code;
say_line 'StartTLS:', "'" . who($protected) . "'";
$protected->bind(person('alice'), password => $password)->code and die 'not bound';
say_line 'behind StartTLS:', who($protected);
say_line 'unknown authority:',
    connected()->start_tls(verify => 'require', cafile => $stranger)->code ? 'refused' : 'taken';
my $implicit = connected('ldaps');
$implicit->bind(person('alice'), password => $password)->code and die 'not bound';
say_line 'over LDAPS:', who($implicit);

say_line 'policy of alice:',         policy(person('alice'), $password);
say_line 'policy of bob:',           policy(person('bob'),   $password);
say_line 'policy of carol:',         policy(person('carol'), $password);
say_line 'policy beside a refusal:', policy(person('alice'), 'wrong');

sub change {
    my ($connection, $name, $old, $wanted) = @_;
    return $connection->set_password(
        user      => person($name),
        newpasswd => $wanted,
        defined $old ? (oldpasswd => $old) : (),
    );
}
my $user = bound(person('dave'), $password);
say_line 'change without the old one:', change($user, 'dave', undef, $new)->code;
my $refused = change($user, 'dave', $password, 'short');
say_line 'change to a short one:', $refused->code,
    $refused->error =~ /at least 12 characters/ ? 'True' : 'False';
say_line 'change:',       change($user, 'dave', $password, $new)->code;
say_line 'old password:', code_of_bind(person('dave'), $password);
say_line 'new password:', code_of_bind(person('dave'), $new);
my $wanted = Net::LDAP::Control::PasswordPolicy->new;
my $must   = bound(person('carol'), $password, control => [$wanted]);
say_line 'must change:', $must->search(base => $base, filter => '(objectClass=*)')->code;
say_line 'changes:', change($must, 'carol', $password, $new)->code;
say_line 'changed:', policy(person('carol'), $new);
