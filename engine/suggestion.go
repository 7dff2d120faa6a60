package engine

import (
	"fmt"
	"slices"
	"strings"

	"github.com/agnivade/levenshtein"
)

// nearest is the word of a list that somebody meant who wrote another one; empty where none is near.
func nearest(written string, words []string) string {
	best, distance := "", max(2, len(written)/3)+1
	for _, word := range slices.Sorted(slices.Values(words)) {
		if word == written {
			continue
		}
		d := levenshtein.ComputeDistance(strings.ToLower(written), strings.ToLower(word))
		if d < distance && d < len(written) {
			best, distance = word, d
		}
	}
	return best
}

func didYouMean(written string, words []string) string {
	if word := nearest(written, words); word != "" {
		return fmt.Sprintf(", did you mean %q?", word)
	}
	return ""
}
