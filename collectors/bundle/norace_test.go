//go:build !race

package bundle

// allocatedMiB bounds what a file of a few megabytes may cost.
const allocatedMiB = 256
