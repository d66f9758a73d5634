"""What an application does with ldap3, a library in Python alone, printed line by line."""

import os
import ssl

from ldap3 import BASE as THIS_ONE
from ldap3 import SUBTREE, Connection, Server, Tls
from ldap3.core.exceptions import LDAPException

HOST = os.environ["DOORWARD_HOST"]
AUTHORITY = os.environ["DOORWARD_CA"]
STRANGER = os.environ["DOORWARD_OTHER_CA"]
PASSWORD = os.environ["DOORWARD_PASSWORD"]
BASE = "dc=example,dc=org"
READER = f"cn=reader,ou=services,{BASE}"
EVERYBODY = "(objectClass=posixAccount)"
POLICY = "1.3.6.1.4.1.42.2.27.8.5.1"
SORT = "1.2.840.113556.1.4.473"


def person(name):
    return f"uid={name},ou=people,{BASE}"


def connect(name=None, password=None, tls=False, authority=AUTHORITY):
    trust = Tls(validate=ssl.CERT_REQUIRED, ca_certs_file=authority)
    server = Server(HOST, use_ssl=tls, tls=trust, connect_timeout=20)
    connection = Connection(server, name, password, receive_timeout=20)
    connection.open()
    return connection


def bind(name, password):
    connection = connect(name, password)
    connection.bind()
    return connection.result["result"]


def bound(name, password, controls=None, tls=False):
    connection = connect(name, password, tls)
    assert connection.bind(controls=controls), connection.result
    return connection


def policy(name, password):
    """The policy control beside a bind, which ldap3 leaves in BER."""
    connection = connect(name, password)
    connection.bind(controls=[(POLICY, False, None)])
    control = connection.result.get("controls", {}).get(POLICY)
    if control is None:
        return "none"
    value = control["value"]
    assert value[0] == 0x30 and value[1] == len(value) - 2, value
    if value[2:3] == b"\x81":
        return f"error {value[4]}"
    if value[2:3] == b"\xa0":
        assert value[4] == 0x80, value
        return f"expires in {-(-int.from_bytes(value[6:], 'big') // 86400)} days"
    return "nothing"


def sorted_by(attribute, backwards=False):
    """A request to sort (RFC 2891), which ldap3 has no type for."""
    name = attribute.encode()
    key = bytes([0x04, len(name)]) + name + (b"\x81\x01\xff" if backwards else b"")
    keys = bytes([0x30, len(key)]) + key
    return [(SORT, True, bytes([0x30, len(keys)]) + keys)]


print("bind:", bind(READER, PASSWORD))
print("wrong password:", bind(person("alice"), "wrong"))
print("nobody:", bind(person("nobody"), PASSWORD))

anonymous = connect()
print("nobody is bound:", repr(anonymous.extend.standard.who_am_i() or ""))
reader = bound(READER, PASSWORD)
print("who am I:", reader.extend.standard.who_am_i())

assert reader.search(BASE, "(uid=grace)", SUBTREE, attributes=["cn"])
print("found:", reader.entries[0].entry_dn, reader.entries[0].cn.value)
reader.search(BASE, "(uid=nobody)", SUBTREE)
print("not found:", len(reader.entries))
reader.search("ou=x," + BASE, "(objectClass=*)", THIS_ONE)
print("no such object:", reader.result["result"])
print("compare:", reader.compare(person("alice"), "uid", "ALICE"))

sizes, cookie = [], None
while True:
    reader.search(BASE, EVERYBODY, SUBTREE, attributes=["uid"], paged_size=3, paged_cookie=cookie)
    sizes.append(len(reader.entries))
    cookie = reader.result["controls"]["1.2.840.113556.1.4.319"]["value"]["cookie"]
    if not cookie:
        break
print("pages:", *sizes)


def ordered(attribute, backwards=False):
    wanted = sorted_by(attribute, backwards)
    reader.search(BASE, EVERYBODY, SUBTREE, attributes=["uid"], controls=wanted)
    assert "1.2.840.113556.1.4.474" in reader.result["controls"], reader.result
    return " ".join(entry.uid.value for entry in reader.entries)


print("in order:", ordered("uid"))
print("backwards:", ordered("uidNumber", True))

protected = connect(person("alice"), PASSWORD)
assert protected.start_tls(), protected.result
print("StartTLS:", repr(protected.extend.standard.who_am_i() or ""))
assert protected.bind(), protected.result
print("behind StartTLS:", protected.extend.standard.who_am_i())
try:
    connect(authority=STRANGER).start_tls()
    print("unknown authority: taken")
except LDAPException:
    print("unknown authority: refused")
print("over LDAPS:", bound(person("alice"), PASSWORD, tls=True).extend.standard.who_am_i())

print("policy of alice:", policy(person("alice"), PASSWORD))
print("policy of bob:", policy(person("bob"), PASSWORD))
print("policy of carol:", policy(person("carol"), PASSWORD))
print("policy beside a refusal:", policy(person("alice"), "wrong"))

NEW = "marble thunder kettle"


def change(connection, name, old, new):
    connection.extend.standard.modify_password(person(name), old, new)
    return connection.result["result"]


user = bound(person("dave"), PASSWORD)
print("change without the old one:", change(user, "dave", None, NEW))
refused = change(user, "dave", PASSWORD, "short")
print("change to a short one:", refused, "at least 12 characters" in user.result["message"])
print("change:", change(user, "dave", PASSWORD, NEW))
print("old password:", bind(person("dave"), PASSWORD))
print("new password:", bind(person("dave"), NEW))
must = bound(person("carol"), PASSWORD, [(POLICY, False, None)])
must.search(BASE, "(objectClass=*)", SUBTREE)
print("must change:", must.result["result"])
print("changes:", change(must, "carol", PASSWORD, NEW))
print("changed:", policy(person("carol"), NEW))
