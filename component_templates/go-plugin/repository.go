package main

import (
	"crypto/sha256"
	"encoding/hex"

	"example.com/plugins/greeter/internal/contract"
)

const version = "1.0.0"

// Greeter is a repository with one component version, made from its own specification, which is
// like {"type": "GreeterRepository/v1", "greeting": "Hello"}.
type Greeter struct {
	content []byte
	files   *contentFolder
}

func newGreeter(spec contract.Object, files *contentFolder) (*Greeter, error) {
	greeting := "Hello"
	if said, found := spec["greeting"]; found {
		text, ok := said.(string)
		if !ok {
			return nil, contract.Invalid("greeting is not a text")
		}
		greeting = text
	}
	return &Greeter{content: []byte(greeting + "\n"), files: files}, nil
}

// Versions returns the versions of a component.
func (g *Greeter) Versions(string) ([]string, error) {
	return []string{version}, nil
}

// Descriptor returns the component descriptor.
func (g *Greeter) Descriptor(name, wanted string) (contract.Object, error) {
	if wanted != version {
		return nil, contract.NotFound("%s has no version %s; there is %s", name, wanted, version)
	}
	return contract.Object{
		"meta": contract.Object{"schemaVersion": "v2"},
		"component": contract.Object{
			"name":                name,
			"version":             version,
			"provider":            "example.com",
			"repositoryContexts":  []any{},
			"resources":           []any{g.resource()},
			"sources":             []any{},
			"componentReferences": []any{},
		},
	}, nil
}

// LocalResource returns a file with the content of a resource; the caller leaves it there.
func (g *Greeter) LocalResource(name, wanted string, identity map[string]string) (contract.Content, error) {
	if wanted != version || identity["name"] != "greeting" {
		return contract.Content{}, contract.NotFound("%s %s has no resource %v", name, wanted, identity)
	}
	path, err := g.files.keep(g.digest(), g.content)
	return contract.Content{Path: path, Element: g.resource(), MediaType: "text/plain"}, err
}

// LocalSource returns a file with the content of a source: there are none.
func (g *Greeter) LocalSource(name, wanted string, identity map[string]string) (contract.Content, error) {
	return contract.Content{}, contract.NotFound("%s %s has no source %v", name, wanted, identity)
}

// resource returns the greeting's entry in the descriptor.
func (g *Greeter) resource() contract.Object {
	return contract.Object{
		"name":     "greeting",
		"version":  version,
		"type":     "plainText",
		"relation": "local",
		"access": contract.Object{
			"type":           "localBlob/v1",
			"localReference": "sha256:" + g.digest(),
			"mediaType":      "text/plain",
		},
		"digest": contract.Object{
			"hashAlgorithm":          "SHA-256",
			"normalisationAlgorithm": "genericBlobDigest/v1",
			"value":                  g.digest(),
		},
	}
}

func (g *Greeter) digest() string {
	sum := sha256.Sum256(g.content)
	return hex.EncodeToString(sum[:])
}
