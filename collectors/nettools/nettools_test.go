package nettools

import (
	"net/netip"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/netcause/netcause/collectors/nettest"
	"github.com/netcause/netcause/collectors/node"
	"github.com/netcause/netcause/engine/facts"
)

var same = cmp.Options{cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{}), cmpopts.EquateEmpty()}

// What route and netstat print is what netlink says, less what they do not show.
func TestTextAgreesWithNetlink(t *testing.T) {
	nettest.NeedRoot(t)
	nettest.NeedTool(t, "ip", "route", "netstat", "python3")
	n1, n2 := nettest.Namespace(t), nettest.Namespace(t)
	nettest.Veth(t, n1, "eth0", n2, "eth0")
	for line := range strings.Lines(`ip address add 10.0.0.1/24 dev eth0
		ip route add default via 10.0.0.254 metric 100
		ip route add 10.244.1.0/24 via 10.0.0.2
		ip route add unreachable 10.99.0.0/16
		ip route add 10.96.0.0/16 dev eth0`) {
		f := strings.Fields(line)
		n1.Run(t, f[0], f[1:]...)
	}
	cmd := exec.Command("python3", "-c", `
import socket, time
a = socket.socket(socket.AF_INET, socket.SOCK_STREAM); a.bind(("0.0.0.0", 80)); a.listen(7)
b = socket.socket(socket.AF_INET6, socket.SOCK_STREAM); b.bind(("::", 81)); b.listen(7)
c = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); c.bind(("127.0.0.1", 53))
d = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM); d.bind(("::1", 54))
e = socket.create_connection(("127.0.0.1", 80))
print("ready", flush=True)
time.sleep(600)`)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	n1.Start(t, cmd)
	if _, err := out.Read(make([]byte, 6)); err != nil {
		t.Fatal(err)
	}
	var collected *facts.Node
	n1.Do(t, func() { collected = node.Collect(t.Context(), node.Options{Root: t.TempDir(), Name: "n1"}) })

	var want []facts.Route
	for _, r := range collected.Routes.Value {
		if r.Table == facts.TableMain && r.Family == "inet" {
			r.Protocol, r.Scope, r.Src = "", "", netip.Addr{}
			want = append(want, r)
		}
	}
	order := cmpopts.SortSlices(func(a, b facts.Route) bool { return a.Dst.String() < b.Dst.String() })
	for _, command := range []string{"route -n", "netstat -rn"} {
		args := strings.Fields(command)
		got, unparsed := ParseRoutes("x", []byte(n1.Run(t, args[0], args[1:]...)))
		metric := cmpopts.IgnoreFields(facts.Route{}, "Source")
		if command == "netstat -rn" {
			metric = cmpopts.IgnoreFields(facts.Route{}, "Source", "Metric")
		}
		if diff := cmp.Diff(want, got, same, order, metric); diff != "" || unparsed.Count != 0 || len(want) != 5 {
			t.Errorf("%s: %+v (-netlink +text):\n%s", command, unparsed, diff)
		}
	}

	for _, command := range []string{"netstat -W -neopa", "netstat -tulpen", "netstat -an"} {
		args := strings.Fields(command)
		got, tcp, udp, unparsed := ParseListeners("x", []byte(n1.Run(t, args[0], args[1:]...)))
		ignored := []string{"Source", "SendQ", "V6Only"}
		if command == "netstat -an" {
			ignored = append(ignored, "PID", "Process")
		}
		if diff := cmp.Diff(collected.Listeners.Value, got, same, cmpopts.IgnoreFields(facts.Listener{}, ignored...),
			cmpopts.SortSlices(func(a, b facts.Listener) bool { return a.Port < b.Port })); diff != "" || unparsed.Count != 0 || !tcp || !udp {
			t.Errorf("%s: %+v (-netlink +text):\n%s", command, unparsed, diff)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("Destination Gateway Genmask Flags Metric Ref Use Iface\n10.0.0.0 0.0.0.0 255.0.0.0 U 0 0 0 eth0\n10.0.0.0 - 255.0.0.0 !H 0 - 0 -\n")
	f.Add("tcp6 0 0 :::80 :::* LISTEN 0 5 1/a: b off\nudp 0 0 0.0.0.0:1 0.0.0.0:* 0 5 -\n")
	f.Fuzz(func(t *testing.T, text string) {
		routes, _ := ParseRoutes("x", []byte(text))
		for _, r := range routes {
			if !r.Dst.IsValid() {
				t.Fatalf("a route to nowhere: %+v", r)
			}
		}
		ParseListeners("x", []byte(text))
	})
}
