// Package sdk is what a capability provider in Go stands on: a main of a few
// lines that says what the provider carries out, and the methods of that.
//
//	func main() {
//		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
//		defer stop()
//		err := sdk.Run(ctx, os.Stdin, sdk.Provider{
//			Contracts: []sdk.Contract{sdk.Export(keyvalue.StoreInterface, bind.ServeStore, newStore())},
//		})
//		if err != nil {
//			fmt.Fprintln(os.Stderr, err)
//			os.Exit(1)
//		}
//	}
//
// [Run] reads the host data that the host writes to standard input, connects,
// serves the contracts, keeps links and configuration up to date, answers how the
// provider is, and ends in order. A provider made with it runs under Lath and
// under wasmCloud 1.x. See providers/README.md for what crosses the wire.
//
// It must not know hosts.
package sdk
