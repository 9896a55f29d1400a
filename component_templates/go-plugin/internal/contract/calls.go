package contract

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

const longestQuery = 64 * 1024

// members are what a call is made of: of the query with GET, of the JSON body with POST.
type members struct {
	Name, Version string
	Identity      map[string]string
	Repository    Object
	Type          Object
}

type operation func(members, Object) (any, error)

// routes are the endpoints of a component version repository, and those that every plugin has.
func (s *server) routes() http.Handler {
	mux := http.NewServeMux()
	serve := func(path, method string, handle operation) {
		mux.Handle(path, allow(method, s.call(handle)))
	}
	mux.Handle("/healthz", allow("GET", http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})))
	mux.Handle("/shutdown", allow("POST", http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		s.stop("told to")
		panic(http.ErrAbortHandler) // the connection ends without an answer
	})))
	serve("/identity", "POST", s.identity)
	serve("/component-version/check-health", "POST", s.on(func(Repository, members) (any, error) {
		return nil, nil
	}))
	serve("/component-versions", "GET", s.on(func(found Repository, m members) (any, error) {
		versions, err := found.Versions(m.Name)
		return append([]string{}, versions...), err
	}, "name"))
	serve("/component-version/download", "GET", s.on(func(found Repository, m members) (any, error) {
		return found.Descriptor(m.Name, m.Version)
	}, "name", "version"))
	serve("/local-resource/download", "GET", s.on(func(found Repository, m members) (any, error) {
		content, err := found.LocalResource(m.Name, m.Version, m.Identity)
		return content.answer("resource"), err
	}, "name", "version", "identity"))
	serve("/local-source/download", "GET", s.on(func(found Repository, m members) (any, error) {
		content, err := found.LocalSource(m.Name, m.Version, m.Identity)
		return content.answer("source"), err
	}, "name", "version", "identity"))
	for _, path := range []string{"/component-version", "/local-resource", "/local-source"} {
		serve(path+"/upload", "POST", func(members, Object) (any, error) {
			return nil, Invalid("%s can only be read", s.plugin.Type)
		})
	}
	return mux
}

// identity answers for which consumer credentials are looked up: none are needed.
func (s *server) identity(m members, _ Object) (any, error) {
	if !s.plugin.serves(m.Type["type"]) {
		return nil, Invalid("unknown type %.80q", fmt.Sprint(m.Type["type"]))
	}
	return json.RawMessage("null"), nil
}

// on makes an operation of what is done with a repository; the members in needed must be there.
func (s *server) on(do func(Repository, members) (any, error), needed ...string) operation {
	return func(m members, credentials Object) (any, error) {
		given := map[string]bool{"name": m.Name != "", "version": m.Version != "", "identity": m.Identity != nil}
		for _, name := range needed {
			if !given[name] {
				return nil, Invalid("%s is missing", name)
			}
		}
		spec := m.Repository
		if spec == nil {
			spec = Object{"type": s.plugin.Type} // the reference library does not send it
		}
		if !s.plugin.serves(spec["type"]) {
			return nil, Invalid("unknown repository type %.80q", fmt.Sprint(spec["type"]))
		}
		found, err := s.plugin.Open(spec, credentials)
		if err != nil {
			return nil, err
		}
		return do(found, m)
	}
}

// call reads a request, carries it out, and answers: JSON, or plain text that says what is wrong.
func (s *server) call(handle operation) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		credentials, err := readCredentials(r.Header.Get("Authorization"))
		var said members
		if err == nil {
			said, err = readMembers(r)
		}
		var value any
		if err == nil {
			value, err = handle(said, credentials)
		}
		var body []byte
		if err == nil && value != nil {
			body, err = json.Marshal(value)
		}
		if err != nil {
			http.Error(w, err.Error(), StatusOf(err))
			return
		}
		if body != nil {
			w.Header().Set("Content-Type", "application/json")
		}
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		w.Write(body)
	})
}

func allow(method string, next http.Handler) http.Handler {
	allowed := method
	if method == "GET" {
		allowed = "GET, HEAD"
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != method && !(method == "GET" && r.Method == "HEAD") {
			w.Header().Set("Allow", allowed)
			http.Error(w, r.URL.Path+" may only be called with "+allowed, http.StatusMethodNotAllowed)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// readCredentials reads the Authorization header: a JSON object; nothing and {} mean none.
func readCredentials(header string) (Object, error) {
	var credentials Object
	if strings.TrimSpace(header) == "" {
		return nil, nil
	}
	if json.Unmarshal([]byte(header), &credentials) != nil {
		return nil, Unauthorized("incorrect authentication header format: not a JSON object")
	}
	if len(credentials) == 0 {
		return nil, nil
	}
	return credentials, nil
}

func readMembers(r *http.Request) (members, error) {
	if r.Method != "POST" {
		return readQuery(r.URL.RawQuery)
	}
	var said members
	body, err := io.ReadAll(r.Body)
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return said, &Failure{http.StatusRequestEntityTooLarge, "the body is too large"}
	}
	if err != nil || json.Unmarshal(body, &said) != nil {
		return said, Invalid("the request body is no JSON object of the right form")
	}
	return said, nil
}

func readQuery(text string) (members, error) {
	if len(text) > longestQuery {
		return members{}, Invalid("the query is too long")
	}
	query, err := url.ParseQuery(text)
	if err != nil {
		return members{}, Invalid("the query is malformed")
	}
	said := members{Name: query.Get("name"), Version: query.Get("version")}
	for name, into := range map[string]any{"identity": &said.Identity, "repository": &said.Repository} {
		if !query.Has(name) {
			continue
		}
		data, err := base64.StdEncoding.DecodeString(query.Get(name))
		if err != nil || json.Unmarshal(data, into) != nil {
			return members{}, Invalid("%s is no JSON object in base64", name)
		}
	}
	return said, nil
}

// answer says where the content is, and which element it belongs to.
func (c Content) answer(element string) Object {
	location := Object{"type": "localFile", "value": c.Path}
	if c.MediaType != "" {
		location["mediaType"] = c.MediaType
	}
	return Object{"location": location, element: c.Element}
}
