// Package bolt keeps values in one file, by bbolt: for one machine, without a
// server. What a call has stored is on the disk when it returns; calls that wait
// at the same time share a write.
//
// It must not import host, nor choose where the file is: that is the operator's.
package bolt
