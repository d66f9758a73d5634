"""What an application does with python-ldap, printed line by line."""

import os

import ldap
import ldap.modlist
from ldap.controls import SimplePagedResultsControl
from ldap.controls.ppolicy import PasswordPolicyControl
from ldap.controls.sss import SSSRequestControl, SSSResponseControl

HOST = os.environ["DOORWARD_HOST"]
AUTHORITY = os.environ["DOORWARD_CA"]
STRANGER = os.environ["DOORWARD_OTHER_CA"]
PASSWORD = os.environ["DOORWARD_PASSWORD"]
BASE = "dc=example,dc=org"
READER = f"cn=reader,ou=services,{BASE}"
EVERYBODY = "(objectClass=posixAccount)"


def person(name):
    return f"uid={name},ou=people,{BASE}"


def connect(scheme="ldap", authority=AUTHORITY):
    connection = ldap.initialize(f"{scheme}://{HOST}")
    connection.set_option(ldap.OPT_NETWORK_TIMEOUT, 20)
    connection.set_option(ldap.OPT_TIMEOUT, 20)
    connection.set_option(ldap.OPT_X_TLS_CACERTFILE, authority)
    connection.set_option(ldap.OPT_X_TLS_REQUIRE_CERT, ldap.OPT_X_TLS_DEMAND)
    connection.set_option(ldap.OPT_X_TLS_NEWCTX, 0)
    return connection


def code(call):
    try:
        call()
        return 0
    except ldap.LDAPError as error:
        return error.args[0]["result"]


def bind(name, password):
    return code(lambda: connect().simple_bind_s(name, password))


def policy(name, password):
    """The policy control beside a bind."""
    connection = connect()
    number = connection.simple_bind(name, password, serverctrls=[PasswordPolicyControl()])
    try:
        controls = connection.result3(number, timeout=20)[3]
    except ldap.LDAPError as error:
        controls = error.args[0].get("ctrls", [])
        return "none" if not controls else controls
    (control,) = [one for one in controls if isinstance(one, PasswordPolicyControl)]
    if control.error is not None:
        return f"error {control.error}"
    if control.timeBeforeExpiration is not None:
        return f"expires in {-(-control.timeBeforeExpiration // 86400)} days"
    return "nothing"


def names(found):
    return " ".join(attributes["uid"][0].decode() for _, attributes in found)


print("bind:", bind(READER, PASSWORD))
print("wrong password:", bind(person("alice"), "wrong"))
print("nobody:", bind(person("nobody"), PASSWORD))

reader = connect()
print("nobody is bound:", repr(reader.whoami_s()))
reader.simple_bind_s(READER, PASSWORD)
print("who am I:", reader.whoami_s())

((name, attributes),) = reader.search_s(BASE, ldap.SCOPE_SUBTREE, "(uid=grace)", ["cn"])
print("found:", name, attributes["cn"][0].decode())
print("not found:", len(reader.search_s(BASE, ldap.SCOPE_SUBTREE, "(uid=nobody)")))
print("no such object:", code(lambda: reader.search_s("ou=x," + BASE, ldap.SCOPE_BASE)))
print("compare:", reader.compare_s(person("alice"), "uid", b"ALICE"))

sizes, cookie = [], ""
while True:
    page = SimplePagedResultsControl(True, size=3, cookie=cookie)
    number = reader.search_ext(BASE, ldap.SCOPE_SUBTREE, EVERYBODY, ["uid"], serverctrls=[page])
    _, found, _, controls = reader.result3(number, timeout=20)
    sizes.append(len(found))
    cookie = controls[0].cookie
    if not cookie:
        break
print("pages:", *sizes)


def ordered(rule):
    order = SSSRequestControl(criticality=True, ordering_rules=[rule])
    number = reader.search_ext(BASE, ldap.SCOPE_SUBTREE, EVERYBODY, ["uid"], serverctrls=[order])
    _, found, _, controls = reader.result3(number, timeout=20)
    assert isinstance(controls[0], SSSResponseControl) and controls[0].sortResult == 0
    return names(found)


print("in order:", ordered("uid"))
print("backwards:", ordered("-uidNumber"))

protected = connect()
protected.start_tls_s()
print("StartTLS:", repr(protected.whoami_s()))
protected.simple_bind_s(person("alice"), PASSWORD)
print("behind StartTLS:", protected.whoami_s())
print("unknown authority:", "refused" if code(connect(authority=STRANGER).start_tls_s) else "taken")
implicit = connect("ldaps")
implicit.simple_bind_s(person("alice"), PASSWORD)
print("over LDAPS:", implicit.whoami_s())

print("policy of alice:", policy(person("alice"), PASSWORD))
print("policy of bob:", policy(person("bob"), PASSWORD))
print("policy of carol:", policy(person("carol"), PASSWORD))
print("policy beside a refusal:", policy(person("alice"), "wrong"))

NEW = "marble thunder kettle"
user = connect()
user.simple_bind_s(person("dave"), PASSWORD)
print("change without the old one:", code(lambda: user.passwd_s(person("dave"), None, NEW)))
try:
    user.passwd_s(person("dave"), PASSWORD, "short")
except ldap.CONSTRAINT_VIOLATION as error:
    print("change to a short one:", 19, "at least 12 characters" in error.args[0]["info"])
print("change:", code(lambda: user.passwd_s(person("dave"), PASSWORD, NEW)))
print("old password:", bind(person("dave"), PASSWORD))
print("new password:", bind(person("dave"), NEW))
must = connect()
must.simple_bind_s(person("carol"), PASSWORD, serverctrls=[PasswordPolicyControl()])
print("must change:", code(lambda: must.search_s(BASE, ldap.SCOPE_SUBTREE)))
print("changes:", code(lambda: must.passwd_s(person("carol"), PASSWORD, NEW)))
print("changed:", policy(person("carol"), NEW))
