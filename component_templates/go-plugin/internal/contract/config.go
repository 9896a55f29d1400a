package contract

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"
)

const (
	defaultIdle    = time.Hour
	maxConfig      = 1024 * 1024
	longestAddress = 107 // bytes that the path of a unix domain socket can have
)

// config is what the manager says at the start.
type config struct {
	ID       string
	TCP      bool
	Location string // HOST:PORT, or the absolute path of a socket; "" leaves it to the plugin
	Idle     time.Duration
}

// parseConfig reads the JSON after --config, of either contract; unknown members are ignored.
func parseConfig(text string) (config, error) {
	var said struct {
		ID          string          `json:"id"`
		Type        string          `json:"type"`
		Location    string          `json:"location"`
		IdleTimeout json.RawMessage `json:"idleTimeout"`
	}
	if len(text) > maxConfig {
		return config{}, errors.New("the plugin configuration is too long")
	}
	if err := json.Unmarshal([]byte(text), &said); err != nil {
		return config{}, fmt.Errorf("the plugin configuration: %w", err)
	}
	if said.ID == "" {
		return config{}, errors.New("plugin config has no ID")
	}
	if said.Type != "socket" && said.Type != "unix" && said.Type != "tcp" {
		return config{}, fmt.Errorf("unknown plugin type %.80q: it is socket, unix or tcp", said.Type)
	}
	idle, err := parseIdle(said.IdleTimeout)
	return config{said.ID, said.Type == "tcp", said.Location, idle}, err
}

// parseIdle reads an integer of nanoseconds, or a duration such as "1h30m".
func parseIdle(said json.RawMessage) (time.Duration, error) {
	if len(said) == 0 || string(said) == "null" {
		return defaultIdle, nil
	}
	var text string
	var idle time.Duration
	err := json.Unmarshal(said, &text)
	if err == nil {
		idle, err = time.ParseDuration(text)
	} else {
		err = json.Unmarshal(said, (*int64)(&idle))
	}
	if err != nil {
		return 0, errors.New("idleTimeout is neither an integer of nanoseconds nor a duration")
	}
	if idle <= 0 {
		return 0, fmt.Errorf("the idle timeout is %v, which isn't more than 0", idle)
	}
	return idle, nil
}

// loopback returns HOST:PORT on this machine's loopback for a location. No host, and one that means
// every interface, become loopback; any other host is refused.
func loopback(location string) (string, error) {
	text := strings.TrimSuffix(strings.TrimPrefix(location, "http://"), "/")
	host, port, err := net.SplitHostPort(text)
	if err != nil {
		return "", fmt.Errorf("%.120q is not HOST:PORT", location)
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return "", fmt.Errorf("%.120q is not HOST:PORT", location)
	}
	if host == "" || host == "localhost" {
		host = "127.0.0.1"
	}
	address := net.ParseIP(host)
	if address.IsUnspecified() {
		host, address = "127.0.0.1", net.IPv4(127, 0, 0, 1)
	}
	if !address.IsLoopback() {
		return "", fmt.Errorf("%.120q is not on loopback: a plugin listens nowhere else", location)
	}
	return net.JoinHostPort(host, port), nil
}
