package facts

// Evidence is a fact, its value, and where it was read.
type Evidence struct {
	Fact   string `json:"fact"`
	Value  string `json:"value"`
	Source Source `json:"source"`
}
