package contract

import (
	"fmt"
	"net/http"
	"runtime/debug"
	"strings"
	"time"
)

const maxBody = 16 * 1024 * 1024

// guard is what every request passes: it counts, is limited, is checked, and is logged. A panic
// of the repository is the answer 500.
func (s *server) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !s.idle.begin() {
			w.Header().Set("Connection", "close")
			http.Error(w, "the plugin is ending; the call was not carried out", http.StatusServiceUnavailable)
			return
		}
		defer s.idle.end()
		if problem := s.refuse(r); problem != "" {
			s.log.write("WARN", "refused a request", Object{"error": problem})
			w.Header().Set("Connection", "close")
			http.Error(w, problem, http.StatusBadRequest)
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		noted := &notedWriter{ResponseWriter: w, status: http.StatusOK}
		began := time.Now()
		defer func() { s.finish(noted, r, began, recover()) }()
		next.ServeHTTP(noted, r)
	})
}

// refuse says what is wrong with a request on a port: what a web page sends through a browser to a
// name that it made mean loopback is refused. Nobody else can reach a socket.
func (s *server) refuse(r *http.Request) string {
	if !s.tcp {
		return ""
	}
	host := r.Host
	if !strings.Contains(host[strings.LastIndex(host, "]")+1:], ":") {
		host += ":80"
	}
	if _, err := loopback(host); err != nil {
		return "the Host header is not loopback"
	}
	if r.Header.Get("Origin") != "" {
		return "requests of web pages are refused"
	}
	return ""
}

func (s *server) finish(w *notedWriter, r *http.Request, began time.Time, panicked any) {
	if panicked == http.ErrAbortHandler {
		panic(panicked)
	}
	if panicked != nil {
		trace := string(debug.Stack())
		s.log.write("ERROR", "call failed", Object{"path": r.URL.Path, "error": fmt.Sprint(panicked), "trace": trace})
		http.Error(w, "the plugin failed", http.StatusInternalServerError)
	}
	if r.URL.Path != "/healthz" {
		s.log.write("INFO", "call", Object{
			"method": r.Method,
			"path":   r.URL.Path,
			"status": w.status,
			"ms":     float64(time.Since(began).Microseconds()) / 1000,
		})
	}
}

// notedWriter remembers the status of an answer.
type notedWriter struct {
	http.ResponseWriter
	status int
}

func (w *notedWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}
