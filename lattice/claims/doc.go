// Package claims reads what signed components say of themselves: JSON Web Tokens,
// signed by an account's nkey, which wash embeds in them. It decides whether a
// token is good; it must not know who may run what.
//
// The source of the format is wascap, as wasmCloud v1.9.2 uses it (custom section
// wasmcloud_jwt, or jwt in older components).
package claims
