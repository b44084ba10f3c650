package filesystem

// Dir is a directory of the host that a component may use.
type Dir struct {
	// Host is the directory's path on the host, Guest the absolute path under
	// which the guest finds it.
	Host, Guest string
	// Write allows to change, create and remove what is in it.
	Write bool
	// Quota bounds the bytes that a writer may add to what the directory held
	// when the component was linked, over all its instances. 0: no bound.
	Quota int64
}
