package judge

import (
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"time"

	"github.com/google/uuid"

	"github.com/crier-go/crier/schema/internal/sample"
)

// A filler fills values of any type at random. What can be nil or zero often is.
type filler struct{ *rand.Rand }

func newFiller(seed uint64) filler { return filler{rand.New(rand.NewPCG(seed, 0))} }

// payloads returns JSON of n random values of a type, the first of them zero.
func payloads(t reflect.Type, n int) ([][]byte, error) {
	f := newFiller(1)
	var all [][]byte
	for i := range n {
		v := reflect.New(t).Elem()
		if i > 0 {
			f.fill(v, 0)
		}
		f.repair(v)
		b, err := json.Marshal(v.Interface()) // by value, as Kind.New does
		if err != nil {
			return nil, fmt.Errorf("%s: %w", t, err)
		}
		all = append(all, b)
	}
	return all, nil
}

const deepest = 12 // beyond it, what can be nil is

func (f filler) coin() bool { return f.IntN(2) == 0 }

func (f filler) fill(v reflect.Value, depth int) {
	if f.special(v) {
		return
	}
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(f.coin())
	case reflect.String:
		v.SetString([]string{"", "a", "ä \"quoted\" </script> \u2028", "42"}[f.IntN(4)])
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		bits := v.Type().Bits()
		v.SetInt([]int64{0, 1, math.MinInt64 >> (64 - bits), math.MaxInt64 >> (64 - bits)}[f.IntN(4)])
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint([]uint64{0, 1, math.MaxUint64 >> (64 - v.Type().Bits())}[f.IntN(3)])
	case reflect.Float32, reflect.Float64:
		v.SetFloat([]float64{0, 1, -0.5, 1e10}[f.IntN(4)])
	case reflect.Pointer:
		if f.coin() && depth < deepest {
			v.Set(reflect.New(v.Type().Elem()))
			f.fill(v.Elem(), depth+1)
		}
	case reflect.Slice:
		if n := f.IntN(3) - 1; n >= 0 && depth < deepest {
			v.Set(reflect.MakeSlice(v.Type(), n, n))
		}
		f.fillAll(v, depth)
	case reflect.Array:
		f.fillAll(v, depth)
	case reflect.Map:
		if n := f.IntN(3) - 1; n >= 0 && depth < deepest {
			v.Set(reflect.MakeMap(v.Type()))
			for range n {
				key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
				f.fill(key, depth+1)
				f.fill(value, depth+1)
				v.SetMapIndex(key, value)
			}
		}
	case reflect.Interface:
		if f.coin() {
			v.Set(reflect.ValueOf([]any{1, "a", []int{1}}[f.IntN(3)]))
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if field := v.Field(i); field.CanSet() || v.Type().Field(i).Anonymous {
				f.fill(field, depth+1)
			}
		}
	default:
		panic("no values for " + v.Type().String())
	}
}

func (f filler) fillAll(v reflect.Value, depth int) {
	for i := range v.Len() {
		f.fill(v.Index(i), depth+1)
	}
}

// special fills types that not every value is good for.
func (f filler) special(v reflect.Value) bool {
	if !v.CanSet() {
		return false
	}
	switch p := v.Addr().Interface().(type) {
	case *time.Time:
		if f.coin() {
			*p = time.Unix(f.Int64N(1e10), f.Int64N(1e9)).UTC()
		}
	case *uuid.UUID:
		*p = uuid.UUID{byte(f.IntN(256)), 6: 0x70, 8: 0x80}
	case *json.RawMessage:
		*p = []json.RawMessage{nil, json.RawMessage(`{"a":[1,null]}`), json.RawMessage(`7`)}[f.IntN(3)]
	case *json.Number:
		*p = []json.Number{"", "1", "1.5e3"}[f.IntN(3)]
	case *big.Int:
		p.SetInt64(f.Int64())
	case *netip.Addr:
		*p = []netip.Addr{{}, netip.IPv6Loopback()}[f.IntN(2)]
	case *sample.Status:
		*p = []sample.Status{sample.Open, sample.Closed, sample.OnHold}[f.IntN(3)]
	case *sample.Priority:
		*p = []sample.Priority{sample.Low, sample.High}[f.IntN(2)]
	case *sample.Money, *sample.Point, *sample.Opaque: // zero ones
	default:
		return false
	}
	return true
}

// repair gives every enumeration in a value that is zero one of its values: the
// zero Status is none, and a program that sends it breaks its own contract.
func (f filler) repair(v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		if s, ok := v.Addr().Interface().(*sample.Status); ok && *s == "" {
			*s = sample.Open
		}
	case reflect.Struct:
		for _, field := range v.Fields() {
			if field.CanSet() {
				f.repair(field)
			}
		}
	case reflect.Pointer:
		if !v.IsNil() {
			f.repair(v.Elem())
		}
	}
}
