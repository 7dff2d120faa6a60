//go:build race

package bundle

// The race detector lets pools drop what they hold (sync.Pool.Put), so more is allocated anew.
const allocatedMiB = 4096
