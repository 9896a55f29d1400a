package contract

import (
	"fmt"
	"net"
)

// place is where the plugin listens: the line that it prints, and what is removed at the end.
type place struct {
	net.Listener
	tcp    bool
	remove func()
}

// listen does as the configuration says. Where it gives no location, a socket is in a new folder
// that nobody else can enter. Where there are no sockets for it (Windows), it is a loopback port.
func listen(said config) (*place, error) {
	if said.TCP || !hasSockets {
		return listenTCP(said)
	}
	path, remove := said.Location, func() {}
	if path == "" {
		var err error
		if path, remove, err = privateSocket(); err != nil {
			return nil, err
		}
	}
	listener, err := listenSocket(path)
	if err != nil {
		remove()
		return nil, err
	}
	return &place{listener, false, remove}, nil
}

func listenTCP(said config) (*place, error) {
	address := "127.0.0.1:0"
	if said.TCP && said.Location != "" {
		var err error
		if address, err = loopback(said.Location); err != nil {
			return nil, err
		}
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %s: %w", address, err)
	}
	return &place{listener, true, func() {}}, nil
}

// line returns what the manager reads on standard output.
func (p *place) line() string {
	if p.tcp {
		return "http://" + p.Addr().String() + "\n"
	}
	return "http+unix://" + p.Addr().String() + "\n"
}

// leave listens no more, and removes the socket with its folder.
func (p *place) leave() {
	p.Close()
	p.remove()
}
