package nettools

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/netcause/netcause/collectors/iproute2"
	"github.com/netcause/netcause/collectors/nettest"
	"github.com/netcause/netcause/engine/facts"
)

func TestParseInterfaces(t *testing.T) {
	want := []Interface{
		{Name: "eth0", MTU: 1450, Stats: facts.LinkStatistics{RxPackets: 1163, RxBytes: 123456, TxPackets: 78, TxBytes: 9012, RxErrors: 1, RxDropped: 2, RxFIFO: 3, TxErrors: 4, TxDropped: 5, TxCarrier: 6}},
		{Name: "lo", MTU: 65536},
	}
	for name, text := range map[string]string{
		// Debian 12, net-tools 2.10.
		"net-tools 2": "eth0: flags=4163<UP,BROADCAST,RUNNING,MULTICAST>  mtu 1450\n        inet 10.0.0.1  netmask 255.255.255.0  broadcast 10.0.0.255\n" +
			"        inet6 fe80::1  prefixlen 64  scopeid 0x20<link>\n        ether 02:00:00:00:00:01  txqueuelen 1000  (Ethernet)\n" +
			"        RX packets 1163  bytes 123456 (120.5 KiB)\n        RX errors 1  dropped 2  overruns 3  frame 0\n" +
			"        TX packets 78  bytes 9012 (8.8 KiB)\n        TX errors 4  dropped 5 overruns 0  carrier 6  collisions 0\n\n" +
			"eth0:1: flags=4163<UP,BROADCAST,RUNNING,MULTICAST>  mtu 1450\n        inet 10.0.0.9  netmask 255.255.255.0  broadcast 10.0.0.255\n        ether 02:00:00:00:00:01  txqueuelen 1000  (Ethernet)\n\n" +
			"lo: flags=73<UP,LOOPBACK,RUNNING>  mtu 65536\n        inet 127.0.0.1  netmask 255.0.0.0\n        loop  txqueuelen 1000  (Local Loopback)\n        RX packets 0  bytes 0 (0.0 B)\n",
		// CentOS 6, net-tools 1.60, and BusyBox.
		"net-tools 1": "eth0      Link encap:Ethernet  HWaddr 02:00:00:00:00:01  \n          inet addr:10.0.0.1  Bcast:10.0.0.255  Mask:255.255.255.0\n" +
			"          inet6 addr: fe80::1/64 Scope:Link\n          UP BROADCAST RUNNING MULTICAST  MTU:1450  Metric:1\n" +
			"          RX packets:1163 errors:1 dropped:2 overruns:3 frame:0\n          TX packets:78 errors:4 dropped:5 overruns:0 carrier:6\n" +
			"          collisions:0 txqueuelen:1000 \n          RX bytes:123456 (120.5 KiB)  TX bytes:9012 (8.8 KiB)\n          Interrupt:17 Memory:febc0000-febe0000\n\n" +
			"eth0:1    Link encap:Ethernet  HWaddr 02:00:00:00:00:01  \n          inet addr:10.0.0.9  Bcast:10.0.0.255  Mask:255.255.255.0\n          UP BROADCAST RUNNING MULTICAST  MTU:1450  Metric:1\n\n" +
			"lo        Link encap:Local Loopback  \n          inet addr:127.0.0.1  Mask:255.0.0.0\n          UP LOOPBACK RUNNING  MTU:65536  Metric:1\n",
	} {
		t.Run(name, func(t *testing.T) {
			got, unparsed := ParseInterfaces([]byte(text))
			if diff := cmp.Diff(want, got); diff != "" || unparsed.Count != 0 {
				t.Errorf("%+v\n%s", unparsed, diff)
			}
		})
	}
	if got, unparsed := ParseInterfaces([]byte("ifconfig: command not found\neth0: flags=1<UP>  mtu 1500\n    RX packets many\n    something new 7\n")); unparsed.Count != 3 || len(got) != 1 {
		t.Errorf("%+v, %+v", got, unparsed)
	}
}

// What ifconfig counts is what ip -s link counts.
func TestInterfacesAgreeWithIP(t *testing.T) {
	nettest.NeedRoot(t)
	nettest.NeedTool(t, "ip", "ifconfig", "python3")
	n1, n2 := nettest.Namespace(t), nettest.Namespace(t)
	nettest.Veth(t, n1, "eth0", n2, "eth0")
	n1.Run(t, "ip", "address", "add", "10.0.0.1/24", "dev", "eth0")
	n1.Run(t, "ip", "link", "set", "eth0", "mtu", "1450")
	// A device that talks of itself would count on between the two.
	n1.Run(t, "ip", "link", "set", "eth0", "down")
	n1.Run(t, "python3", "-c", `import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("127.0.0.1", 9))`)
	got, unparsed := ParseInterfaces([]byte(n1.Run(t, "ifconfig", "-a")))
	var want []Interface
	for _, l := range iproute2.ParseDevices("x", []byte(n1.Run(t, "ip", "-s", "link")), nil).Links {
		s := *l.Stats64
		s.RxMissed = 0
		want = append(want, Interface{Name: l.Ifname, MTU: l.MTU, Stats: s})
	}
	byName := map[string]Interface{}
	for _, i := range got {
		byName[i.Name] = i
	}
	for _, w := range want {
		if diff := cmp.Diff(w, byName[w.Name]); diff != "" {
			t.Error(diff)
		}
	}
	if unparsed.Count != 0 || len(got) != len(want) || len(want) < 2 || byName["lo"].Stats.RxPackets == 0 {
		t.Errorf("%+v\n%+v", got, unparsed)
	}
}

func FuzzParseInterfaces(f *testing.F) {
	f.Add("eth0: flags=4163<UP>  mtu 1450\n        RX packets 1163  bytes 123456 (120.5 KiB)\n        TX errors 4  dropped 5 overruns 0  carrier 6\n")
	f.Add("eth0      Link encap:Ethernet  HWaddr 02:00:00:00:00:01  \n          UP  MTU:1450  Metric:1\n          RX bytes:1 (1.0 B)  TX bytes:2 (")
	f.Fuzz(func(t *testing.T, text string) {
		list, _ := ParseInterfaces([]byte(text))
		for _, i := range list {
			if i.Name == "" {
				t.Fatalf("%+v", i)
			}
		}
	})
}
