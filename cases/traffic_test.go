package cases_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/netcause/netcause/collectors/nettest"
)

// How long a client waits: where there is to be an answer, long enough for a machine with other things to do; where there
// is to be none, for two SYNs (RFC 6298: the second a second after the first).
const (
	patient   = 10 * time.Second
	impatient = 1500 * time.Millisecond
)

// serveHTTP answers every request in a namespace with the number of bytes that its body had.
func serveHTTP(t *testing.T, ns *nettest.NS, port int) {
	t.Helper()
	var listener net.Listener
	var err error
	ns.Do(t, func() { listener, err = net.Listen("tcp4", fmt.Sprintf(":%d", port)) })
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, err := io.Copy(io.Discard, r.Body)
		if err != nil {
			return // the client gave up
		}
		fmt.Fprint(w, n)
	})}
	go func() { _ = server.Serve(listener) }() // ends when it is closed
	t.Cleanup(func() { server.Close() })
}

// serveDNS answers every query for an address with that one, over UDP and TCP.
func serveDNS(t *testing.T, ns *nettest.NS, address [4]byte) {
	t.Helper()
	var packets net.PacketConn
	var listener net.Listener
	var err error
	ns.Do(t, func() {
		if packets, err = net.ListenPacket("udp4", ":53"); err == nil {
			listener, err = net.Listen("tcp4", ":53")
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { packets.Close() })
	t.Cleanup(func() { listener.Close() }) // nothing asks over TCP: it is there to be seen
	go func() {
		query := make([]byte, 512)
		for {
			n, client, err := packets.ReadFrom(query)
			if err != nil {
				return // closed
			}
			_, _ = packets.WriteTo(dnsAnswer(query[:n], address), client)
		}
	}()
}

// dnsAnswer answers a query of one question (RFC 1035, 4.1).
func dnsAnswer(query []byte, address [4]byte) []byte {
	const header = 12
	if len(query) < header {
		return nil
	}
	end := bytes.IndexByte(query[header:], 0)
	if end < 0 || len(query) < header+end+5 {
		return nil
	}
	question := query[header : header+end+5]
	answer := append(bytes.Clone(query[:2]), 0x85, 0x80, 0, 1, 0, 0, 0, 0, 0, 0) // QR, AA, RD, RA; one question
	answer = append(answer, question...)
	if question[len(question)-3] == 1 { // type A
		answer[7] = 1
		answer = append(answer, 0xc0, header, 0, 1, 0, 1, 0, 0, 0, 30, 0, 4)
		answer = append(answer, address[:]...)
	}
	return answer
}

// dial connects from within a namespace.
func dial(t *testing.T, ns *nettest.NS, network, address string, within time.Duration) (conn net.Conn, err error) {
	t.Helper()
	ns.Do(t, func() {
		conn, err = net.DialTimeout(network, address, within)
		if err == nil {
			err = conn.SetDeadline(time.Now().Add(within))
		}
	})
	return conn, err
}

// post sends a body of that size to an HTTP server from within a namespace, and waits for the answer.
func post(t *testing.T, from *nettest.NS, address string, size int, within time.Duration) error {
	t.Helper()
	conn, err := dial(t, from, "tcp4", address, within)
	if err != nil {
		return err
	}
	defer conn.Close()
	request, err := http.NewRequest(http.MethodPost, "http://"+address+"/", bytes.NewReader(make([]byte, size)))
	if err != nil {
		return err
	}
	if err := request.Write(conn); err != nil {
		return err
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if want := fmt.Sprint(size); string(text) != want {
		return fmt.Errorf("the server got %s of %s bytes", text, want)
	}
	return nil
}

// passes and isLost check what comes of a request.
func passes(t *testing.T, what string, from *nettest.NS, address string, size int) {
	t.Helper()
	if err := post(t, from, address, size, patient); err != nil {
		t.Errorf("%s: %v", what, err)
	}
}

func isLost(t *testing.T, what string, from *nettest.NS, address string, size int) {
	t.Helper()
	if err := post(t, from, address, size, impatient); !isTimeout(err) {
		t.Errorf("%s: %v, want a timeout", what, err)
	}
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

// resolves and resolvesNot check what comes of a query.
func resolves(t *testing.T, what string, from *nettest.NS) {
	t.Helper()
	if err := resolve(t, from, registryName, patient); err != nil {
		t.Errorf("%s: %v", what, err)
	}
}

func resolvesNot(t *testing.T, what string, from *nettest.NS) {
	t.Helper()
	if err := resolve(t, from, registryName, impatient); err == nil {
		t.Errorf("%s: there is an answer", what)
	}
}

// connects and connectsNot check what comes of a connection.
func connects(t *testing.T, what string, from *nettest.NS, address string) {
	t.Helper()
	conn, err := dial(t, from, "tcp4", address, patient)
	if err != nil {
		t.Errorf("%s: %v", what, err)
		return
	}
	conn.Close()
}

func connectsNot(t *testing.T, what string, from *nettest.NS, address string) {
	t.Helper()
	if conn, err := dial(t, from, "tcp4", address, impatient); err == nil {
		conn.Close()
		t.Errorf("%s: it connects", what)
	}
}

// resolve asks the cluster's DNS for a name's address from within a namespace.
func resolve(t *testing.T, from *nettest.NS, name string, within time.Duration) error {
	t.Helper()
	conn, err := dial(t, from, "udp4", dnsAddress+":53", within)
	if err != nil {
		return err
	}
	defer conn.Close()
	query := []byte{0x4e, 0x43, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0} // an id; RD; one question
	for label := range strings.SplitSeq(name, ".") {
		query = append(query, byte(len(label)))
		query = append(query, label...)
	}
	query = append(query, 0, 0, 1, 0, 1) // the root; A, IN
	if _, err := conn.Write(query); err != nil {
		return err
	}
	answer := make([]byte, 512)
	n, err := conn.Read(answer)
	if err != nil {
		return err
	}
	if answer = answer[:n]; n < 12 || !bytes.Equal(answer[:2], query[:2]) || answer[7] != 1 {
		return fmt.Errorf("not an answer with one address: %x", answer)
	}
	return nil
}
