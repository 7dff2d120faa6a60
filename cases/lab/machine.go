package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// Machine is a computer of the lab: the namespaces of one first process.
type Machine struct {
	Name string
	// Address is that of its uplink.
	Address string
	// Uplink is the device that leads to the fabric.
	Uplink string

	// dir is its folder: what it has of the file system itself, and the logs of the programs that the lab runs on it.
	dir     string
	process processID
	// self is the lab's program, where machines see it.
	self string
}

// path is where a file of the machine's own is for the lab. It must be below one of ownFolders.
func (m *Machine) path(name string) string { return filepath.Join(m.dir, name) }

// nsenter enters all namespaces of a process.
func nsenter(pid int, args ...string) []string {
	return append([]string{"nsenter", "--target", fmt.Sprint(pid), "--mount", "--uts", "--ipc", "--net", "--pid", "--"}, args...)
}

// command runs a program on the machine. When ctx ends the program is killed with all that it started.
func (m *Machine) command(ctx context.Context, program string, args ...string) *exec.Cmd {
	line := nsenter(m.process.PID, append([]string{program}, args...)...)
	return group(exec.CommandContext(ctx, line[0], line[1:]...))
}

// group gives a command a process group of its own, which is what is killed with it, and the environment of a machine.
func group(cmd *exec.Cmd) *exec.Cmd {
	cmd.Dir = "/"
	cmd.Env = environment
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	return cmd
}

// environment is that of all programs on machines. /usr/local/sbin has the stand-ins for what a machine without a service
// manager lacks.
var environment = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LANG=C.UTF-8"}

// Shell runs a line of shell on the machine, as a person would type it there, and gives what it printed.
func (m *Machine) Shell(ctx context.Context, line string) (string, error) {
	out, err := output(m.command(ctx, "sh", "-c", line))
	if err != nil {
		return out, fmt.Errorf("on %s: %s: %w", m.Name, line, err)
	}
	return out, nil
}

// Run is Shell for a line whose output does not matter.
func (m *Machine) Run(ctx context.Context, line string) error {
	_, err := m.Shell(ctx, line)
	return err
}

// ReadFile reads a file of the machine's own.
func (m *Machine) ReadFile(name string) (string, error) {
	text, err := os.ReadFile(m.path(name))
	return string(text), err
}

// WriteFile writes one, with its folders.
func (m *Machine) WriteFile(name, text string) error {
	path := m.path(name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, []byte(text), 0o644)
}

// Edit replaces what a file has once.
func (m *Machine) Edit(name, from, to string) error {
	text, err := m.ReadFile(name)
	if err != nil {
		return err
	}
	if n := strings.Count(text, from); n != 1 {
		return fmt.Errorf("edit %s on %s: it has %q %d times", name, m.Name, from, n)
	}
	return m.WriteFile(name, strings.Replace(text, from, to, 1))
}

// output runs a command and gives what it printed to its standard output. Its error has what it said to the other one.
func output(cmd *exec.Cmd) (string, error) {
	var out, problems bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &problems
	err := cmd.Run()
	if err != nil {
		if said := strings.TrimSpace(problems.String()); said != "" {
			err = fmt.Errorf("%w: %s", err, said)
		}
	}
	return out.String(), err
}

// start starts a program on the machine that stays when the lab's command ends. It writes to a log of its name.
func (m *Machine) start(program string, args ...string) error {
	name := filepath.Base(program)
	if program == m.self {
		name = args[0]
	}
	log, err := os.OpenFile(filepath.Join(m.dir, name+".log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := m.command(context.Background(), program, args...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s on %s: %w", name, m.Name, err)
	}
	// It is gone with the machine; whoever is its parent by then reaps it.
	go func() { _ = cmd.Wait() }()
	return nil
}

// log is what a program that start started has written.
func (m *Machine) log(name string) string {
	text, err := os.ReadFile(filepath.Join(m.dir, name+".log"))
	if err != nil {
		return err.Error()
	}
	const end = 3000
	if len(text) > end {
		text = text[len(text)-end:]
	}
	return string(text)
}

// ownFolders are those that a machine does not share with the others. /run/netns is there for the Pods of a node.
var ownFolders = []string{"etc", "opt", "run", "usr/local/sbin", "var/lib", "var/log"}

// sharedFiles are what a machine's /etc has of the real one's: what programs cannot do without, and which iptables it is.
var sharedFiles = []string{
	"passwd", "group", "nsswitch.conf", "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "alternatives", "protocols", "services",
	"ethertypes", "iproute2", "os-release", "debian_version", "ssl", "xattr.conf", "localtime", "shells", "bash.bashrc", "profile",
	"sos",
}

// startMachine makes a machine: its folder, and the first process of its namespaces. It has no network yet. begun is told
// who that process is before it does anything, so that the machine is known, and taken down, whatever happens then.
func startMachine(ctx context.Context, self, dir, name string, begun func(processID) error) (*Machine, error) {
	m := &Machine{Name: name, dir: filepath.Join(dir, name), self: self}
	for _, folder := range ownFolders {
		if err := os.MkdirAll(m.path(folder), 0o755); err != nil {
			return nil, err
		}
	}
	for _, name := range sharedFiles {
		if _, err := os.Lstat("/etc/" + name); err != nil {
			continue // not every system has all
		}
		if _, err := output(exec.CommandContext(ctx, "cp", "-a", "/etc/"+name, m.path("etc"))); err != nil {
			return nil, err
		}
	}
	for file, text := range map[string]string{
		"etc/hostname":   name + "\n",
		"etc/hosts":      "127.0.0.1 localhost\n",
		"etc/machine-id": fmt.Sprintf("%032x\n", name),
	} {
		if err := m.WriteFile(file, text); err != nil {
			return nil, err
		}
	}
	if err := os.Symlink("/proc/mounts", m.path("etc/mtab")); err != nil {
		return nil, err
	}

	log, err := os.Create(filepath.Join(m.dir, "machine.log"))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	goIn, goOut, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer goOut.Close()
	readyIn, readyOut, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer readyIn.Close()

	cmd := exec.Command(self, "machine", name, m.dir)
	cmd.Dir, cmd.Env = "/", environment
	cmd.Stdout, cmd.Stderr = log, log
	cmd.ExtraFiles = []*os.File{goIn, readyOut}
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Setsid:     true,
		Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWNS | syscall.CLONE_NEWUTS | syscall.CLONE_NEWPID | syscall.CLONE_NEWIPC,
	}
	err = cmd.Start()
	goIn.Close()
	readyOut.Close()
	if err != nil {
		return nil, fmt.Errorf("start machine %s: %w", name, err)
	}
	go func() { _ = cmd.Wait() }() // a machine ends when it is taken down
	if m.process, err = identify(cmd.Process.Pid); err != nil {
		return nil, err
	}
	if err := begun(m.process); err != nil {
		return nil, err
	}
	if _, err := goOut.WriteString("go\n"); err != nil {
		return nil, err
	}
	if text, err := io.ReadAll(readyIn); err != nil || string(text) != "ready\n" {
		return nil, fmt.Errorf("machine %s: %s", name, m.log("machine"))
	}
	return m, nil
}

// machineMain is the first process of a machine. It waits for the lab's word, and ends with the lab where that does not
// come; then it lays out the file system, and reaps what loses its parent.
func machineMain(name, dir string) error {
	if word, err := bufio.NewReader(os.NewFile(3, "go")).ReadString('\n'); err != nil || word != "go\n" {
		return errors.New("the lab has ended")
	}
	if err := syscall.Sethostname([]byte(name)); err != nil {
		return fmt.Errorf("set host name: %w", err)
	}
	// Nothing that is mounted here is to be seen outside.
	if err := mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE); err != nil {
		return err
	}
	if err := mount("proc", "/proc", "proc", syscall.MS_NOSUID|syscall.MS_NODEV|syscall.MS_NOEXEC); err != nil {
		return err
	}
	if err := mount("sysfs", "/sys", "sysfs", syscall.MS_NOSUID|syscall.MS_NODEV|syscall.MS_NOEXEC); err != nil {
		return err
	}
	// The lab's own folder may be below one that is about to be covered: its folders are bound from here.
	root, err := os.Open(dir)
	if err != nil {
		return err
	}
	for _, folder := range ownFolders {
		if err := mount(fmt.Sprintf("/proc/self/fd/%d/%s", root.Fd(), folder), "/"+folder, "", syscall.MS_BIND); err != nil {
			return err
		}
	}
	root.Close()
	// A mount of /run/netns/NAME must go everywhere when it is unmounted: Pods have mount namespaces of their own.
	if err := mount("", "/", "", syscall.MS_REC|syscall.MS_SHARED); err != nil {
		return err
	}
	if err := lo(); err != nil {
		return err
	}
	ready := os.NewFile(4, "ready")
	if _, err := ready.WriteString("ready\n"); err != nil {
		return err
	}
	ready.Close()
	reap()
	return nil
}

// reap waits for children for ever.
func reap() {
	children := make(chan os.Signal, 1)
	notifyChildren(children)
	for {
		for {
			if pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil); pid <= 0 || err != nil {
				break
			}
		}
		<-children
	}
}

func mount(source, target, fstype string, flags uintptr) error {
	if err := syscall.Mount(source, target, fstype, flags, ""); err != nil {
		return fmt.Errorf("mount %s on %s: %w", source, target, err)
	}
	return nil
}

func lo() error {
	if out, err := exec.Command("ip", "link", "set", "lo", "up").CombinedOutput(); err != nil {
		return fmt.Errorf("ip link set lo up: %w: %s", err, out)
	}
	return nil
}
