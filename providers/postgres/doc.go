// Package postgres is the SQL capability: the contract wasmcloud:postgres@0.1.1-draft
// (query and prepared) of package wit/wasmcloud/postgres, carried out by a PostgreSQL
// server, or by what speaks its protocol.
//
// A [Provider] is told its links and has a pool of connections for each, to the
// database that the link's configuration names, in place of what the provider's own
// says. Links share no connection, and so no temporary table, setting or lock, unless
// their configuration asks for it. What a statement leaves in its session stays there
// for later calls of the same link, which may meet it or another connection; a
// transaction that a call leaves open is rolled back.
//
// What the contract leaves open is settled so:
//
//   - The statement alone says of what type a parameter is. Values go to the server in
//     its text form, which it reads as that type: an integer of any size fits where a
//     number is expected, and a text fits anywhere. Nothing is ever put into the text of
//     a statement.
//   - Values whose type the contract has no case for come as text, as the server
//     writes them. An array with null in it, or of two dimensions, has no case either,
//     and is an error that says how to ask for it otherwise.
//   - Rows are read before the statement is committed, so that a result that is over a
//     limit, or has no form, leaves nothing changed.
//   - A call that is given up is cancelled on the server.
//   - A token is of the link by which it was made; a statement that is prepared again
//     has the token that it had. Tokens do not outlive the provider, nor does its copy
//     on another host know them, and it forgets those that were used longest ago: then
//     the statement is to be prepared again.
//
// It must not import host. Sources: wasmcloud:postgres and the sqldb-postgres provider
// of wasmCloud v1.9.2, for settings and for the cases of results; PostgreSQL's manual,
// chapters "Frontend/Backend Protocol" and "Data Types", for forms of values.
package postgres
