package contract

import (
	"errors"
	"net"
)

// Managers and plugins of other languages can't be counted on to have unix domain sockets here.
const hasSockets = false

var errNoSockets = errors.New("there are no sockets for plugins on Windows")

func listenSocket(string) (net.Listener, error) { return nil, errNoSockets }

func privateSocket() (string, func(), error) { return "", nil, errNoSockets }
