// Package redis is a backplane over one Redis Stream.
package redis
