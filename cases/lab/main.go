package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// What machines run is this program, by other names.
	if err := runProgram(ctx, os.Args); !errors.Is(err, errNoProgram) {
		exit(err)
	}
	cmd := command()
	cmd.SetArgs(twoDashes(os.Args[1:]))
	exit(cmd.ExecuteContext(ctx))
}

// twoDashes makes -case what cobra calls --case. What is run on a machine stays as it is.
func twoDashes(args []string) []string {
	args = slices.Clone(args)
	for i, a := range args {
		if a == "shell" || a == "kubectl" {
			break
		}
		if len(a) > 2 && a[0] == '-' && a[1] != '-' {
			args[i] = "-" + a
		}
	}
	return args
}

func exit(err error) {
	if err != nil {
		if !errors.Is(err, errFellShort) {
			fmt.Fprintln(os.Stderr, "lab:", err)
		}
		os.Exit(1)
	}
	os.Exit(0)
}

var errNoProgram = errors.New("not a program of machines")

// runProgram is what this program is on the machines: by the name that it is called by, or by its first argument.
func runProgram(ctx context.Context, args []string) error {
	switch filepath.Base(args[0]) {
	case "flannel":
		if err := flannelPluginMain(os.Stdin); err != nil {
			pluginError(err)
			os.Exit(1)
		}
		return nil
	case "echo":
		return echoMain(args[1:])
	case "pause":
		return pauseMain()
	}
	if len(args) < 2 {
		return errNoProgram
	}
	switch rest := args[2:]; {
	case args[1] == "machine" && len(rest) == 2:
		return machineMain(rest[0], rest[1])
	case args[1] == "kubelet" && len(rest) == 4:
		return kubeletMain(ctx, rest[0], rest[1], rest[2], rest[3])
	case args[1] == "container":
		return containerMain()
	case args[1] == "client" && len(rest) == 1:
		return clientMain(ctx, rest[0], os.Stdout)
	case args[1] == "nameserver" && len(rest) == 1:
		return nameserverMain(rest[0])
	}
	return errNoProgram
}

// options are those of all commands.
type options struct {
	dir string
	out io.Writer
}

func command() *cobra.Command {
	o := &options{out: os.Stdout}
	root := &cobra.Command{
		Use:           "lab",
		Short:         "A real cluster on one machine, to break, diagnose and mend",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	dir := os.Getenv("NETCAUSE_LAB")
	if dir == "" {
		dir = "/var/tmp/netcause-lab"
	}
	root.PersistentFlags().StringVar(&o.dir, "dir", dir, "`FOLDER` of the lab; NETCAUSE_LAB by default")
	root.PersistentPreRunE = func(*cobra.Command, []string) (err error) {
		o.dir, err = filepath.Abs(o.dir)
		return err
	}
	root.AddCommand(o.upCommand(), o.downCommand(), o.breakCommand(), o.fixCommand(), o.shellCommand(), o.kubectlCommand(), o.listCommand(),
		o.healthCommand(), o.runCommand())
	return root
}

// prepare checks the machine, and builds what is not built.
func (o *options) prepare(ctx context.Context) (tools, netcause string, err error) {
	if err := checkMachine(ctx); err != nil {
		return "", "", err
	}
	for _, folder := range ownFolders {
		if strings.HasPrefix(o.dir+"/", "/"+folder+"/") {
			return "", "", fmt.Errorf("--dir %s: every machine has a /%s of its own", o.dir, folder)
		}
	}
	script := filepath.Join("..", "..", ".ci", "kubernetes")
	if _, err := os.Stat(script); err != nil {
		return "", "", fmt.Errorf("run it in cases/lab: %w", err)
	}
	cmd := exec.CommandContext(ctx, "bash", script, "--lab")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return "", "", fmt.Errorf("build the programs: %w", err)
	}
	netcause = o.dir + ".netcause"
	return strings.TrimSpace(string(out)), netcause, buildNetcause(ctx, netcause)
}

// open is the lab that is up, with the command as it is in the tree now.
func (o *options) open(ctx context.Context) (*Lab, error) {
	if _, _, err := o.prepare(ctx); err != nil {
		return nil, err
	}
	return open(o.dir, o.out)
}

// locked keeps other commands of the lab away while f runs.
func (o *options) locked(f func() error) error {
	file, err := lock(o.dir)
	if err != nil {
		return err
	}
	defer file.Close()
	return f()
}

func (o *options) up(ctx context.Context, variant Variant) (*Lab, error) {
	tools, netcause, err := o.prepare(ctx)
	if err != nil {
		return nil, err
	}
	if err := down(ctx, o.dir); err != nil {
		return nil, fmt.Errorf("take the old lab down: %w", err)
	}
	began := time.Now()
	fmt.Fprintf(o.out, "bringing a cluster up: %s\n", variant)
	l, err := up(ctx, o.dir, tools, netcause, variant, o.out)
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(o.out, "up in %.1f s\n", time.Since(began).Seconds())
	return l, nil
}

func (o *options) upCommand() *cobra.Command {
	var v Variant
	var keep bool
	cmd := &cobra.Command{
		Use: "up", Short: "Bring the cluster up", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := v.check(); err != nil {
				return err
			}
			return o.locked(func() error {
				if _, err := o.up(cmd.Context(), v); err != nil {
					if keep {
						return err
					}
					return errors.Join(err, o.down(cmd.Context()))
				}
				fmt.Fprint(o.out, "next: go run . break ID (go run . list shows the cases), go run . shell n1\n")
				return nil
			})
		},
	}
	cmd.Flags().StringVar((*string)(&v.Proxy), "proxy", "", "`MODE` of kube-proxy: iptables-legacy or nftables; by default iptables over nf_tables")
	cmd.Flags().StringVar(&v.Backend, "backend", "", "`BACKEND` of flannel: vxlan (default) or host-gw")
	cmd.Flags().StringVar((*string)(&v.Policy), "policy", "", "`WHO` enforces network policies: kube-router; by default nobody")
	cmd.Flags().BoolVar(&keep, "keep", false, "leave what there is of a lab that does not come up")
	return cmd
}

func (o *options) downCommand() *cobra.Command {
	return &cobra.Command{
		Use: "down", Short: "Take everything down, also after a crash", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return o.locked(func() error {
				return o.down(cmd.Context())
			})
		},
	}
}

// down takes the lab down, and all that was made for it.
func (o *options) down(ctx context.Context) error {
	return errors.Join(down(ctx, o.dir), removeIfThere(o.dir+".netcause"), removeIfThere(o.dir+".lock"))
}

func removeIfThere(path string) error {
	if err := os.Remove(path); err != nil && !isNotExist(err) {
		return err
	}
	return nil
}

func (o *options) breakCommand() *cobra.Command {
	return &cobra.Command{
		Use: "break ID", Short: "Break the cluster as a case does", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return o.locked(func() error {
				c, err := findCase(args[0])
				if err != nil {
					return err
				}
				l, err := o.open(cmd.Context())
				if err != nil {
					return err
				}
				if why := c.cannotRun(cmd.Context()); why != "" {
					return errors.New(why)
				}
				if c.Cluster != l.state.Variant {
					return fmt.Errorf("this case is of another cluster (%s); this one is %s", c.Cluster, l.state.Variant)
				}
				symptom, err := l.inject(cmd.Context(), c)
				if err != nil {
					return err
				}
				fmt.Fprintf(o.out, "seen: %s\nnext: go run . shell n1 %s diagnose --kubeconfig %s\n", dash(symptom), l.netcause, kubeletKubeconfig)
				return nil
			})
		},
	}
}

func (o *options) fixCommand() *cobra.Command {
	return &cobra.Command{
		Use: "fix", Short: "Diagnose, and run the steps that are printed", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return o.locked(func() error {
				ctx := cmd.Context()
				l, err := o.open(ctx)
				if err != nil {
					return err
				}
				var c Case
				for _, id := range l.state.Broken {
					broken, err := findCase(id)
					if err != nil {
						return err
					}
					c = both(c, broken)
				}
				d, err := l.diagnoseAll(ctx, c.Symptoms)
				if err != nil {
					return err
				}
				for _, f := range d.RootCauses {
					l.say("found %s: %s", f, f.Message)
				}
				if _, _, err := l.applyFix(ctx, d.RootCauses, c); err != nil {
					return err
				}
				r := row{id: strings.Join(l.state.Broken, " and ")}
				l.heal(ctx, c, &r)
				if len(r.short) > 0 {
					return errors.New(strings.Join(r.short, "; "))
				}
				fmt.Fprintln(o.out, "all traffic passes, nothing is found")
				return nil
			})
		},
	}
}

// both is two faults at once.
func both(a, b Case) Case {
	if a.ID == "" {
		return b
	}
	sequence := func(f, g func(context.Context, *Lab) error) func(context.Context, *Lab) error {
		return func(ctx context.Context, l *Lab) error {
			for _, do := range []func(context.Context, *Lab) error{f, g} {
				if do != nil {
					if err := do(ctx, l); err != nil {
						return err
					}
				}
			}
			return nil
		}
	}
	return Case{
		ID: a.ID + " and " + b.ID, About: a.About + "; " + b.About, Cluster: a.Cluster,
		Needs: slices.Concat(a.Needs, b.Needs), Symptoms: slices.Concat(a.Symptoms, b.Symptoms), Roots: slices.Concat(a.Roots, b.Roots),
		Prepare: sequence(a.Prepare, b.Prepare), Inject: sequence(a.Inject, b.Inject), Settled: sequence(a.Settled, b.Settled),
		Repair: sequence(a.Repair, b.Repair), After: sequence(a.After, b.After), ByHand: slices.Concat(a.ByHand, b.ByHand),
		Traffic: sequence(a.traffic, b.traffic),
	}
}

func (o *options) shellCommand() *cobra.Command {
	return &cobra.Command{
		Use: "shell MACHINE [COMMAND...]", Short: "Be on a machine: n1, n2, n3, control, client or fabric", Args: cobra.MinimumNArgs(1),
		DisableFlagParsing: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := readState(o.dir)
			if err != nil {
				return err
			}
			p, there := s.Machines[args[0]]
			if !there || !p.alive() {
				return fmt.Errorf("there is no machine %s", args[0])
			}
			line := args[1:]
			if len(line) == 0 {
				line = []string{"bash", "--norc"}
			}
			line = nsenter(p.PID, line...)
			path, err := exec.LookPath(line[0])
			if err != nil {
				return err
			}
			env := append(slices.Clone(environment), "PS1="+args[0]+"# ", "TERM="+os.Getenv("TERM"))
			return syscall.Exec(path, line, env)
		},
	}
}

func (o *options) kubectlCommand() *cobra.Command {
	return &cobra.Command{
		Use: "kubectl ARGS...", Short: "Run kubectl as the administrator", DisableFlagParsing: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			l, err := open(o.dir, o.out)
			if err != nil {
				return err
			}
			c := l.Control().command(cmd.Context(), l.program("kubectl"), append([]string{"--kubeconfig=" + adminKubeconfig}, args...)...)
			c.Stdin, c.Stdout, c.Stderr = os.Stdin, os.Stdout, os.Stderr
			return c.Run()
		},
	}
}

func (o *options) healthCommand() *cobra.Command {
	return &cobra.Command{
		Use: "health", Short: "Try all traffic", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			l, err := open(o.dir, o.out)
			if err != nil {
				return err
			}
			if err := l.Healthy(cmd.Context()); err != nil {
				return err
			}
			fmt.Fprintln(o.out, "all traffic passes")
			return nil
		},
	}
}

func (o *options) listCommand() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "Show the cases, and which cannot run here", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			for _, c := range allCases() {
				fmt.Fprintf(o.out, "%-42s %s\n", c.ID, c.About)
				if why := c.cannotRun(cmd.Context()); why != "" {
					fmt.Fprintf(o.out, "%-42s cannot run: %s\n", "", why)
				}
			}
			return nil
		},
	}
}

var errFellShort = errors.New("a case fell short")

func (o *options) runCommand() *cobra.Command {
	var r runner
	cmd := &cobra.Command{
		Use: "run", Short: "Take every case through the whole circle", Args: cobra.NoArgs,
		Long: `Bring a cluster up, and take every case through the whole circle: healthy traffic, the fault, its
symptom, the diagnosis, the printed fix, healthy traffic, nothing found. Then two faults at once, twice.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return o.locked(func() error { return r.run(cmd.Context(), o) })
		},
	}
	f := cmd.Flags()
	f.StringSliceVar(&r.ids, "case", nil, "`ID` of a case to run, instead of all (repeatable)")
	f.BoolVar(&r.keep, "keep", false, "leave the cluster up, as it is after the last case")
	f.Uint64Var(&r.seed, "seed", 0, "`NUMBER` by which faults that come at once are chosen; by default the time's")
	f.BoolVar(&r.again, "again", false, "try a case that fell short once more, on a new cluster: traffic is lost on a busy machine, too")
	f.BoolVar(&r.record, "record", false, "keep each case's bundles as its snapshot, in cases/ID/snapshot")
	return cmd
}

// runner runs cases.
type runner struct {
	ids                 []string
	keep, again, record bool
	seed                uint64
}

func (r *runner) run(ctx context.Context, o *options) error {
	chosen := allCases()
	var variants []Variant
	if len(r.ids) > 0 {
		chosen = nil
		for _, id := range r.ids {
			if id == healthyID {
				// Each kind of cluster begins with it.
				if !slices.Contains(variants, Variant{}) {
					variants = append(variants, Variant{})
				}
				continue
			}
			c, err := findCase(id)
			if err != nil {
				return err
			}
			chosen = append(chosen, c)
		}
	}
	var rows []row
	runnable := map[Variant][]Case{}
	for _, c := range chosen {
		if why := c.cannotRun(ctx); why != "" {
			rows = append(rows, row{id: c.ID, skipped: why})
			continue
		}
		if !slices.Contains(variants, c.Cluster) {
			variants = append(variants, c.Cluster)
		}
		runnable[c.Cluster] = append(runnable[c.Cluster], c)
	}
	if len(r.ids) == 0 {
		if r.seed == 0 {
			r.seed = uint64(time.Now().UnixNano())
		}
		for _, pair := range choosePairs(runnable[Variant{}], r.seed) {
			fmt.Fprintf(o.out, "two faults at once, by --seed %d: %s\n", r.seed, pair.ID)
			runnable[Variant{}] = append(runnable[Variant{}], pair)
		}
	}
	err := func() error {
		for _, v := range variants {
			done, err := r.runAll(ctx, o, v, runnable[v])
			rows = append(rows, done...)
			if err != nil {
				return err
			}
		}
		return nil
	}()
	if !r.keep || ctx.Err() != nil {
		err = errors.Join(err, o.down(ctx))
	}
	fmt.Fprintln(o.out)
	if !table(o.out, rows) && err == nil {
		err = errFellShort
	}
	return err
}

// runAll runs the cases of one kind of cluster. One that did not heal is the last of its cluster.
func (r *runner) runAll(ctx context.Context, o *options, v Variant, cases []Case) (rows []row, err error) {
	l, err := o.up(ctx, v)
	if err != nil {
		return nil, err
	}
	rows = append(rows, l.run(ctx, healthy(v), r.recordTo(o, healthy(v))))
	if err := ctx.Err(); err != nil {
		return rows, err
	}
	if len(rows[0].short) > 0 {
		l.sayShort(rows[0])
		return rows, fmt.Errorf("the healthy cluster (%s) fell short: no case is tried on it", v)
	}
	for i, c := range cases {
		if l == nil {
			if l, err = o.up(ctx, v); err != nil {
				return rows, err
			}
		}
		done := l.run(ctx, c, r.recordTo(o, c))
		if r.again && len(done.short) > 0 && ctx.Err() == nil {
			l.sayShort(done)
			if l, err = o.up(ctx, v); err != nil {
				return append(rows, done), err
			}
			done = l.run(ctx, c, r.recordTo(o, c))
			done.again = true
		}
		rows = append(rows, done)
		if err := ctx.Err(); err != nil {
			return rows, err
		}
		if len(done.short) > 0 {
			l.sayShort(done)
			if !r.keep || i < len(cases)-1 {
				l = nil // up takes the old one down
			}
		}
	}
	return rows, nil
}

func (l *Lab) sayShort(r row) {
	for _, s := range r.short {
		l.say("    SHORT    %s", s)
	}
}

func (r *runner) recordTo(o *options, c Case) string {
	asked := len(r.ids) == 0 || slices.Contains(r.ids, c.ID)
	trap := len(c.Roots) == 0 && c.ID != healthyID
	// Of other kinds of cluster it is faults alone that no cluster of the usual kind can have.
	usual := c.Cluster == Variant{} || c.Cluster == enforced && len(c.Roots) > 0
	if !r.record || !asked || trap || !usual || c.double || c.Foreign {
		return ""
	}
	return filepath.Join("..", c.ID, "snapshot")
}

// choosePairs chooses two faults at once, and then two others.
func choosePairs(cases []Case, seed uint64) []Case {
	random := rand.New(rand.NewPCG(seed, 0))
	var chosen []Case
	for range 2 {
		pair, ok := choosePair(cases, random)
		if !ok {
			break
		}
		c := both(pair[0], pair[1])
		c.double = true
		chosen = append(chosen, c)
		cases = slices.DeleteFunc(slices.Clone(cases), func(c Case) bool { return c.ID == pair[0].ID || c.ID == pair[1].ID })
	}
	return chosen
}

// choosePair chooses two faults that do not meet: of different nodes.
func choosePair(cases []Case, random *rand.Rand) (pair [2]Case, ok bool) {
	var pairs [][2]Case
	for i, a := range cases {
		for _, b := range cases[i+1:] {
			if canMeet(a) && canMeet(b) && !overlap(a, b) {
				pairs = append(pairs, [2]Case{a, b})
			}
		}
	}
	if len(pairs) == 0 {
		return pair, false
	}
	return pairs[random.IntN(len(pairs))], true
}

func canMeet(c Case) bool { return len(c.Roots) > 0 && !c.Alone }

func overlap(a, b Case) bool {
	for _, r := range a.Roots {
		for _, s := range b.Roots {
			if r.ID == s.ID || r.Node == s.Node && r.Node != "" {
				return true
			}
		}
	}
	return false
}
