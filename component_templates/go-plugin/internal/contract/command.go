package contract

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
)

const usage = `usage: %[1]s capabilities
       %[1]s server --config JSON
       %[1]s --config JSON

A plugin of the Open Component Model; plugin managers start it.
`

// usageError is for arguments that can't be understood.
type usageError struct{ error }

// Run carries out the plugin's command line and returns its exit status: 0 also when the plugin
// ends by a signal, its idle time, a call of /shutdown or because its manager is gone; 2 for
// arguments that can't be understood; 1 if it can't start. From here on, what anything prints on
// standard output goes to standard error: standard output is the manager's.
func (p Plugin) Run(arguments []string) int {
	answers := os.Stdout
	os.Stdout = os.Stderr
	err := p.run(arguments, answers)
	if errors.Is(err, flag.ErrHelp) {
		fmt.Fprintf(answers, usage, os.Args[0])
		return 0
	}
	if err == nil {
		return 0
	}
	os.Stderr.Write(logLine("ERROR", err.Error(), Object{"plugin": p.ID}))
	if errors.As(err, &usageError{}) {
		return 2
	}
	return 1
}

func (p Plugin) run(arguments []string, answers io.Writer) error {
	if len(arguments) > 0 && arguments[0] == "capabilities" {
		return json.NewEncoder(answers).Encode(p.Capabilities())
	}
	text, err := configArgument(arguments)
	if err != nil {
		return err
	}
	said, err := parseConfig(text)
	if err != nil {
		return err
	}
	signal.Ignore(syscall.SIGPIPE) // a manager that is gone must not keep us from tidying up
	log := newLogger(os.Stderr)
	defer log.close()
	return newServer(p, said, log).run(answers)
}

// configArgument returns the value of --config, from the flag package: "--config X", "-config X"
// and "--config=X" are the same, and the last one wins.
func configArgument(arguments []string) (string, error) {
	if len(arguments) > 0 && arguments[0] == "server" {
		arguments = arguments[1:]
	}
	if len(arguments) > 0 && !strings.HasPrefix(arguments[0], "-") {
		return "", usageError{fmt.Errorf("unknown command %.80q: try capabilities", arguments[0])}
	}
	flags := flag.NewFlagSet("plugin", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	text := flags.String("config", "", "")
	if err := flags.Parse(arguments); errors.Is(err, flag.ErrHelp) {
		return "", err
	} else if err != nil {
		return "", usageError{err}
	}
	if *text == "" {
		return "", errors.New("missing required flag --config")
	}
	return *text, nil
}
