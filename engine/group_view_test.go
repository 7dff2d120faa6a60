package engine

import (
	"testing"

	"github.com/netcause/netcause/engine/facts"
)

// A group that was read with nothing in it is an empty list to rules.
func TestGroupValueOfNothing(t *testing.T) {
	value, err := groupValue([]facts.NetworkPolicy(nil))
	if err != nil || value.String() != "[]" {
		t.Errorf("%v, %v", value, err)
	}
}
