// The greeter plugin: `capabilities` says what it can do, `server` answers calls.
package main

import (
	"os"

	"example.com/plugins/greeter/internal/contract"
)

func main() {
	files := &contentFolder{}
	plugin := contract.Plugin{
		ID:      "greeter",
		Type:    "GreeterRepository/v1",
		Aliases: []string{"GreeterRepository"},
		Open: func(spec contract.Object, _ contract.Object) (contract.Repository, error) {
			return newGreeter(spec, files)
		},
		Close: files.remove,
	}
	os.Exit(plugin.Run(os.Args[1:]))
}
