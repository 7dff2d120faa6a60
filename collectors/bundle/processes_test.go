package bundle

import (
	"fmt"
	"strings"
	"testing"

	"github.com/netcause/netcause/engine/facts"
)

// Processes are facts where they are the machine's, and where the sockets of the node and of its Pods tell which network
// namespace an agent is in.
func TestReadProcesses(t *testing.T) {
	const (
		head   = "USER       PID %CPU %MEM    VSZ   RSS TTY      STAT START   TIME COMMAND\n"
		first  = "root         1  0.0  0.0   1   1 ?        Ss   Nov24   0:00 /sbin/init\nroot         2  0.0  0.0      0     0 ?        S    Nov24   0:00 [kthreadd]\n"
		agents = "root       812  0.0  0.0   1   1 ?        Ssl  Nov24   0:00 /usr/bin/kubelet --node-ip=10.0.0.1 --token=abc\nroot       900  0.0  0.0   1   1 ?        Ssl  Nov24   0:00 kube-proxy --cluster-cidr=10.244.0.0/16\n" +
			"root       901  0.0  0.0   1   1 ?        Ssl  Nov24   0:00 /usr/sbin/NetworkManager\n"
		ss = "Netid State  Recv-Q Send-Q Local Address:Port  Peer Address:PortProcess\nnl UNCONN 0 0 rtnl:NetworkManager/901 *\n" +
			"tcp LISTEN 0 4096 127.0.0.1:10248 0.0.0.0:* users:((\"kubelet\",pid=812,fd=20))\ntcp ESTAB 0 0 10.0.0.1:40000 10.0.0.9:6443 users:((\"kube-proxy\",pid=900,fd=7))\n"
		netstat = "Active Internet connections (servers and established)\nProto Recv-Q Send-Q Local Address           Foreign Address         State       PID/Program name    \n" +
			"tcp        0      0 127.0.0.1:10248         0.0.0.0:*               LISTEN      812/kubelet         \ntcp        0      0 10.0.0.1:40000          10.0.0.9:6443           ESTABLISHED 900/kube-proxy      \n"
	)
	ask := func(command, text string) string { return "[root@n1 ~]# " + command + "\n" + text }
	for name, test := range map[string]struct{ text, want string }{
		"with ss":                    {ask("ps aux", head+first+agents) + ask("ss -anp", ss), "read: kubelet true, kube-proxy true, NetworkManager true; node-ip 10.0.0.1"},
		"with netstat":               {ask("sudo ps auxwww", head+first+agents) + ask("netstat -anp", netstat), "read: kubelet true, kube-proxy true, NetworkManager false; node-ip 10.0.0.1"},
		"in a namespace":             {ask("ps aux", head+first+agents) + ask("ss -anp", strings.Split(ss, "tcp ESTAB")[0]) + ask("ip netns exec kind ss -anp", strings.Replace(ss, "812", "1", 1)), "read: kubelet true, kube-proxy false, NetworkManager true; node-ip 10.0.0.1"},
		"without sockets":            {ask("ps aux", head+first+agents), "absent: kubelet (pid 812), kube-proxy (pid 900)"},
		"with half of them":          {ask("ps aux", head+first+agents) + ask("ss -lntup", strings.Split(ss, "tcp ESTAB")[0]), "absent: kube-proxy (pid 900)"},
		"of a container":             {ask("ps aux", head+strings.Split(first, "root         2")[0]+agents) + ask("ss -anp", ss), "absent: a part, or of a container"},
		"of the first alone":         {ask("ps aux", head+agents) + ask("ss -anp", ss), "absent: a part, or of a container"},
		"through grep":               {ask("ps aux | grep kube", agents) + ask("ss -anp", ss), "absent: no output of ps"},
		"of a user":                  {ask("ps -u root", head+first+agents) + ask("ss -anp", ss), "absent: no output of ps"},
		"without what makes a node":  {ask("ps -ef", strings.Replace(head, "COMMAND", "CMD", 1)+first), "read: "},
		"names in place of commands": {ask("ps -eo pid,args", "PID COMMAND\n1 init\n2 kthreadd\n812 kubelet\n") + ask("ss -anp", ss), "read: kubelet true"},
		"not found":                  {ask("ps aux", "bash: ps: command not found\n") + ask("hostname", "n1\n"), "absent: command not found"},
	} {
		t.Run(name, func(t *testing.T) {
			n := read(t, onDisk(t, "x", []byte(test.text))).Nodes[0]
			var list []string
			for _, p := range n.Processes.Value {
				list = append(list, fmt.Sprint(p.Comm, " ", p.HostNetwork))
				if strings.Contains(strings.Join(p.Args, " "), "abc") {
					t.Errorf("a token is shown: %q", p.Args)
				}
			}
			got := n.Processes.Status.String() + ": " + strings.Join(list, ", ")
			if n.KubeletConfig.Status == facts.Read && n.KubeletConfig.Value.NodeIP != "" {
				got += "; node-ip " + n.KubeletConfig.Value.NodeIP
			}
			status, reason, _ := strings.Cut(test.want, ": ")
			if status == "absent" {
				if n.Processes.Status != facts.Absent || !strings.Contains(n.Processes.Reason, reason) {
					t.Errorf("%s: %s", got, n.Processes.Reason)
				}
				return
			}
			if got != test.want {
				t.Errorf("%s, want %s: %s", got, test.want, n.Processes.Reason)
			}
		})
	}
}

// IPVS' table is the same from ipvsadm as from the kernel's file; what shows something else is none.
func TestReadIPVS(t *testing.T) {
	const (
		head  = "IP Virtual Server version 1.2.1 (size=4096)\nProt LocalAddress:Port Scheduler Flags\n  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn\n"
		table = head + "TCP  10.96.0.1:443 rr persistent 10800\n  -> 10.0.0.1:6443                Masq    1      4          0         \n"
	)
	for name, test := range map[string]struct {
		text, format string
		status       facts.Status
	}{
		"ipvsadm -Ln":           {table, "ipvsadm", facts.Read},
		"sudo ipvsadm -L -n":    {head, "ipvsadm", facts.Read},
		"ipvsadm -ln":           {"Can't initialize ipvs: Protocol not available\nAre you sure that IP Virtual Server is built in the kernel or as module?\n", "ipvsadm", facts.Read},
		"ipvsadm -l -n":         {"Can't initialize ipvs: Permission denied (you must be root)\n", "", facts.Denied},
		"ipvsadm -Sn":           {"-A -t 10.96.0.1:443 -s rr\n-a -t 10.96.0.1:443 -r 10.0.0.1:6443 -m -w 1\n", "ipvsadm", facts.Read},
		"ipvsadm-save -n":       {"\n", "ipvsadm", facts.Read},
		"cat /proc/net/ip_vs":   {head + "TCP  0A600001:01BB rr\n  -> 0A000001:192B      Masq    1      0          0\n", "proc-ip_vs", facts.Read},
		"ipvsadm -Ln --stats":   {table, "", facts.Absent},
		"ipvsadm -L":            {table, "", facts.Absent},
		"ipvsadm -Ln # nothing": {table, "", facts.Absent},
	} {
		t.Run(name, func(t *testing.T) {
			n := read(t, onDisk(t, "x", []byte("[root@n1 ~]# "+name+"\n"+test.text+"[root@n1 ~]# hostname\nn1\n"))).Nodes[0]
			if n.IPVS.Status != test.status || n.IPVS.Value.Format != test.format {
				t.Errorf("%+v", n.IPVS)
			}
		})
	}
	if n := read(t, folderOf(t, map[string]string{"a.txt": "Can't initialize ipvs: Permission denied (you must be root)\n", "r": "default via 10.0.0.254 dev eth0\n"})).Nodes[0]; n.IPVS.Status != facts.Denied {
		t.Errorf("%+v", n.IPVS)
	}
	// Without its command the content tells.
	n := read(t, folderOf(t, map[string]string{"ipvs.txt": table, "r": "default via 10.0.0.254 dev eth0\n"})).Nodes[0]
	if n.IPVS.Value.Format != "ipvsadm" || n.IPVS.Status != facts.Read {
		t.Errorf("%+v", n.IPVS)
	}
}

// Counters come from whichever output has them; what ifconfig leaves out is not taken for not there.
func TestReadCounters(t *testing.T) {
	detailed := "2: eth0: <UP> mtu 1500 state UP\n    link/ether 52:54:00:00:00:01 promiscuity 0\n    inet 10.0.0.1/24 scope global eth0\n       valid_lft forever preferred_lft forever\n"
	counted := "2: eth0: <UP> mtu %d state UP\n    link/ether 52:54:00:00:00:01\n    RX:  bytes packets errors dropped  missed   mcast\n    7 6 5 4 3 2\n    TX:  bytes packets errors dropped carrier collsns\n    17 16 15 14 13 12\n"
	ifconfig := "eth0: flags=4163<UP,BROADCAST,RUNNING,MULTICAST>  mtu 1500\n        inet 10.0.0.1  netmask 255.255.255.0  broadcast 10.0.0.255\n        RX packets 6  bytes 7 (7.0 B)\n"
	ask := func(command, text string) string { return "[root@n1 ~]# " + command + "\n" + text }
	for name, test := range map[string]struct {
		text    string
		packets uint64
	}{
		"ip -s link":          {ask("ip -d address", detailed) + ask("ip -s link", fmt.Sprintf(counted, 1500)), 6},
		"ifconfig":            {ask("ip -d address", detailed) + ask("ifconfig -a", ifconfig), 6},
		"of another one's":    {ask("ip -d address", detailed) + ask("ip -s link", fmt.Sprintf(counted, 1400)), 0},
		"of a device by name": {ask("ip -d address", detailed) + ask("ifconfig eth0", ifconfig), 0},
	} {
		t.Run(name, func(t *testing.T) {
			n := read(t, onDisk(t, "x", []byte(test.text))).Nodes[0]
			l := n.Links.Value[0]
			if n.Links.Status != facts.Read || (l.Stats64 != nil) != (test.packets > 0) || l.Stats64 != nil && l.Stats64.RxPackets != test.packets {
				t.Errorf("%+v", l.Stats64)
			}
		})
	}
	n := read(t, onDisk(t, "x", []byte(ask("ifconfig", ifconfig)+ask("hostname", "n1\n")))).Nodes[0]
	if n.Addresses.Status != facts.Absent || !strings.Contains(n.Addresses.Reason, "ip -d address") || n.Links.Status != facts.Absent {
		t.Errorf("%+v %+v", n.Addresses.Meta, n.Links.Meta)
	}
}

func FuzzPodTable(f *testing.F) {
	f.Add("NAMESPACE   NAME    READY   STATUS   RESTARTS   AGE   IP   NODE\na   b   1/1   Running   3 (5d ago)   9d   10.0.0.1   n1\n")
	f.Add("NAME   READY   STATUS   RESTARTS   AGE   IP   NODE   NOMINATED NODE   READINESS GATES\nb   1/1   Running   0   9d\n")
	f.Fuzz(func(t *testing.T, text string) {
		rows, _ := podTable([]byte(text), "default")
		for _, p := range rows {
			if !p.ip.IsValid() || p.namespace == "" {
				t.Fatalf("%+v", p)
			}
		}
	})
}
