package rules

import (
	"net/netip"
	"regexp"
	"slices"
	"strings"
)

// What stands here is the definition of docs/rules.md, spelled out slowly, for
// the tests to hold the matcher against.

// whole compiles an expression that is held against a whole text.
func whole(expr string) *regexp.Regexp { return regexp.MustCompile(`^(?s:` + expr + `)$`) }

// referenceTokens returns every address position.
func referenceTokens(msg string) []reading {
	letter := regexp.MustCompile(`^[0-9A-Za-z_\x80-\xff]$`)
	isLetter := func(i int) bool { return i >= 0 && i < len(msg) && letter.MatchString(latin1(msg[i:i+1])) }
	var out []reading
	add := func(from, to int) bool {
		begin, end := from, to
		addr, err := netip.ParseAddr(msg[begin:end])
		if err != nil || isLetter(begin-1) || isLetter(end) {
			return false
		}
		if addr.Is6() {
			if zone := regexp.MustCompile(`^%([0-9]+|[A-Za-z_\x80-\xff]([\w\x80-\xff.]*[\w\x80-\xff])?)`).FindString(latin1(msg[end:])); zone != "" && len([]rune(zone)) <= 16 {
				end += len([]rune(zone))
			}
		}
		addr = addr.Unmap()
		out = append(out, reading{token{begin, end, from, to}, addr})
		if strings.Contains(msg[begin:end], ":") && begin > 0 && msg[begin-1] == '[' && end < len(msg) && msg[end] == ']' {
			out = append(out, reading{token{begin - 1, end + 1, from, to}, addr})
		}
		return true
	}
	for _, run := range regexp.MustCompile(`[0-9A-Fa-f:.]+`).FindAllStringIndex(msg, -1) {
		begin, end := run[0], run[1]
		if text := msg[begin:end]; strings.Count(text, ":") > 1 {
			if strings.HasPrefix(text, ":") && !strings.HasPrefix(text, "::") {
				begin++
			}
			stop := strings.HasSuffix(text, ".") || strings.HasSuffix(text, ":") && !strings.HasSuffix(text, "::")
			if stop && !isLetter(end) {
				end--
			}
			if begin < end && add(begin, end) {
				continue
			}
		}
		begin = run[0]
		for piece := range strings.SplitSeq(msg[run[0]:run[1]], ":") {
			end := begin + len(piece)
			if text := strings.TrimSuffix(piece, "."); strings.Count(text, ".") == 3 && !isLetter(end) {
				add(begin, begin+len(text))
			}
			begin = end + 1
		}
	}
	slices.SortFunc(out, func(a, b reading) int { return a.start - b.start })
	return out
}

// referencePorts returns the positions of bare IPv6 addresses that have a port
// behind them.
func referencePorts(msg string) (out []reading) {
	for _, run := range regexp.MustCompile(`[0-9A-Fa-f:.]+`).FindAllStringIndex(msg, -1) {
		begin, end := run[0], run[1]
		if text := msg[begin:end]; strings.HasPrefix(text, ":") && !strings.HasPrefix(text, "::") {
			begin++
		}
		if end > begin && (msg[end-1] == '.' || msg[end-1] == ':' && !strings.HasSuffix(msg[begin:end], "::")) {
			end--
		}
		found := regexp.MustCompile(`^([0-9A-Fa-f:]+):[0-9]{1,5}$`).FindStringSubmatch(msg[begin:end])
		beside := regexp.MustCompile(`[0-9A-Za-z_\x80-\xff]`)
		if found == nil || begin > 0 && beside.MatchString(latin1(msg[begin-1:begin])) || end < len(msg) && beside.MatchString(latin1(msg[end:end+1])) {
			continue
		}
		if strings.HasPrefix(msg[run[1]:], "%") && regexp.MustCompile(`^%[0-9A-Za-z_\x80-\xff]`).MatchString(latin1(msg[run[1]:])) {
			continue // it has a zone
		}
		if addr, err := netip.ParseAddr(found[1]); err == nil {
			out = append(out, reading{token{begin, begin + len(found[1]), begin, begin + len(found[1])}, addr.Unmap()})
		}
	}
	return out
}

// referenceReadings reads msg with an expression that has one group addr.
func referenceReadings(expr, msg string) []reading {
	before, after, _ := strings.Cut(expr, "(?P<addr>)")
	b, a := whole(before), whole(after)
	tokens := referenceTokens(msg)
	if strings.HasPrefix(after, ":") {
		tokens = append(tokens, referencePorts(msg)...)
		slices.SortFunc(tokens, func(a, b reading) int { return a.start - b.start })
	}
	return slices.DeleteFunc(tokens, func(t reading) bool {
		return !b.MatchString(latin1(msg[:t.start])) || !a.MatchString(latin1(msg[t.end:]))
	})
}

// referenceAccount finds the group account in one half of a message: the first
// begin, and of those the last end.
func referenceAccount(half, expr string) (string, bool) {
	begin := strings.Index(expr, "(?P<account>")
	end := begin
	for depth := 0; ; end++ {
		if expr[end] == '(' && (end == 0 || expr[end-1] != '\\') {
			depth++
		} else if expr[end] == ')' && expr[end-1] != '\\' {
			if depth--; depth == 0 {
				break
			}
		}
	}
	head, self, tail := whole(expr[:begin]), whole(expr[begin:end+1]), whole(expr[end+1:])
	for i := range len(half) + 1 {
		if !head.MatchString(latin1(half[:i])) {
			continue
		}
		for j := len(half); j >= i; j-- {
			if self.MatchString(latin1(half[i:j])) && tail.MatchString(latin1(half[j:])) {
				return half[i:j], true
			}
		}
	}
	return "", false
}
