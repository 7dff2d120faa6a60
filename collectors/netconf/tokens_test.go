package netconf

import (
	"bytes"
	"encoding/base64"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestMaskTokens(t *testing.T) {
	key := base64.StdEncoding.EncodeToString([]byte("-----BEGIN EC PRIVATE KEY-----\nMHcCAQEE\n-----END EC PRIVATE KEY-----\n"))
	certificate := base64.StdEncoding.EncodeToString([]byte("-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"))
	tests := []struct{ name, in, want string }{
		{"mongodb", "dial mongodb://app:p@ss:word@db-0.db:27017/shop failed", "dial mongodb://app:********@db-0.db:27017/shop failed"},
		{"redis without a user", "redis://:hunter2@cache:6379/0", "redis://:********@cache:6379/0"},
		{"postgres", "postgres://u:p%40x@10.0.0.1:5432/db?sslmode=disable", "postgres://u:********@10.0.0.1:5432/db?sslmode=disable"},
		{"several URLs", "http://a:1/,http://u:p@b:2/", "http://a:1/,http://u:********@b:2/"},
		{"URL without user", "https://10.0.0.1:6443/api?x=a@b", "https://10.0.0.1:6443/api?x=a@b"},
		{"token as user", "https://0123456789abcdefghij0123@git.example/x", "https://********@git.example/x"},
		{"keywords of libpq", "host=db user=app password=hunter2 dbname=shop", "host=db user=app password=******** dbname=shop"},
		{"ADO", "Server=db;User Id=sa;Password=p-1!x;Encrypt=yes", "Server=db;User Id=sa;Password=********;Encrypt=yes"},
		{"Azure storage", "AccountName=a;AccountKey=Zm9vYmFy==;EndpointSuffix=x", "AccountName=a;AccountKey=********;EndpointSuffix=x"},
		{"JDBC", "jdbc:mysql://db/x?user=a&password=b&useSSL=true", "jdbc:mysql://db/x?user=a&password=********&useSSL=true"},
		{"shared access signature", "https://a.blob.core.windows.net/x?sv=1&sig=ab%2Fc&se=2", "https://a.blob.core.windows.net/x?sv=1&sig=********&se=2"},
		{"AWS", "id AKIAIOSFODNN7EXAMPLE.", "id ********."},
		{"AWS' secret", "AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG", "AWS_SECRET_ACCESS_KEY=********"},
		{"GitHub", "x ghp_0123456789abcdefghij0123456789abcdef y", "x ******** y"},
		{"bearer", "curl -H 'Authorization: Bearer abc.def-12345678' x", "curl -H 'Authorization: Bearer ********' x"},
		{"basic", "Authorization: Basic dXNlcjpwYXNz=", "Authorization: Basic ********"},
		{"basic in words", "basic authentication failed, bearer token missing", "basic authentication failed, bearer token missing"},
		{"JSON in a message", `bad config {\"password\":\"hunter2\",\"port\":1}`, `bad config {\"password\":\"********\",\"port\":1}`},
		{"flag in a message", "exec /x --token=abc --v=2: exit status 1", "exec /x --token=******** --v=2: exit status 1"},
		{"secret that is missing", `MountVolume.SetUp failed for volume "token-abc" : secret "x" not found`, `MountVolume.SetUp failed for volume "token-abc" : secret "x" not found`},
		{"image digest", "pulled sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", "pulled sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"},
		{"encoded key", "client-key: " + key + "\n", "client-key: ********\n"},
		{"encoded certificate", "ca: " + certificate + "\n", "ca: " + certificate + "\n"},
		{"PGP", "-----BEGIN PGP PRIVATE KEY BLOCK-----\nabc\n-----END PGP PRIVATE KEY BLOCK-----", "-----BEGIN PGP PRIVATE KEY BLOCK-----\n********\n-----END PGP PRIVATE KEY BLOCK-----"},
		{"iptables", `-A KUBE-SVC-X -m comment --comment "shop/web:http cluster IP" -j DNAT --to-destination 10.0.0.1:80`, `-A KUBE-SVC-X -m comment --comment "shop/web:http cluster IP" -j DNAT --to-destination 10.0.0.1:80`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := MaskTokens([]byte(tt.in))
			if diff := cmp.Diff(tt.want, string(got)); diff != "" {
				t.Errorf("MaskTokens (-want +got):\n%s", diff)
			}
			if again := MaskTokens(bytes.Clone(got)); !bytes.Equal(again, got) {
				t.Errorf("a second time: %s", again)
			}
		})
	}
}

func FuzzMaskTokens(f *testing.F) {
	f.Add([]byte("postgres://u:"), []byte("@db/x"))
	f.Add([]byte("{\\\"password\\\":\\\""), []byte("\\\"}"))
	f.Fuzz(func(t *testing.T, before, after []byte) {
		text := bytes.Join([][]byte{before, []byte(" https://u:hunter2hunter2@x/ "), after}, nil)
		got := MaskTokens(text)
		if bytes.Count(got, []byte("\n")) != bytes.Count(text, []byte("\n")) {
			t.Errorf("lines of %q became %q", text, got)
		}
		if !bytes.Contains(before, []byte("hunter2hunter2")) && !bytes.Contains(after, []byte("hunter2hunter2")) && bytes.Contains(got, []byte("hunter2hunter2")) {
			t.Errorf("the password is in %q", got)
		}
	})
}
