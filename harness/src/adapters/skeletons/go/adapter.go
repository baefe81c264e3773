// An adapter for Provost. interpreters/EXEC.md says what comes in and what goes out.
//
// Put your reader in place of `read`, which knows None, bools, ints, strings, tuples and lists.
package main

import (
	"bufio"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"unicode/utf8"
)

const declaration = `{"exec":1,"name":"mine","version":"0.1","pythons":["3.11"],"owes":["accept","refuse","consumed","value"]}`

type object = map[string]any

// What the reader does not claim to know.
type unsupported struct{ what string }

func (u unsupported) Error() string { return u.what }

// The value, as EXEC.md writes it, and what follows it.
func read(data []byte) (any, []byte, error) {
	if len(data) == 0 {
		return nil, nil, errors.New("there is no object")
	}
	code, rest := data[0], data[1:]
	switch code {
	case 'N':
		return nil, rest, nil
	case 'T', 'F':
		return code == 'T', rest, nil
	case 'i', 'u', '(', '[':
	default:
		return nil, nil, unsupported{fmt.Sprintf("the type byte %#02x", code)}
	}
	if len(rest) < 4 {
		return nil, nil, errors.New("the number is cut")
	}
	number := int32(binary.LittleEndian.Uint32(rest))
	rest = rest[4:]
	if code == 'i' {
		return object{"int": fmt.Sprint(number)}, rest, nil
	}
	if number < 0 {
		return nil, nil, errors.New("the size is negative")
	}
	if code == 'u' {
		if len(rest) < int(number) || !utf8.Valid(rest[:number]) {
			return nil, nil, errors.New("the string is cut, or no UTF-8")
		}
		return string(rest[:number]), rest[number:], nil
	}
	items := []any{}
	for range make([]struct{}, number) {
		item, after, err := read(rest)
		if err != nil {
			return nil, nil, err
		}
		items, rest = append(items, item), after
	}
	if code == '(' {
		return object{"tuple": items}, rest, nil
	}
	return object{"list": items}, rest, nil
}

func answer(id int, data []byte) (said object) {
	// A panic is an answer, too.
	defer func() {
		if problem := recover(); problem != nil {
			said = object{"id": id, "panic": fmt.Sprint(problem)}
		}
	}()
	value, rest, err := read(data)
	var unknown unsupported
	switch {
	case errors.As(err, &unknown):
		return object{"id": id, "unsupported": err.Error()}
	case err != nil:
		return object{"id": id, "error": err.Error()}
	}
	return object{"id": id, "value": value, "consumed": len(data) - len(rest)}
}

func main() {
	in := bufio.NewReader(os.Stdin)
	out := bufio.NewWriter(os.Stdout)
	for {
		line, err := in.ReadBytes('\n')
		if err != nil {
			return
		}
		var request struct {
			ID       int
			Op, Data string
		}
		if json.Unmarshal(line, &request) != nil || request.Op == "hello" {
			fmt.Fprintln(out, declaration)
		} else {
			data, _ := hex.DecodeString(request.Data)
			text, _ := json.Marshal(answer(request.ID, data))
			fmt.Fprintln(out, string(text))
		}
		out.Flush()
	}
}
