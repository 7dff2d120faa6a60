package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

// atLeast and between are cobra's checks of how many arguments there are, in words that say what to write. A max of -1 is
// no bound.
func atLeast(min int) cobra.PositionalArgs { return between(min, -1) }

func between(min, max int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) < min:
			return fmt.Errorf("an argument is missing: %s (%s --help)", cmd.UseLine(), cmd.CommandPath())
		case max >= 0 && len(args) > max:
			return fmt.Errorf("%q is an argument too many: %s (%s --help)", args[max], cmd.UseLine(), cmd.CommandPath())
		}
		return nil
	}
}
