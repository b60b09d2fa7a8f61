// Package client listens to a stream.
package client
