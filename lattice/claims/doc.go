// Package claims reads what signed components and providers say of themselves:
// JSON Web Tokens, signed by an account's nkey, which wash embeds in a component
// and puts into a provider's archive. It decides whether a token is good, and what
// it is good for; it must not know who may run what.
//
// The source of the format is wascap, as wasmCloud v1.9.2 uses it (custom section
// wasmcloud_jwt, or jwt in older components; claims.jwt in archives).
package claims
