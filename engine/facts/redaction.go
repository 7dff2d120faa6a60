package facts

// What may be replaced in a bundle, as [Input].Redacted says it.
const (
	RedactedSecrets   = "secrets"
	RedactedNames     = "names"
	RedactedAddresses = "addresses"
)

// Redaction is the report of what was taken out of a snapshot before it was written. It has no values.
type Redaction struct {
	// Names and Addresses: they were replaced, secrets always are.
	Names     bool `json:"names"`
	Addresses bool `json:"addresses"`
	// Clashes counts addresses that stayed, or became one that occurs too.
	Clashes int `json:"clashes,omitempty"`
	// OrdinaryWords counts names that are words of the kernel's or Kubernetes' too ("comment", "app"): in running text they stay.
	OrdinaryWords int `json:"ordinaryWords,omitempty"`
	// Files are those in which something was replaced.
	Files []RedactedFile `json:"files"`
}

// Redacted counts what was replaced: occurrences, not different ones. Secrets are the masks that stand in the file now,
// whoever put them there.
type Redacted struct {
	Secrets   int `json:"secrets,omitempty"`
	Names     int `json:"names,omitempty"`
	Addresses int `json:"addresses,omitempty"`
	MACs      int `json:"macs,omitempty"`
}

// RedactedFile is one file of a bundle.
type RedactedFile struct {
	File string `json:"file"`
	Redacted
}

// What says what was replaced, in the words of [Input].Redacted.
func (r *Redaction) What() []string {
	what := []string{RedactedSecrets}
	if r.Names {
		what = append(what, RedactedNames)
	}
	if r.Addresses {
		what = append(what, RedactedAddresses)
	}
	return what
}

// Total are the counts of all files.
func (r *Redaction) Total() Redacted {
	var total Redacted
	for _, f := range r.Files {
		total.Secrets += f.Secrets
		total.Names += f.Names
		total.Addresses += f.Addresses
		total.MACs += f.MACs
	}
	return total
}
