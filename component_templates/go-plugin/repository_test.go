package main

import (
	"errors"
	"os"
	"testing"

	"example.com/plugins/greeter/internal/contract"
)

const component = "example.com/greetings"

func open(t *testing.T, spec contract.Object) *Greeter {
	t.Helper()
	files := &contentFolder{}
	t.Cleanup(files.remove)
	repository, err := newGreeter(spec, files)
	if err != nil {
		t.Fatal(err)
	}
	return repository
}

func TestListsTheOneVersion(t *testing.T) {
	versions, err := open(t, contract.Object{}).Versions(component)
	if err != nil || len(versions) != 1 || versions[0] != "1.0.0" {
		t.Fatal(versions, err)
	}
}

func TestTheDescriptorNamesTheComponent(t *testing.T) {
	descriptor, err := open(t, contract.Object{}).Descriptor(component, "1.0.0")
	if err != nil {
		t.Fatal(err)
	}
	if name := descriptor["component"].(contract.Object)["name"]; name != component {
		t.Fatal(name)
	}
}

func TestTheGreetingComesFromTheSpecification(t *testing.T) {
	repository := open(t, contract.Object{"greeting": "Servus"})
	content, err := repository.LocalResource(component, "1.0.0", map[string]string{"name": "greeting"})
	if err != nil {
		t.Fatal(err)
	}
	if data, err := os.ReadFile(content.Path); err != nil || string(data) != "Servus\n" {
		t.Fatal(string(data), err)
	}
}

func TestTheContentIsGoneAtTheEnd(t *testing.T) {
	repository := open(t, contract.Object{})
	content, err := repository.LocalResource(component, "1.0.0", map[string]string{"name": "greeting"})
	if err != nil {
		t.Fatal(err)
	}
	repository.files.remove()
	if _, err := os.Stat(content.Path); !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
}

func TestWhatIsNotThereIsNotFound(t *testing.T) {
	repository := open(t, contract.Object{})
	_, version := repository.Descriptor(component, "2.0.0")
	_, resource := repository.LocalResource(component, "1.0.0", map[string]string{"name": "other"})
	_, source := repository.LocalSource(component, "1.0.0", map[string]string{"name": "greeting"})
	for _, err := range []error{version, resource, source} {
		if contract.StatusOf(err) != 404 {
			t.Error(err)
		}
	}
}

func TestAGreetingThatIsNoTextIsRefused(t *testing.T) {
	if _, err := newGreeter(contract.Object{"greeting": 1.0}, nil); contract.StatusOf(err) != 400 {
		t.Fatal(err)
	}
}
