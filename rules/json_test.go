package rules

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"bailiff/ingest"
)

func TestJSON(t *testing.T) {
	const absent = "\x00absent"
	for _, c := range []struct{ text, path, want string }{
		{`{"a":"x"}`, "a", "x"},
		{` {"a":"x"}`, "a", absent},
		{`{"a":"x"} `, "a", "x"},
		{`{"a":"x"}{`, "a", absent},
		{`["x"]`, "0", absent},
		{`{}`, "a", absent},
		{`{"a":{},"b":[],"c":[{}],"d":"x"}`, "d", "x"},
		{`{"a":-1.50e+3}`, "a", "-1.50e+3"},
		{`{"a":true,"b":false,"c":null}`, "c", "null"},
		{`{"a":{"b":{"c":"x"}},"d":1}`, "a.b.c", "x"},
		{`{"a":{"b.c":"x"}}`, "a.b.c", "x"},
		{`{"a.b":{"c":"x"}}`, "a.b.c", "x"},
		{`{"a.b.c":"x"}`, "a.b.c", "x"},
		{`{"a.b":"x","a":{"b":"y"}}`, "a.b", absent},
		{`{"a":{"b":"x"},"a":{"c":"y"}}`, "a.b", "x"},
		{`{"a":"x","a":"x"}`, "a", absent},
		{`{"a":"x","\u0061":"y"}`, "a", absent},
		{`{"a":{"b":"x"},"a":{"b":"y"}}`, "a.b", absent},
		{`{"a":{"b":{}}}`, "a.b", absent},
		{`{"a":[1]}`, "a", absent},
		{`{"a":["x",{"b":["y","z"]}]}`, "a.1.b.1", "z"},
		{`{"a":["x"]}`, "a.1", absent},
		{`{"a":["x"]}`, "a.00", absent},
		{`{"a":["x"]}`, "a.-0", absent},
		{`{"a":"x"}`, "a.0", absent},
		{`{"":{"":"x"}}`, ".", "x"},
		{`{"a":"\"\\\/\b\f\n\r\t"}`, "a", "\"\\/\b\f\n\r\t"},
		{`{"a":"\u0000\u00e9\uD83d\uDE00"}`, "a", "\x00é😀"},
		{`{"a":"\ud83d\u0041\ude00"}`, "a", "\ufffdA\ufffd"},
		{"{\"a\":\"\xe9\"}", "a", "\xe9"},
		{"{\"a\":\"\n\"}", "a", absent},
		{`{"a":"\x41"}`, "a", absent},
		{`{"a":"\u00g0"}`, "a", absent},
		{`{"a":"x","b":01}`, "a", absent},
		{`{"a":"x","b":+1}`, "a", absent},
		{`{"a":"x","b":1.}`, "a", absent},
		{`{"a":"x","b":1e}`, "a", absent},
		{`{"a":"x","b":nul}`, "a", absent},
		{`{"a":"x",}`, "a", absent},
		{`{"a":"x","b"}`, "a", absent},
		{`{"a":"x","b":[1,]}`, "a", absent},
		{`{"a":"x","b":[}]`, "a", absent},
		{`{"a":"x"`, "a", absent},
		{`{"a":"x`, "a", absent},
		{"{\"a\":\"x\"\x00}", "a", absent},
		{strings.Repeat(`{"a":`, 100) + `"x"` + strings.Repeat("}", 100), "a" + strings.Repeat(".a", 99), "x"},
		{`{"a":"x","b":"` + strings.Repeat("x", ingest.MaxMessage-16) + `"}`, "a", "x"},
		{`{"a":"x","b":"` + strings.Repeat("x", ingest.MaxMessage-15) + `"}`, "a", absent},
	} {
		got, found := absent, false
		var d document
		if d.read([]byte(c.text)) {
			var v []byte
			if v, found = d.find(c.path); found {
				got = string(v)
			}
		}
		if got != c.want {
			t.Errorf("%.60s: %s is %q, want %q", c.text, c.path, got, c.want)
		}
	}
}

// reference adds the values below one value to all, by path; a value that has none
// is nil. The names within it follow prefix.
func reference(t *testing.T, d *json.Decoder, path, prefix string, all map[string][]*string) {
	token, err := d.Token()
	if err != nil {
		t.Fatal(err)
	}
	var text *string
	at := len(all[path])
	all[path] = append(all[path], nil)
	switch v := token.(type) {
	case json.Delim:
		for i := 0; d.More(); i++ {
			name := fmt.Sprint(i)
			if v == '{' {
				key, err := d.Token()
				if err != nil {
					t.Fatal(err)
				}
				name = key.(string)
			}
			reference(t, d, prefix+name, prefix+name+".", all)
		}
		if _, err := d.Token(); err != nil {
			t.Fatal(err)
		}
	case nil:
		text = new("null")
	default:
		text = new(fmt.Sprint(v))
	}
	all[path][at] = text
}

// What encoding/json reads is read, and all values are the same but for the bytes
// that are not UTF-8; what it refuses is refused.
func FuzzJSON(f *testing.F) {
	f.Add(`{"a":{"b.c":"x","d":[1,-0.1e5,{"e":null}]},"f":"\u00e9\ud800\n","":true}`)
	f.Add(`{"a":"x","a":"y","a.b":1,"a":{"b":2}}`)
	f.Add(`{"0":[["x"]],"0.0":{"0":"y"}}`)
	f.Add("{\"a\":\"\xff\"}")
	var d document
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > ingest.MaxMessage {
			return
		}
		want := strings.HasPrefix(text, "{") && json.Valid([]byte(text))
		if got := d.read([]byte(text)); got != want {
			t.Fatalf("%q is read: %t, want %t", text, got, want)
		}
		if !want {
			return
		}
		all := map[string][]*string{}
		decoder := json.NewDecoder(strings.NewReader(text))
		decoder.UseNumber()
		const root = " root"
		reference(t, decoder, root, "", all)
		all[root] = all[root][1:]
		for path, values := range all {
			if strings.Contains(path, "\ufffd") {
				continue // several names may have become one
			}
			got, ok := d.find(path)
			if path == root && len(values) == 0 {
				continue
			}
			var want *string
			if len(values) == 1 {
				want = values[0]
			}
			// encoding/json writes U+FFFD for a byte that is not UTF-8.
			if ok != (want != nil) || ok && string([]rune(string(got))) != *want {
				t.Errorf("%q: %q is %q %t, want %v", text, path, got, ok, values)
			}
		}
	})
}
