// Package fs keeps blobs in files: a folder for each container and a file for each
// object, below one folder that nothing leads out of. A name that is no plain file
// name is escaped in it by "%" and two hexadecimal digits for each byte. Objects are
// written beside the containers and moved to their place when they are whole, on
// disk. Where a file system tells no upper case from lower, nor do names.
package fs
