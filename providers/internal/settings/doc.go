// Package settings reads the configuration of providers: names with values, of which
// those that nobody knows are errors.
package settings
