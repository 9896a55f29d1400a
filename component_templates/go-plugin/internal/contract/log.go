package contract

import (
	"encoding/json"
	"io"
	"time"
)

const (
	longestText = 600  // bytes of one text: six times that in JSON, at most, is below the next
	longestLine = 4096 // a pipe takes it whole or not at all, so lines never mix
	waiting     = 256
)

// logger writes JSON lines as plugin managers read them. A line for which there is no room, since
// nobody reads them, is dropped: a call must not wait for its log.
type logger struct {
	lines chan []byte
	done  chan struct{}
}

func newLogger(out io.Writer) *logger {
	l := &logger{make(chan []byte, waiting), make(chan struct{})}
	go func() {
		defer close(l.done)
		for line := range l.lines {
			out.Write(line)
		}
	}()
	return l
}

// write adds a line; level is DEBUG, INFO, WARN or ERROR.
func (l *logger) write(level, message string, attributes Object) {
	select {
	case l.lines <- logLine(level, message, attributes):
	default:
	}
}

// close writes what is left, if that is possible soon; nothing may be written afterwards.
func (l *logger) close() {
	close(l.lines)
	select {
	case <-l.done:
	case <-time.After(time.Second):
	}
}

// Write takes what the HTTP server has to say.
func (l *logger) Write(text []byte) (int, error) {
	l.write("WARN", string(text), nil)
	return len(text), nil
}

func logLine(level, message string, attributes Object) []byte {
	entry := Object{
		"time":  time.Now().UTC().Format("2006-01-02T15:04:05.000Z"),
		"level": level,
		"msg":   cut(message),
	}
	for name, value := range attributes {
		if text, ok := value.(string); ok {
			value = cut(text)
		}
		entry[name] = value
	}
	line, err := json.Marshal(entry)
	if err != nil || len(line) >= longestLine {
		line, _ = json.Marshal(Object{"level": level, "msg": cut(message)})
	}
	return append(line, '\n')
}

func cut(text string) string {
	if len(text) <= longestText {
		return text
	}
	return "..." + text[len(text)-longestText+3:]
}
