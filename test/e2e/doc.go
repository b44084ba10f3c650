// Package e2e runs stories of the command line, testdata/script/*.txtar,
// against the real binary. Each script has a home, a state and a cache
// directory and a registry of its own, and hosts on random ports.
//
// Beside what testscript knows, scripts may say:
//
//	code N COMMAND…      the command's exit code has to be N
//	eventually TEXT COMMAND…
//	                     try again until it succeeds and prints the text
//	freeport VAR         set a variable to a port that nothing listens on
package e2e
