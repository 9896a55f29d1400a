// Package contract is what a plugin manager of the Open Component Model and a plugin say to each
// other: the commands and endpoints of the plugin ADR, and those of the reference library.
package contract

import (
	"errors"
	"fmt"
	"net/http"
)

// Object is a JSON object.
type Object = map[string]any

// Plugin is a program that serves repositories of one type, for reading.
type Plugin struct {
	ID      string
	Type    string // of the repository, such as "OCIRegistry/v1"
	Aliases []string

	// Open returns the repository for one call; credentials is nil if there are none.
	Open func(spec, credentials Object) (Repository, error)

	// Close is called once, when the plugin ends; it may be nil.
	Close func()
}

// Repository holds component versions. Calls come at the same time, each with one of its own.
type Repository interface {
	// Versions returns the versions of a component; none if it isn't there.
	Versions(name string) ([]string, error)

	// Descriptor returns a component descriptor of schema version 2.
	Descriptor(name, version string) (Object, error)

	// LocalResource returns the content of the resource whose identity has these attributes.
	LocalResource(name, version string, identity map[string]string) (Content, error)

	// LocalSource returns the content of the source whose identity has these attributes.
	LocalSource(name, version string, identity map[string]string) (Content, error)
}

// Content is a file to hand over, by its absolute path, and the element that it belongs to.
type Content struct {
	Path      string
	Element   Object
	MediaType string
}

// Failure is an error that a caller is told with an HTTP status; any other is told with 500.
type Failure struct {
	Status  int
	Message string
}

func (f *Failure) Error() string { return f.Message }

// NotFound says that there is no such thing.
func NotFound(format string, values ...any) error {
	return &Failure{http.StatusNotFound, fmt.Sprintf(format, values...)}
}

// Invalid says that the caller asked for something that can't be.
func Invalid(format string, values ...any) error {
	return &Failure{http.StatusBadRequest, fmt.Sprintf(format, values...)}
}

// Unauthorized says that the credentials do not do.
func Unauthorized(format string, values ...any) error {
	return &Failure{http.StatusUnauthorized, fmt.Sprintf(format, values...)}
}

// StatusOf returns the HTTP status for an error; 200 for none.
func StatusOf(err error) int {
	var failure *Failure
	switch {
	case err == nil:
		return http.StatusOK
	case errors.As(err, &failure):
		return failure.Status
	default:
		return http.StatusInternalServerError
	}
}

// Capabilities returns the one answer that both contracts understand: "type" is the ADR's,
// "capabilities" the reference library's. The schema is {}, in base64: any specification will do.
func (p Plugin) Capabilities() Object {
	supported := Object{"type": p.Type, "aliases": p.Aliases, "jsonSchema": "e30="}
	return Object{
		"type": Object{p.Type: []string{"readComponentVersionRepository"}},
		"capabilities": []Object{{
			"type":                         "componentVersionRepository",
			"supportedRepositorySpecTypes": []Object{supported},
		}},
	}
}

func (p Plugin) serves(name any) bool {
	for _, alias := range p.Aliases {
		if name == alias {
			return true
		}
	}
	return name == p.Type
}
