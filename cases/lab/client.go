package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

// attempt is one thing that a client tries: to post that many bytes to an HTTP server and be told how many came, or to
// look a name up. Its error is what the client was told.
type attempt struct {
	// To is an address with its port, or a name with one.
	To   string `json:"to,omitempty"`
	Size int    `json:"size,omitempty"`
	// Name is what is looked up, as a program would, by resolv.conf.
	Name  string `json:"name,omitempty"`
	Error string `json:"error,omitempty"`
}

func (a attempt) String() string {
	if a.Name != "" {
		return "lookup of " + a.Name
	}
	return fmt.Sprintf("POST of %d bytes to %s", a.Size, a.To)
}

// patience is how long a client waits. Where there is an answer it comes in milliseconds; a lost SYN is sent again after a
// second (RFC 6298).
const patience = 2500 * time.Millisecond

// clientMain makes attempts, side by side, wherever it is run. They come as JSON, and go so with their errors.
func clientMain(ctx context.Context, attemptsJSON string, out io.Writer) error {
	var attempts []attempt
	if err := json.Unmarshal([]byte(attemptsJSON), &attempts); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var all sync.WaitGroup
	for i := range attempts {
		all.Go(func() {
			a := &attempts[i]
			var err error
			if a.Name != "" {
				// Go's own, which is the same on every libc.
				_, err = (&net.Resolver{PreferGo: true}).LookupNetIP(ctx, "ip4", a.Name)
			} else {
				err = post(ctx, a.To, a.Size)
			}
			if err != nil {
				a.Error = err.Error()
			}
		})
	}
	all.Wait()
	return json.NewEncoder(out).Encode(attempts)
}

func post(ctx context.Context, address string, size int) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+address+"/", bytes.NewReader(make([]byte, size)))
	if err != nil {
		return err
	}
	response, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(request)
	var inner *url.Error
	if errors.As(err, &inner) {
		if inner.Timeout() {
			return fmt.Errorf("no answer from %s within %v", address, patience)
		}
		return inner.Err
	} else if err != nil {
		return err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if got, want := strings.TrimSpace(string(text)), strconv.Itoa(size); got != want {
		return fmt.Errorf("%s of %s bytes came to the server", got, want)
	}
	return nil
}

// echoMain is the program of the image lab/echo: it answers every request with the number of bytes that came, on the ports
// that it is given. A port may have an address before it.
func echoMain(listen []string) error {
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, err := io.Copy(io.Discard, r.Body)
		if err != nil {
			return // the client gave up
		}
		fmt.Fprintln(w, n)
	})
	failed := make(chan error)
	for _, l := range listen {
		if !strings.Contains(l, ":") {
			l = ":" + l
		}
		go func() { failed <- http.ListenAndServe(l, handler) }()
	}
	return <-failed
}

// pauseMain is the program of the image lab/pause: it does nothing.
func pauseMain() error {
	select {}
}

// nameserverMain is the site's DNS server: it knows registry.example.com, and no other name.
func nameserverMain(address string) error {
	packets, err := net.ListenPacket("udp4", net.JoinHostPort(address, "53"))
	if err != nil {
		return err
	}
	query := make([]byte, 4096)
	for {
		n, from, err := packets.ReadFrom(query)
		if err != nil {
			return err
		}
		if answer := answer(query[:n]); answer != nil {
			if _, err := packets.WriteTo(answer, from); err != nil {
				fmt.Fprintln(os.Stderr, err)
			}
		}
	}
}

// siteName is a name that the site's DNS server knows.
const siteName = "registry.example.com"

// answer answers a query of one question (RFC 1035, 4.1).
func answer(query []byte) []byte {
	const header = 12
	if len(query) < header {
		return nil
	}
	end := bytes.IndexByte(query[header:], 0)
	if end < 0 || len(query) < header+end+5 {
		return nil
	}
	var name []byte
	for rest := query[header : header+end]; len(rest) > 0; {
		n := int(rest[0])
		if n >= len(rest) {
			return nil
		}
		name = append(append(name, rest[1:n+1]...), '.')
		rest = rest[n+1:]
	}
	question := query[header : header+end+5]
	out := append(bytes.Clone(query[:2]), 0x85, 0x83, 0, 1, 0, 0, 0, 0, 0, 0) // QR, AA, RD, RA, NXDOMAIN; one question
	out = append(out, question...)
	if strings.EqualFold(string(name), siteName+".") {
		out[3] = 0x80
		if question[len(question)-3] == 1 { // type A
			out[7] = 1
			out = append(out, 0xc0, header, 0, 1, 0, 1, 0, 0, 0, 30, 0, 4)
			out = append(out, net.ParseIP(clientAddress).To4()...)
		}
	}
	return out
}
