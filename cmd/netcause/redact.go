package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/netcause/netcause/collectors/bundle"
	"github.com/netcause/netcause/collectors/redact"
	"github.com/netcause/netcause/engine/facts"
)

const redactHelp = `What collect always does: Secrets and environment variables are not read; in settings, arguments,
ConfigMaps, annotations and messages the values of what looks secret are masked (passwords, tokens,
private keys, passwords in URLs and connection strings, keys of cloud providers), and annotations
that have nothing to do with the network are left out.

Redacting sweeps every text that is kept once more, whatever it is: rules' comments, file names,
errors too. On request it replaces
  names      of nodes, namespaces, Pods, Services, workloads, containers, images, zones, values of
             labels, hosts, domains, users. One name is the same everywhere: node-1, svc-3. Names of
             the network's components (kube-system, coredns, calico-node), of devices, of chains and
             keys of labels stay, and so do texts of people's own: --word takes out those you know.
  addresses  IPv4, IPv6, MAC. Two addresses share as many leading bits as before, private ones stay
             private, a network's first and last address stay that, and so does the last number of
             an IPv4 address. Loopback, link-local and multicast addresses stay.
Chains and devices whose names are hashes of names or addresses get others. The diagnosis is that of
the bundle as it was.

redaction.json in the bundle counts what was replaced in which file; it has no values. What stands
for what goes nowhere but into --mapping, which is yours to keep.`

func newRedactCommand() *cobra.Command {
	var (
		options redact.Options
		limits  bundle.Limits
		mapping string
		restore string
		force   bool
		timeout time.Duration
	)
	cmd := &cobra.Command{
		Use:   "redact IN... OUT.tar.gz",
		Short: "Take secrets out of bundles, and replace names and addresses on request",
		Long: `Read bundles as analyze does, and write one of netcause's own without the secrets that may be left in
them. Of other tools' bundles it has the facts that analyze reads of them and no file of theirs.
Bundles of one incident belong into one call: names and addresses are replaced alike in all of them.

` + redactHelp,
		Example: `  netcause redact --names --addresses n1.tar.gz n2.tar.gz cluster.tar.gz incident.tar.gz
  netcause redact --names --mapping mine.json sosreport-n1.tar.xz incident.tar.gz
  netcause redact --restore mine.json answer.txt      put names and addresses back in a text`,
		Args: func(_ *cobra.Command, args []string) error {
			switch {
			case restore != "" && len(args) > 1:
				return fmt.Errorf("--restore takes one file, or standard input: %d are named", len(args))
			case restore == "" && len(args) < 2:
				return errors.New("what to read, and the file to write: netcause redact IN... OUT.tar.gz")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, cancel := context.WithTimeout(cmd.Context(), timeout)
			defer cancel()
			if restore != "" {
				return restoreText(cmd, restore, args)
			}
			in, out := args[:len(args)-1], args[len(args)-1]
			snapshot, err := bundle.Read(ctx, in, limits)
			if err != nil {
				return err
			}
			printProblems(cmd.ErrOrStderr(), snapshot)
			return writeRedacted(ctx, cmd, out, snapshot, options, mapping, force)
		},
	}
	f := cmd.Flags()
	f.BoolVar(&options.Names, "names", false, "replace names")
	f.BoolVar(&options.Addresses, "addresses", false, "replace IPv4, IPv6 and hardware addresses")
	f.StringArrayVar(&options.Words, "word", nil, "replace this `TEXT` wherever it occurs, case aside (repeatable)")
	f.StringVar(&mapping, "mapping", "", "write what stands for what into this `FILE`, only yours to read; one that is there is continued")
	f.StringVar(&restore, "restore", "", "print a text with what stands in this mapping `FILE` put back; nothing is redacted")
	f.BoolVar(&force, "force", false, "replace the file where it is there already")
	f.DurationVar(&timeout, "timeout", 10*time.Minute, "give up after this time")
	limitFlags(cmd, &limits)
	cmd.MarkFlagsMutuallyExclusive("restore", "mapping")
	return cmd
}

// printProblems says what could not be read.
func printProblems(w io.Writer, snapshot *facts.Snapshot) {
	for _, input := range snapshot.Inputs {
		if input.Problem != "" {
			fmt.Fprintf(w, "netcause: %s\n", harmless(input.Problem))
		}
	}
}

// redactFlag are the words of collect's --redact.
type redactFlag struct {
	asked   bool
	options redact.Options
}

func (r *redactFlag) String() string { return "" }
func (r *redactFlag) Type() string   { return "names,addresses" }

func (r *redactFlag) Set(text string) error {
	r.asked = true
	for _, word := range strings.Split(text, ",") {
		switch word {
		case facts.RedactedSecrets:
		case facts.RedactedNames:
			r.options.Names = true
		case facts.RedactedAddresses:
			r.options.Addresses = true
		default:
			return fmt.Errorf("%q is not one of names, addresses", word)
		}
	}
	return nil
}

// writeRedacted redacts a snapshot, writes it and the mapping, and says what was replaced.
func writeRedacted(ctx context.Context, cmd *cobra.Command, out string, snapshot *facts.Snapshot, options redact.Options, mapping string, force bool) error {
	var err error
	options.Mapping = &redact.Mapping{}
	if mapping != "" {
		if options.Mapping, err = readMapping(mapping); err != nil {
			return err
		}
	}
	redacted, report, err := redact.Apply(ctx, snapshot, options)
	if err != nil {
		return err
	}
	// The mapping first: a bundle whose mapping was lost cannot be read any more.
	if mapping != "" {
		if err := writeMapping(mapping, options.Mapping); err != nil {
			return err
		}
	}
	err = bundle.Write(ctx, out, redacted, bundle.Options{Tool: version(), Overwrite: force, Redaction: report})
	if err != nil {
		return err
	}
	printRedaction(cmd.ErrOrStderr(), report, options.Mapping)
	for _, name := range options.Mapping.Shown(filepath.Base(out)) {
		fmt.Fprintf(cmd.ErrOrStderr(), "netcause: the file's own name has %s in it\n", harmless(name))
	}
	fmt.Fprintf(cmd.OutOrStdout(), "Wrote %s. Read it with: netcause analyze %[1]s\n", out)
	return nil
}

// shownFiles is how many files with secrets are named.
const shownFiles = 10

func printRedaction(w io.Writer, report *facts.Redaction, mapping *redact.Mapping) {
	total := report.Total()
	said := []string{many(total.Secrets, "secret")}
	if report.Names || total.Names > 0 {
		said = append(said, many(total.Names, "name"))
	}
	if report.Addresses {
		said = append(said, many(total.Addresses, "address"), many(total.MACs, "hardware address"))
	}
	fmt.Fprintf(w, "netcause: taken out or replaced, in %s: %s. redaction.json in the bundle says where\n", many(len(report.Files), "file"), strings.Join(said, ", "))
	secrets := slices.DeleteFunc(slices.Clone(report.Files), func(f facts.RedactedFile) bool { return f.Secrets == 0 })
	for i, f := range secrets {
		if i == shownFiles {
			fmt.Fprintf(w, "  and in %s more\n", many(len(secrets)-i, "file"))
			break
		}
		fmt.Fprintf(w, "  %s: %s\n", harmless(f.File), many(f.Secrets, "secret"))
	}
	if words := mapping.Ordinary; len(words) > 0 {
		fmt.Fprintf(w, "netcause: these names are ordinary words too, and stay in running text: %s\n", harmless(strings.Join(words, ", ")))
	}
	if report.Clashes > 0 {
		fmt.Fprintf(w, "netcause: %s stayed, or became one that occurs too\n", many(report.Clashes, "address"))
	}
}

func many(n int, what string) string {
	switch {
	case n == 1:
		return "1 " + what
	case strings.HasSuffix(what, "s"):
		return fmt.Sprintf("%d %ses", n, what)
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// largestMapping bounds a mapping, and a text that names are put back in.
const largestMapping = 256 << 20

func readMapping(path string) (*redact.Mapping, error) {
	data, err := readFile(path, largestMapping)
	if errors.Is(err, fs.ErrNotExist) {
		return &redact.Mapping{}, nil
	}
	if err != nil {
		return nil, err
	}
	m, err := redact.ReadMapping(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return m, nil
}

// writeMapping puts the mapping in place whole, readable by its owner alone.
func writeMapping(path string, m *redact.Mapping) error {
	data, err := m.Marshal()
	if err != nil {
		return err
	}
	temporary, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*.part") // mode 0600
	if err != nil {
		return fmt.Errorf("write mapping: %w", err)
	}
	defer os.Remove(temporary.Name()) // fails once it was renamed
	_, err = temporary.Write(data)
	if err := errors.Join(err, temporary.Sync(), temporary.Close()); err != nil {
		return fmt.Errorf("write mapping: %w", err)
	}
	if err := os.Rename(temporary.Name(), path); err != nil {
		return fmt.Errorf("write mapping: %w", err)
	}
	return nil
}

// restoreText prints a text with names and addresses put back.
func restoreText(cmd *cobra.Command, mapping string, args []string) error {
	data, err := readFile(mapping, largestMapping)
	if err != nil {
		return err
	}
	m, err := redact.ReadMapping(data)
	if err != nil {
		return fmt.Errorf("%s: %w", mapping, err)
	}
	var text []byte
	if len(args) == 1 {
		text, err = readFile(args[0], largestMapping)
	} else {
		text, err = readAll(cmd.InOrStdin(), "standard input", largestMapping)
	}
	if err != nil {
		return err
	}
	_, err = io.WriteString(cmd.OutOrStdout(), m.Restore(string(text)))
	return err
}
