package bundle

import "slices"

// File is one file of what was read: which facts it gave, or why it was passed over.
type File struct {
	// Bundle is the archive or folder, Name the file in it.
	Bundle, Name string
	// Facts are the groups of facts that it is a source of: "routes", "cluster.pods".
	Facts []string
	// PassedOver is why it gave none.
	PassedOver string
	// Unparsed is how many of its lines were not understood, FirstUnparsed the first of them.
	Unparsed      int
	FirstUnparsed string
}

func (f *File) facts(group string) {
	if f != nil && group != "" && !slices.Contains(f.Facts, group) {
		f.Facts = append(f.Facts, group)
	}
}
