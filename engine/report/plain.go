package report

// Plain makes a string from outside safe for a terminal: control characters and what has no shape of its own are dropped.
func Plain(s string) string { return clean(s) }
