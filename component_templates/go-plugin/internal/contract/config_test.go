package contract

import (
	"strings"
	"testing"
	"time"
)

func TestTheConfigurationOfEitherContractIsRead(t *testing.T) {
	for text, expected := range map[string]config{
		`{"id":"a","type":"socket","location":"/x"}`:                     {"a", false, "/x", time.Hour},
		`{"id":"a","type":"unix","pluginType":"","idleTimeout":1000000}`: {"a", false, "", time.Millisecond},
		`{"id":"a","type":"tcp","location":":1","idleTimeout":"1h30m"}`:  {"a", true, ":1", 90 * time.Minute},
		`{"id":"a","type":"tcp","idleTimeout":null,"other":[1]}`:         {"a", true, "", time.Hour},
	} {
		if said, err := parseConfig(text); err != nil || said != expected {
			t.Error(text, said, err)
		}
	}
}

func TestAConfigurationThatSaysTooLittleIsRefused(t *testing.T) {
	for text, expected := range map[string]string{
		``:                           "configuration",
		`[]`:                         "configuration",
		`{"id":"a","type":"tcp"} x`:  "configuration",
		`{"type":"tcp"}`:             "no ID",
		`{"id":"a"}`:                 "unknown plugin type",
		`{"id":"a","type":"pipe"}`:   "unknown plugin type",
		`{"id":1,"type":"tcp"}`:      "configuration",
		strings.Repeat(" ", 2000000): "too long",
		`{"id":"a","type":"tcp","idleTimeout":0}`:      "more than 0",
		`{"id":"a","type":"tcp","idleTimeout":"-1s"}`:  "more than 0",
		`{"id":"a","type":"tcp","idleTimeout":1.5}`:    "idleTimeout",
		`{"id":"a","type":"tcp","idleTimeout":"soon"}`: "idleTimeout",
	} {
		if _, err := parseConfig(text); err == nil || !strings.Contains(err.Error(), expected) {
			t.Errorf("%.60s: %v", text, err)
		}
	}
}

func TestAPortIsOnLoopbackOrNowhere(t *testing.T) {
	for location, expected := range map[string]string{
		":65454":               "127.0.0.1:65454",
		"0.0.0.0:1":            "127.0.0.1:1",
		"[::]:1":               "127.0.0.1:1",
		"http://localhost:80/": "127.0.0.1:80",
		"127.8.9.10:1":         "127.8.9.10:1",
		"[::1]:1":              "[::1]:1",
	} {
		if address, err := loopback(location); err != nil || address != expected {
			t.Error(location, address, err)
		}
	}
	for _, location := range []string{"", "1", ":x", ":65536", "192.0.2.1:1", "example.com:1", "[::2]:1"} {
		if address, err := loopback(location); err == nil {
			t.Error(location, address)
		}
	}
}

func TestTheFlagIsReadAsManagersWriteIt(t *testing.T) {
	for _, arguments := range [][]string{
		{"server", "--config", "X"},
		{"--config", "X"},
		{"--config=X"},
		{"-config", "W", "-config", "X", "rest"},
	} {
		if text, err := configArgument(arguments); err != nil || text != "X" {
			t.Error(arguments, text, err)
		}
	}
}

func TestTheExitStatusSaysWhatWasWrong(t *testing.T) {
	for line, expected := range map[string]int{
		"":                      1,
		"server":                1,
		"--config {}":           1,
		"serve":                 2,
		"--other":               2,
		"--config":              2,
		"server --config= more": 1,
	} {
		if status := (Plugin{ID: "a"}).Run(strings.Fields(line)); status != expected {
			t.Error(line, status)
		}
	}
}
