// Package follow keeps what a provider does for the links that start at it in step with
// the links that there are. It knows nothing of what that is.
package follow
