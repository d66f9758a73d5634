#!/bin/sh
# What a script does with OpenLDAP's own programs, printed line by line.
set -eu

base=dc=example,dc=org
reader=cn=reader,ou=services,$base
everybody='(objectClass=posixAccount)'
new='marble thunder kettle'
url=ldap://$DOORWARD_HOST
export LDAPTLS_CACERT="$DOORWARD_CA" LDAPTLS_REQCERT=demand LDAPCONF=/dev/null

person() { echo "uid=$1,ou=people,$base"; }
# Runs a program of ldap-utils as somebody, and prints its exit code, which is LDAP's.
code_as() {
    name=$1 password=$2 program=$3
    shift 3
    code=0
    timeout 20 "$program" -x -H "$url" -D "$name" -w "$password" "$@" >/dev/null 2>&1 || code=$?
    echo "$code"
}
look() { timeout 20 ldapsearch -x -H "$url" -D "$reader" -w "$DOORWARD_PASSWORD" -b "$base" "$@"; }
# The names that a search found, in the order in which they came.
in_order() { look -LLL -E "$1" "$everybody" uid | sed -n 's/^uid: //p' | paste -s -d' '; }
# What the policy control beside a bind said; the code of ldapwhoami is the bind's.
policy() {
    told=$(timeout 20 ldapwhoami -x -H "$url" -e ppolicy -D "$(person "$1")" -w "$2" 2>&1) || :
    seconds=$(echo "$told" | sed -n 's/.*Password expires in \([0-9]*\) seconds.*/\1/p')
    case $told in
    *'Password must be changed'*) echo 'error 2' ;;
    *'Password expires in'*) echo "expires in $(((seconds + 86399) / 86400)) days" ;;
    *'(49)'*) [ "$told" = 'ldap_bind: Invalid credentials (49)' ] && echo none || echo "$told" ;;
    *) echo nothing ;;
    esac
}
# Changes a password: the code stands in what ldappasswd says, which exits with 0 or 1.
change() {
    name=$1 password=$2
    shift 2
    told=$(timeout 20 ldappasswd -x -H "$url" -e ppolicy -D "$name" -w "$password" "$@" 2>&1) || :
    code=$(echo "$told" | sed -n 's/^Result: .*(\([0-9]*\))$/\1/p')
    case $told in
    *'at least 12 characters'*) echo "$code True" ;;
    *) echo "${code:-0}" ;;
    esac
}

echo "bind: $(code_as "$reader" "$DOORWARD_PASSWORD" ldapwhoami)"
echo "wrong password: $(code_as "$(person alice)" wrong ldapwhoami)"
echo "nobody: $(code_as "$(person nobody)" "$DOORWARD_PASSWORD" ldapwhoami)"
echo "nobody is bound: '$(ldapwhoami -x -H "$url" | sed s/anonymous//)'"
echo "who am I: $(ldapwhoami -x -H "$url" -D "$reader" -w "$DOORWARD_PASSWORD")"
found=$(look -LLL -o ldif-wrap=no '(uid=grace)' cn)
name=$(echo "$found" | sed -n 's/^dn: //p')
echo "found: $name $(echo "$found" | sed -n 's/^cn:: //p' | base64 -d)"
echo "not found: $(look -LLL '(uid=nobody)' | grep -c '^dn' || :)"
echo "no such object: $(code_as "$reader" "$DOORWARD_PASSWORD" ldapsearch -b "ou=x,$base" -s base)"
compared=$(code_as "$reader" "$DOORWARD_PASSWORD" ldapcompare "$(person alice)" uid:ALICE)
echo "compare: $([ "$compared" = 6 ] && echo True || echo "$compared")"
echo "pages: $(look -E '!pr=3/noprompt' "$everybody" uid |
    awk '/^dn:/ { n++ } /^result: 0 / { printf "%s%d", between, n; between = " "; n = 0 }')"
echo "in order: $(in_order '!sss=uid')"
echo "backwards: $(in_order '!sss=-uidNumber')"
echo "StartTLS: '$(ldapwhoami -x -ZZ -H "$url" | sed s/anonymous//)'"
echo "behind StartTLS: $(ldapwhoami -x -ZZ -H "$url" -D "$(person alice)" -w "$DOORWARD_PASSWORD")"
if LDAPTLS_CACERT=$DOORWARD_OTHER_CA ldapwhoami -x -ZZ -H "$url" >/dev/null 2>&1; then
    echo 'unknown authority: taken'
else
    echo 'unknown authority: refused'
fi
echo "over LDAPS: $(ldapwhoami -x -H "ldaps://$DOORWARD_HOST" -D "$(person alice)" -w "$DOORWARD_PASSWORD")"
echo "policy of alice: $(policy alice "$DOORWARD_PASSWORD")"
echo "policy of bob: $(policy bob "$DOORWARD_PASSWORD")"
echo "policy of carol: $(policy carol "$DOORWARD_PASSWORD")"
echo "policy beside a refusal: $(policy alice wrong)"
dave=$(person dave) carol=$(person carol)
echo "change without the old one: $(change "$dave" "$DOORWARD_PASSWORD" -s "$new")"
echo "change to a short one: $(change "$dave" "$DOORWARD_PASSWORD" -a "$DOORWARD_PASSWORD" -s short)"
echo "change: $(change "$dave" "$DOORWARD_PASSWORD" -a "$DOORWARD_PASSWORD" -s "$new")"
echo "old password: $(code_as "$dave" "$DOORWARD_PASSWORD" ldapwhoami)"
echo "new password: $(code_as "$dave" "$new" ldapwhoami)"
echo "must change: $(code_as "$carol" "$DOORWARD_PASSWORD" ldapsearch -e ppolicy -b "$base")"
echo "changes: $(change "$carol" "$DOORWARD_PASSWORD" -a "$DOORWARD_PASSWORD" -s "$new")"
echo "changed: $(policy carol "$new")"
