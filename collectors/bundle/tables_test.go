package bundle

import (
	"archive/zip"
	"bytes"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/netcause/netcause/collectors/nettest"
	"github.com/netcause/netcause/engine/facts"
)

func passedOverOf(files []File, name string) string {
	for _, f := range files {
		if strings.HasSuffix(f.Name, name) {
			return f.PassedOver
		}
	}
	return "no file " + name
}

// A table of Pods tells whose a network namespace is, and nothing that would pass for their list.
func TestReadPodTable(t *testing.T) {
	inside := "2: eth0@if5: <UP> mtu 1450 state UP\n    link/ether 02:00:00:00:00:05 link-netnsid 0\n    inet 10.244.1.%d/24 scope global eth0\n"
	pods := "NAMESPACE   NAME    READY   STATUS      RESTARTS        AGE   IP            NODE   NOMINATED NODE   READINESS GATES\n" +
		"shop        web-0   1/1     Running     3 (5d ago)      9d    10.244.1.5    n1     <none>           <none>\n" +
		"shop        old     0/1     Completed   0               9d    10.244.1.5    n1     <none>           <none>\n" +
		"shop        new     0/1     Pending     0               9d    <none>        n1     <none>           <none>\n" +
		"kube-system proxy   1/1     Running     0               9d    10.0.0.1      n1     <none>           <none>\n"
	files := map[string]string{
		"n1/rules": "0:\tfrom all lookup local\n32766:\tfrom all lookup main\n",
		"n1/t":     "[root@n1 ~]# ip netns exec a ip address\n" + fmt.Sprintf(inside, 5) + "[root@n1 ~]# ip netns exec b ip address\n" + fmt.Sprintf(inside, 6) + "[root@n1 ~]# kubectl get pods -A -o wide\n" + pods,
		"nodes":    "NAME   STATUS   ROLES           AGE   VERSION\nn1     Ready    control-plane   9d    v1.31.1\n",
		"svc":      "NAMESPACE   NAME         TYPE        CLUSTER-IP   EXTERNAL-IP   PORT(S)   AGE\ndefault     kubernetes   ClusterIP   10.96.0.1    <none>        443/TCP   9d\n",
		"describe": "Name:         web-0\nNamespace:    shop\nPriority:     0\n",
	}
	snapshot, list, err := ReadFiles(t.Context(), []string{folderOf(t, files)}, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if snapshot.Cluster != nil {
		t.Errorf("tables passed for objects: %+v", snapshot.Cluster)
	}
	var got []string
	for _, node := range snapshot.Nodes {
		for _, ns := range node.Namespaces {
			if ns.Pod != nil {
				got = append(got, ns.ID+" "+ns.Pod.Namespace+"/"+ns.Pod.Name)
			}
		}
	}
	if diff := gocmp.Diff([]string{"a shop/web-0"}, got); diff != "" {
		t.Error(diff)
	}
	for name, want := range map[string]string{"nodes": "kubectl get nodes -o json", "svc": "kubectl get services -A -o json", "describe": "kubectl describe"} {
		if why := passedOverOf(list, name); !strings.Contains(why, want) {
			t.Errorf("%s: %s", name, why)
		}
	}
}

// What cannot be opened is named, with what to do, wherever it is.
func TestReadSealed(t *testing.T) {
	routes := "default via 10.0.0.254 dev eth0\n"
	inner := tarOf(t, map[string]string{"a.7z": "7z\xbc\xaf\x27\x1c\x00\x04", "r": routes})
	deep := tarOf(t, map[string]string{"1.tar.gz": string(tarOf(t, map[string]string{"2.tar.gz": string(tarOf(t, map[string]string{"r": routes})), "r": routes}))})
	node := tarOf(t, map[string]string{"1.tar.gz": string(tarOf(t, map[string]string{"r": routes, "n1/messages.gz": string(compress(t, []byte("x"))), "n1/messages.txt.gz": string(compress(t, []byte("x"))), "n1/boot/initramfs": "\x04\x22\x4d\x18"}))})
	files := map[string]string{
		"r": routes, "b.rar": "Rar!\x1a\x07\x01\x00", "c.gpg": "\x8c\x0d\x04\x09\x03\x02", "inner.tar.gz": string(inner), "deep.tar.gz": string(deep),
		"s.tar.xz.gpg": "\x85\x02\x0c\x03\x11",
	}
	snapshot, list, err := ReadFiles(t.Context(), []string{folderOf(t, files)}, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"b.rar": "RAR archive", "c.gpg": "decrypt it", "a.7z": "7z archive", "2.tar.gz": "unpack one of these", "s.tar.xz.gpg": "decrypt it",
	} {
		if why := passedOverOf(list, name); !strings.Contains(why, want) {
			t.Errorf("%s: %s", name, why)
		}
		if !slices.ContainsFunc(snapshot.Inputs, func(i facts.Input) bool { return strings.Contains(i.Problem, name+": ") }) {
			t.Errorf("no input says of %s that it is not read: %+v", name, snapshot.Inputs)
		}
	}
	// Read by itself: of many just some are named.
	for _, input := range read(t, folderOf(t, map[string]string{"node.tar.gz": string(node)})).Inputs {
		if input.Problem != "" {
			t.Errorf("a node's own archive is a problem: %+v", input)
		}
	}
	if _, err := Read(t.Context(), []string{onDisk(t, "x.rar", []byte("Rar!\x1a\x07\x01\x00"))}, Limits{}); err == nil || !strings.Contains(err.Error(), "unpack it") {
		t.Error(err)
	}
}

func TestReadEncryptedZip(t *testing.T) {
	nettest.NeedTool(t, "zip")
	dir := folderOf(t, map[string]string{"a": "default via 10.0.0.254 dev eth0\n", "b": "x"})
	out := t.TempDir() + "/x.zip"
	run := func(args ...string) {
		if text, err := exec.CommandContext(t.Context(), "zip", args...).CombinedOutput(); err != nil {
			t.Fatalf("zip: %v: %s", err, text)
		}
	}
	run("-q", "-j", "-P", "secret", out, dir+"/a", dir+"/b")
	_, files, err := ReadFiles(t.Context(), []string{out}, Limits{})
	if err == nil || !strings.Contains(err.Error(), "unpack the archive with its password") {
		t.Errorf("%v, %+v", err, files)
	}
	run("-q", "-j", out, onDisk(t, "route.txt", []byte("default via 10.0.0.254 dev eth0\n")))
	snapshot, files, err := ReadFiles(t.Context(), []string{out}, Limits{})
	if err != nil || snapshot.Nodes[0].Routes.Status != facts.Read || !strings.Contains(passedOverOf(files, "b"), "password") {
		t.Errorf("%v, %+v", err, files)
	}

	var b bytes.Buffer
	w := zip.NewWriter(&b)
	if _, err := w.CreateRaw(&zip.FileHeader{Name: "r", Method: 14, CompressedSize64: 0, UncompressedSize64: 3}); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(t.Context(), []string{onDisk(t, "y.zip", b.Bytes())}, Limits{}); err == nil || !strings.Contains(err.Error(), "a method that is not read") {
		t.Error(err)
	}
}
