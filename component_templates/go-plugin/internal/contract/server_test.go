package contract

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

const patience = 20 * time.Second

type fakeRepository struct{ spec Object }

func (f fakeRepository) Versions(name string) ([]string, error) {
	if name == "panic" {
		panic("at once")
	}
	return nil, nil
}

func (f fakeRepository) Descriptor(name, version string) (Object, error) {
	return Object{"name": name, "version": version, "spec": f.spec}, nil
}

func (f fakeRepository) LocalResource(_, _ string, identity map[string]string) (Content, error) {
	return Content{"/content", Object{"name": identity["name"]}, "text/plain"}, nil
}

func (f fakeRepository) LocalSource(string, string, map[string]string) (Content, error) {
	return Content{}, NotFound("no such source")
}

// running is a plugin in this process, and how a manager reaches it.
type running struct {
	*testing.T
	server *server
	url    string
	client *http.Client
	ended  chan error
}

func start(t *testing.T, text string) *running {
	t.Helper()
	said, err := parseConfig(text)
	if err != nil {
		t.Fatal(err)
	}
	plugin := Plugin{ID: "fake", Type: "Fake/v1", Aliases: []string{"Fake"}}
	plugin.Open = func(spec, _ Object) (Repository, error) { return fakeRepository{spec}, nil }
	log := newLogger(io.Discard)
	t.Cleanup(log.close)
	read, write := io.Pipe()
	r := &running{T: t, server: newServer(plugin, said, log), ended: make(chan error, 1)}
	go func() { r.ended <- r.server.run(write) }()
	line, err := bufio.NewReader(read).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	r.url = strings.TrimSuffix(line, "\n")
	transport := &http.Transport{}
	if path := strings.TrimPrefix(r.url, "http+unix://"); path != r.url {
		r.url = "http://unix"
		transport.DialContext = func(context.Context, string, string) (net.Conn, error) {
			return net.Dial("unix", path)
		}
	}
	t.Cleanup(transport.CloseIdleConnections)
	r.client = &http.Client{Transport: transport, Timeout: patience}
	return r
}

func (r *running) stop() {
	r.Helper()
	r.server.stop("the test is done")
	r.wait()
}

func (r *running) wait() {
	r.Helper()
	select {
	case err := <-r.ended:
		if err != nil {
			r.Error(err)
		}
	case <-time.After(patience):
		r.Fatal("it still runs")
	}
}

// call returns status and body of an answer; header has lines like "Name: value".
func (r *running) call(method, path, body string, header ...string) (int, string) {
	r.Helper()
	request, err := http.NewRequest(method, r.url+path, strings.NewReader(body))
	if err != nil {
		r.Fatal(err)
	}
	for _, line := range header {
		name, value, _ := strings.Cut(line, ": ")
		if request.Header.Set(name, value); name == "Host" {
			request.Host = value
		}
	}
	answer, err := r.client.Do(request)
	if err != nil {
		r.Fatal(err)
	}
	defer answer.Body.Close()
	data, err := io.ReadAll(answer.Body)
	if err != nil {
		r.Fatal(err)
	}
	if answer.StatusCode == 200 && method != "HEAD" && answer.ContentLength != int64(len(data)) {
		r.Error("no Content-Length", path)
	}
	return answer.StatusCode, string(data)
}

func encoded(text string) string {
	return url.QueryEscape(base64.StdEncoding.EncodeToString([]byte(text)))
}

func TestCallsAreAnsweredAsTheContractSays(t *testing.T) {
	for _, kind := range []string{"socket", "tcp"} {
		r := start(t, `{"id":"a","type":"`+kind+`"}`)
		identity := encoded(`{"name":"x"}`)
		for _, c := range []struct {
			method, path, body string
			status             int
			answer             string
		}{
			{"GET", "/healthz", "", 200, ""},
			{"HEAD", "/healthz", "", 200, ""},
			{"POST", "/healthz", "", 405, "/healthz may only be called with GET, HEAD\n"},
			{"GET", "/none", "", 404, "404 page not found\n"},
			{"POST", "/identity", `{"type":{"type":"Fake"}}`, 200, "null"},
			{"POST", "/identity", `{"type":{"type":"Other"}}`, 400, "unknown type \"Other\"\n"},
			{"GET", "/component-versions?name=c&repository=" + encoded(`{"type":"Other"}`), "", 400,
				"unknown repository type \"Other\"\n"},
			{"POST", "/component-version/check-health", `{"repository":{"type":"Fake"}}`, 200, ""},
			{"GET", "/component-versions?name=c", "", 200, "[]"},
			{"GET", "/component-versions", "", 400, "name is missing\n"},
			{"GET", "/component-versions?name=c&repository=!", "", 400, "repository is no JSON object in base64\n"},
			{"GET", "/component-versions?name=c&name=%zz", "", 400, "the query is malformed\n"},
			{"GET", "/component-versions?name=panic", "", 500, "the plugin failed\n"},
			{"GET", "/component-version/download?name=c&version=1&repository=" + encoded(`{"type":"Fake","x":1}`), "",
				200, `{"name":"c","spec":{"type":"Fake","x":1},"version":"1"}`},
			{"GET", "/local-resource/download?name=c&version=1&identity=" + identity, "", 200,
				`{"location":{"mediaType":"text/plain","type":"localFile","value":"/content"},"resource":{"name":"x"}}`},
			{"GET", "/local-source/download?name=c&version=1&identity=" + identity, "", 404, "no such source\n"},
			{"POST", "/component-version/upload", `{}`, 400, "Fake/v1 can only be read\n"},
			{"POST", "/identity", `[`, 400, "the request body is no JSON object of the right form\n"},
			{"POST", "/identity", `"` + strings.Repeat(" ", maxBody), 413, "the body is too large\n"},
		} {
			status, answer := r.call(c.method, c.path, c.body)
			if status != c.status || answer != c.answer {
				t.Errorf("%s %s %.60s: %d %q", c.method, c.path, c.body, status, answer)
			}
		}
		r.stop()
	}
}

func TestCredentialsAreAJSONObject(t *testing.T) {
	r := start(t, `{"id":"a","type":"tcp"}`)
	for header, expected := range map[string]int{"{}": 200, `{"type":"x"}`: 200, "Basic eA==": 401} {
		if status, _ := r.call("GET", "/component-versions?name=c", "", "Authorization: "+header); status != expected {
			t.Error(header, status)
		}
	}
	r.stop()
}

func TestAWebPageCanNotCallThePort(t *testing.T) {
	r := start(t, `{"id":"a","type":"tcp"}`)
	for header, expected := range map[string]int{
		"Host: localhost":             200,
		"Host: 127.0.0.1:80":          200,
		"Host: [::1]":                 200,
		"Host: evil.example":          400,
		"Host: 192.0.2.1:80":          400,
		"Origin: http://evil.example": 400,
	} {
		if status, _ := r.call("GET", "/healthz", "", header); status != expected {
			t.Error(header, status)
		}
	}
	r.stop()
}

func TestItEndsWhenItIsTold(t *testing.T) {
	r := start(t, `{"id":"a","type":"tcp"}`)
	if _, err := r.client.Post(r.url+"/shutdown", "", nil); err == nil {
		t.Error("the end was answered")
	}
	r.wait()
}

func TestItEndsWhenItWasIdleForLong(t *testing.T) {
	start(t, `{"id":"a","type":"tcp","idleTimeout":"50ms"}`).wait()
}

func TestACallInProgressIsNoIdleTime(t *testing.T) {
	expired := make(chan bool, 1)
	tracker := newIdleTracker(time.Millisecond, func() { expired <- true })
	if !tracker.begin() {
		t.Skip("needs a machine that is less busy")
	}
	tracker.expire()
	if len(expired) != 0 {
		t.Error("it expired during a call")
	}
	tracker.end()
	<-expired
	if tracker.begin() {
		t.Error("a call began after the end")
	}
}

func TestCapabilitiesAreOneValueForBothContracts(t *testing.T) {
	data, err := json.Marshal(Plugin{Type: "Fake/v1", Aliases: []string{"Fake"}}.Capabilities())
	expected := `{"capabilities":[{"supportedRepositorySpecTypes":[{"aliases":["Fake"],"jsonSchema":"e30=",` +
		`"type":"Fake/v1"}],"type":"componentVersionRepository"}],` +
		`"type":{"Fake/v1":["readComponentVersionRepository"]}}`
	if err != nil || string(data) != expected {
		t.Fatal(string(data), err)
	}
}

func TestALogLineIsShortJSON(t *testing.T) {
	long := strings.Repeat("\x01", 9000)
	line := logLine("WARN", long, Object{"a": long, "b": long})
	var entry struct{ Level, Msg string }
	if err := json.Unmarshal(line, &entry); err != nil || len(line) > longestLine || entry.Level != "WARN" {
		t.Fatal(len(line), err)
	}
}
