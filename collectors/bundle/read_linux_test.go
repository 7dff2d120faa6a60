package bundle

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

func TestReadUnreadable(t *testing.T) {
	if _, err := Read(t.Context(), nil, Limits{}); err == nil {
		t.Error("nothing was read without an error")
	}
	gone := filepath.Join(t.TempDir(), "gone.tar.gz")
	if _, err := Read(t.Context(), []string{gone}, Limits{}); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), gone) {
		t.Errorf("got %v", err)
	}

	dir := t.TempDir()
	unpackTo(t, dir, minimal(textEntry("x/nodes/n1/links.json", `{"status":"read"}`)).tar(t))
	file := onDisk(t, "x.tar", minimal().tar(t))
	for _, test := range []struct{ name, closed, path, want string }{
		{"file", file, file, "read bundle: open " + file + ": permission denied"},
		{"folder", filepath.Join(dir, "x"), filepath.Join(dir, "x"), "read bundle: open " + filepath.Join(dir, "x") + ": permission denied"},
		{"folder in it", filepath.Join(dir, "x/nodes/n1"), dir, "read " + dir + ": x/nodes/n1: permission denied"},
		{"file in it", filepath.Join(dir, "x/nodes/n1/links.json"), dir, "read " + dir + ": x/nodes/n1/links.json: permission denied"},
	} {
		t.Run(test.name, func(t *testing.T) {
			info, err := os.Stat(test.closed)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(test.closed, 0); err != nil {
				t.Fatal(err)
			}
			asOwner(t, func() { _, err = Read(t.Context(), []string{test.path}, Limits{}) })
			if diff := cmp.Diff(test.want, fmt.Sprint(err)); diff != "" || !errors.Is(err, fs.ErrPermission) {
				t.Error(diff)
			}
			if err := os.Chmod(test.closed, info.Mode()); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// asOwner calls f as somebody whom permissions bind: root's thread gives up its capabilities over files meanwhile.
func asOwner(t *testing.T, f func()) {
	t.Helper()
	if os.Getuid() != 0 {
		f()
		return
	}
	header := &unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var had [2]unix.CapUserData
	runtime.LockOSThread()
	if err := unix.Capget(header, &had[0]); err != nil {
		t.Fatal(err)
	}
	drop := had
	drop[0].Effective &^= 1<<unix.CAP_DAC_OVERRIDE | 1<<unix.CAP_DAC_READ_SEARCH
	if err := unix.Capset(header, &drop[0]); err != nil {
		t.Fatal(err)
	}
	f()
	if err := unix.Capset(header, &had[0]); err != nil {
		t.Fatal(err) // the thread stays locked, and ends with the test
	}
	runtime.UnlockOSThread()
}
