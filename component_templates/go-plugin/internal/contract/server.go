package contract

import (
	"context"
	"errors"
	"fmt"
	"io"
	stdlog "log"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"
)

const (
	headTime  = 5 * time.Second
	bodyTime  = 15 * time.Second
	keepAlive = 5 * time.Minute
	grace     = 5 * time.Second // for calls in progress at the end
	maxHead   = 128 * 1024
)

// server answers calls until it is told to end, was idle for long, or its manager is gone.
type server struct {
	plugin Plugin
	config config
	log    *logger
	idle   *idleTracker
	tcp    bool

	once   sync.Once
	ending chan string
}

func newServer(plugin Plugin, said config, log *logger) *server {
	return &server{plugin: plugin, config: said, log: log, ending: make(chan string, 1)}
}

// stop makes run return; the first reason counts.
func (s *server) stop(reason string) {
	s.once.Do(func() { s.ending <- reason })
}

// run listens, prints the address line to answers, and serves.
func (s *server) run(answers io.Writer) error {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(signals)
	where, err := listen(s.config)
	if err != nil {
		return err
	}
	defer where.leave()
	if s.plugin.Close != nil {
		defer s.plugin.Close()
	}
	s.tcp = where.tcp
	s.idle = newIdleTracker(s.config.Idle, func() { s.stop("idle") })
	web := s.web()
	failed := make(chan error, 1)
	go func() { failed <- web.Serve(where) }()
	if _, err := io.WriteString(answers, where.line()); err != nil {
		return fmt.Errorf("telling the address: %w", err)
	}
	go s.watch(os.Stdin)
	select {
	case err := <-failed:
		return err
	case got := <-signals:
		s.end(web, got.String())
	case reason := <-s.ending:
		s.end(web, reason)
	}
	return nil
}

func (s *server) web() *http.Server {
	return &http.Server{
		Handler:           s.guard(s.routes()),
		ReadHeaderTimeout: headTime,
		ReadTimeout:       bodyTime,
		IdleTimeout:       keepAlive,
		MaxHeaderBytes:    maxHead,
		ErrorLog:          stdlog.New(s.log, "", 0),
	}
}

// end gives calls in progress their time; new ones are refused.
func (s *server) end(web *http.Server, reason string) {
	s.idle.close()
	patience, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	if err := web.Shutdown(patience); errors.Is(err, context.DeadlineExceeded) {
		s.log.write("WARN", "calls were still running at the end", nil)
		web.Close()
	}
	s.log.write("INFO", "plugin ended", Object{"id": s.config.ID, "reason": reason})
}

// watch waits for the end of standard input, if it is a pipe: its end means that the manager, which
// holds the other side, is gone.
func (s *server) watch(input *os.File) {
	if info, err := input.Stat(); err != nil || info.Mode()&os.ModeNamedPipe == 0 {
		return
	}
	if _, err := io.Copy(io.Discard, input); err == nil {
		s.stop("the manager has gone")
	}
}
