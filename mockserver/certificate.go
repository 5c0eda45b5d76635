package mockserver

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"net"
	"sync"
	"time"
)

// certs are the certificates of this process. They are made once, when the first server needs them, and do not change.
type certs struct {
	authority      *x509.Certificate
	server, client tls.Certificate
}

// certificates are shared by all servers, so that a server starts as quickly with TLS as without. They are valid from a
// day ago, because clocks differ, for as long as a test process may live.
var certificates = sync.OnceValue(func() certs {
	now := time.Now()
	issue := func(serial int64, name string, template, parent *x509.Certificate, signer *ecdsa.PrivateKey) (*x509.Certificate, *ecdsa.PrivateKey) {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			panic(fmt.Sprintf("mockserver: no key for a certificate: %v", err))
		}
		template.SerialNumber = big.NewInt(serial)
		template.Subject = pkix.Name{CommonName: name}
		template.NotBefore, template.NotAfter = now.AddDate(0, 0, -1), now.AddDate(1, 0, 0)
		template.BasicConstraintsValid = true
		if parent == nil {
			parent, signer = template, key
		}
		der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
		if err != nil {
			panic(fmt.Sprintf("mockserver: no certificate: %v", err))
		}
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			panic(fmt.Sprintf("mockserver: its own certificate: %v", err))
		}
		return cert, key
	}

	authority, signer := issue(1, "mockserver test authority", &x509.Certificate{
		IsCA: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}, nil, nil)
	server, serverKey := issue(2, "localhost", &x509.Certificate{
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames:    []string{"localhost"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
	}, authority, signer)
	client, clientKey := issue(3, "mockserver test client", &x509.Certificate{
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}, authority, signer)
	return certs{
		authority: authority,
		server:    tls.Certificate{Certificate: [][]byte{server.Raw, authority.Raw}, PrivateKey: serverKey, Leaf: server},
		client:    tls.Certificate{Certificate: [][]byte{client.Raw, authority.Raw}, PrivateKey: clientKey, Leaf: client},
	}
})
