// What an application does with go-ldap, printed line by line.
package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log"
	"os"
	"strings"

	ber "github.com/go-asn1-ber/asn1-ber"
	"github.com/go-ldap/ldap/v3"
)

const (
	base      = "dc=example,dc=org"
	reader    = "cn=reader,ou=services," + base
	everybody = "(objectClass=posixAccount)"
	changed   = "marble thunder kettle"
)

var (
	host     = os.Getenv("DOORWARD_HOST")
	password = os.Getenv("DOORWARD_PASSWORD")
)

// The server-side sort of RFC 2891 by one key, which go-ldap 3.4.4 does not bring.
type sorting struct {
	key     string
	reverse bool
}

const sortRequest, sortResponse = "1.2.840.113556.1.4.473", "1.2.840.113556.1.4.474"

func (sort *sorting) GetControlType() string { return sortRequest }
func (sort *sorting) String() string         { return "sort by " + sort.key }

func (sort *sorting) Encode() *ber.Packet {
	text := func(value string) *ber.Packet {
		return ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, value, "")
	}
	key := ber.NewSequence("key")
	key.AppendChild(text(sort.key))
	if sort.reverse {
		key.AppendChild(ber.NewBoolean(ber.ClassContext, ber.TypePrimitive, 1, true, ""))
	}
	keys := ber.NewSequence("keys")
	keys.AppendChild(key)
	control := ber.NewSequence("control")
	control.AppendChild(text(sortRequest))
	control.AppendChild(ber.NewBoolean(ber.ClassUniversal, ber.TypePrimitive, ber.TagBoolean, true, ""))
	control.AppendChild(text(string(keys.Bytes())))
	return control
}

func hold(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func person(name string) string { return "uid=" + name + ",ou=people," + base }

func trusting(variable string) *tls.Config {
	text, err := os.ReadFile(os.Getenv(variable))
	hold(err)
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		log.Fatal("no certificate in ", variable)
	}
	return &tls.Config{RootCAs: pool, ServerName: host}
}

func connected() *ldap.Conn {
	connection, err := ldap.DialURL("ldap://" + host)
	hold(err)
	return connection
}

// The result code of what was done; what is no answer of a server ends the program.
func code(err error) uint16 {
	var answer *ldap.Error
	if err != nil && !errors.As(err, &answer) {
		log.Fatal(err)
	}
	if err == nil {
		return 0
	}
	if answer.ResultCode >= ldap.ErrorNetwork {
		log.Fatal(err)
	}
	return answer.ResultCode
}

func bind(name, secret string) uint16 { return code(connected().Bind(name, secret)) }

// The policy control beside a bind.
func policy(name, secret string) string {
	wanted := []ldap.Control{ldap.NewControlBeheraPasswordPolicy()}
	answer, err := connected().SimpleBind(ldap.NewSimpleBindRequest(name, secret, wanted))
	code(err)
	found := ldap.FindControl(answer.Controls, ldap.ControlTypeBeheraPasswordPolicy)
	if found == nil {
		return "none"
	}
	control := found.(*ldap.ControlBeheraPasswordPolicy)
	if control.Error >= 0 {
		return fmt.Sprint("error ", control.Error)
	}
	if control.Expire >= 0 {
		return fmt.Sprintf("expires in %d days", (control.Expire+86399)/86400)
	}
	return "nothing"
}

func who(connection *ldap.Conn) string {
	answer, err := connection.WhoAmI(nil)
	hold(err)
	return answer.AuthzID
}

func search(filter string, attributes []string, controls ...ldap.Control) *ldap.SearchRequest {
	return ldap.NewSearchRequest(base, ldap.ScopeWholeSubtree, ldap.NeverDerefAliases, 0, 0, false,
		filter, attributes, controls)
}

func change(connection *ldap.Conn, name, old, wanted string) error {
	_, err := connection.PasswordModify(ldap.NewPasswordModifyRequest(person(name), old, wanted))
	return err
}

func main() {
	fmt.Println("bind:", bind(reader, password))
	fmt.Println("wrong password:", bind(person("alice"), "wrong"))
	fmt.Println("nobody:", bind(person("nobody"), password))

	connection := connected()
	fmt.Printf("nobody is bound: '%s'\n", who(connection))
	hold(connection.Bind(reader, password))
	fmt.Println("who am I:", who(connection))

	found, err := connection.Search(search("(uid=grace)", []string{"cn"}))
	hold(err)
	fmt.Println("found:", found.Entries[0].DN, found.Entries[0].GetAttributeValue("cn"))
	found, err = connection.Search(search("(uid=nobody)", nil))
	hold(err)
	fmt.Println("not found:", len(found.Entries))
	missing := search("(objectClass=*)", nil)
	missing.BaseDN, missing.Scope = "ou=x,"+base, ldap.ScopeBaseObject
	_, err = connection.Search(missing)
	fmt.Println("no such object:", code(err))
	same, err := connection.Compare(person("alice"), "uid", "ALICE")
	hold(err)
	fmt.Println("compare:", map[bool]string{true: "True", false: "False"}[same])

	page := ldap.NewControlPaging(3)
	var sizes []string
	for {
		found, err = connection.Search(search(everybody, []string{"uid"}, page))
		hold(err)
		sizes = append(sizes, fmt.Sprint(len(found.Entries)))
		cookie := ldap.FindControl(found.Controls, ldap.ControlTypePaging).(*ldap.ControlPaging).Cookie
		if len(cookie) == 0 {
			break
		}
		page.SetCookie(cookie)
	}
	fmt.Println("pages:", strings.Join(sizes, " "))
	ordered := func(order *sorting) string {
		found, err := connection.Search(search(everybody, []string{"uid"}, order))
		hold(err)
		result := ldap.FindControl(found.Controls, sortResponse).(*ldap.ControlString)
		if result.ControlValue != "\x30\x03\x0a\x01\x00" {
			log.Fatalf("not sorted: %x", result.ControlValue)
		}
		var names []string
		for _, entry := range found.Entries {
			names = append(names, entry.GetAttributeValue("uid"))
		}
		return strings.Join(names, " ")
	}
	fmt.Println("in order:", ordered(&sorting{key: "uid"}))
	fmt.Println("backwards:", ordered(&sorting{key: "uidNumber", reverse: true}))

	protected := connected()
	hold(protected.StartTLS(trusting("DOORWARD_CA")))
	fmt.Printf("StartTLS: '%s'\n", who(protected))
	hold(protected.Bind(person("alice"), password))
	fmt.Println("behind StartTLS:", who(protected))
	var unknown x509.UnknownAuthorityError
	err = connected().StartTLS(trusting("DOORWARD_OTHER_CA"))
	if err != nil && !errors.As(err, &unknown) && !strings.Contains(err.Error(), "unknown authority") {
		log.Fatal(err)
	}
	fmt.Println("unknown authority:", map[bool]string{true: "refused", false: "taken"}[err != nil])
	implicit, err := ldap.DialURL("ldaps://"+host, ldap.DialWithTLSConfig(trusting("DOORWARD_CA")))
	hold(err)
	hold(implicit.Bind(person("alice"), password))
	fmt.Println("over LDAPS:", who(implicit))

	fmt.Println("policy of alice:", policy(person("alice"), password))
	fmt.Println("policy of bob:", policy(person("bob"), password))
	fmt.Println("policy of carol:", policy(person("carol"), password))
	fmt.Println("policy beside a refusal:", policy(person("alice"), "wrong"))

	user := connected()
	hold(user.Bind(person("dave"), password))
	fmt.Println("change without the old one:", code(change(user, "dave", "", changed)))
	refused := change(user, "dave", password, "short")
	named := strings.Contains(refused.Error(), "at least 12 characters")
	fmt.Println("change to a short one:", code(refused), map[bool]string{true: "True", false: "False"}[named])
	fmt.Println("change:", code(change(user, "dave", password, changed)))
	fmt.Println("old password:", bind(person("dave"), password))
	fmt.Println("new password:", bind(person("dave"), changed))
	must := connected()
	wanted := []ldap.Control{ldap.NewControlBeheraPasswordPolicy()}
	_, err = must.SimpleBind(ldap.NewSimpleBindRequest(person("carol"), password, wanted))
	hold(err)
	_, err = must.Search(search("(objectClass=*)", nil))
	fmt.Println("must change:", code(err))
	fmt.Println("changes:", code(change(must, "carol", password, changed)))
	fmt.Println("changed:", policy(person("carol"), changed))
}
