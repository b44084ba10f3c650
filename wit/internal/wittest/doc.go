// Package wittest draws random types, values and worlds for property tests of
// the packages under wit. Only tests import it.
package wittest
