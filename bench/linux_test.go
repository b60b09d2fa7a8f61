//go:build !linux

package bench

import "testing"

func BenchmarkIdle(b *testing.B)     { skip(b, "its clients need Linux") }
func BenchmarkLoopback(b *testing.B) { skip(b, "its clients need Linux") }
func BenchmarkStorm(b *testing.B)    { skip(b, "its clients need Linux") }
