package lattice

// Annotations of a component that Lath hosts act on. v1 gives annotations no
// meaning: its hosts keep them and tell them, unchanged, as ours do.
const (
	// AnnotationReuse says what becomes of an instance when its call has ended:
	// "pristine", "sticky" or "fresh". What the host's operator says counts more.
	AnnotationReuse = "lath.reuse"
	// AnnotationWarm is how many instances are made before they are needed.
	AnnotationWarm = "lath.warm"
)

// ConfigLinkTimeout is the key of a link's source config by which Lath hosts bound
// each call along the link, in milliseconds. To v1 it is a setting like any other.
const ConfigLinkTimeout = "lath.timeout-ms"
