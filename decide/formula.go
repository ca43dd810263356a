package decide

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/vm"
)

// Formula is an expression for the length of a ban, in the language of expr-lang
// (expr-lang.org). It knows ban_time, the seconds of the jail's first ban; count,
// how many earlier bans count, a fraction where they decay; and factor. Its value
// is a number of seconds.
type Formula struct {
	text    string
	program *vm.Program
}

// formulaVars are what a formula sees.
type formulaVars struct {
	BanTime float64 `expr:"ban_time"`
	Count   float64 `expr:"count"`
	Factor  float64 `expr:"factor"`
}

// formulaTries is how many sentences of a formula are looked at before it is taken.
const formulaTries = 100

// CompileFormula reads a formula, and tries it for up to a hundred earlier bans. The
// error says what is wrong with the text, or for which count it gives no time.
func CompileFormula(text string) (*Formula, error) {
	program, err := expr.Compile(text, expr.Env(formulaVars{}), expr.AsFloat64(),
		expr.Function("exp", one(math.Exp), math.Exp), expr.Function("log", one(math.Log), math.Log), expr.Function("sqrt", one(math.Sqrt), math.Sqrt))
	if err != nil {
		return nil, err
	}
	f := &Formula{text, program}
	for n := range formulaTries {
		seconds, err := f.run(600, float64(n), 2)
		switch {
		case err != nil:
			return nil, fmt.Errorf("for count = %d: %w", n, err)
		case !(seconds > 0):
			return nil, fmt.Errorf("for ban_time = 600 and count = %d it is %v seconds", n, seconds)
		case n == 0 && math.IsInf(seconds, 1):
			// Later ones may grow beyond all numbers: max cuts them.
			return nil, errors.New("for ban_time = 600 and count = 0 it has no end; ban_time = \"forever\" says so")
		}
	}
	return f, nil
}

func one(f func(float64) float64) func(args ...any) (any, error) {
	return func(args ...any) (any, error) { return f(args[0].(float64)), nil }
}

// String returns the text of the formula.
func (f *Formula) String() string { return f.text }

func (f *Formula) run(banTime, count, factor float64) (float64, error) {
	out, err := expr.Run(f.program, formulaVars{banTime, count, factor})
	if err != nil {
		return 0, err
	}
	seconds, ok := out.(float64)
	if !ok || math.IsNaN(seconds) {
		return 0, errors.New("it is not a number")
	}
	return seconds, nil
}

// length is the sentence in nanoseconds. Where the formula gives none, which was
// tried when it was read, the ban lasts as long as the first.
func (f *Formula) length(base time.Duration, count, factor float64) float64 {
	seconds, err := f.run(base.Seconds(), count, factor)
	if err != nil || !(seconds > 0) {
		return float64(base)
	}
	return seconds * float64(time.Second)
}
