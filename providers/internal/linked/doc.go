// Package linked gives each link that ends at a provider a backend of its own: what
// its configuration and secrets say, joined with those of the provider. Links with
// the same settings share one.
//
// It knows nothing of capabilities. Source of what calls belong to which link:
// protocol §7.4.
package linked
