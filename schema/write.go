package schema

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/crier-go/crier/event"
)

// Files are the paths of the files that [Write] makes. An empty path makes none.
type Files struct {
	TypeScript string // a module, for instance "web/src/events.ts"
	Contract   string // the input of crier-schema, for instance "contract.json"
	AsyncAPI   string // a document, for instance "docs/asyncapi.json"
	JSONSchema string // a directory, with a file for each type: "chat.message.posted.json"
}

// Write makes a contract of the kinds that r has now and writes it to files. Call it
// in the application itself, behind a flag that its go:generate sets, because no
// other program can read a registry of package main:
//
//	//go:generate go run . -schema
//
//	if *writeSchema {
//		return schema.Write(&registry, schema.Files{TypeScript: "web/src/events.ts"}, nil)
//	}
//
// Relative paths are relative to the working directory. In go generate, that is the
// directory of the file with the directive. Write creates missing directories. It
// writes nothing if the contract has an error. It replaces each file atomically, and
// leaves a file alone whose content would not change. It does not remove files of
// former types from the directory JSONSchema.
func Write(r *event.Registry, f Files, o *Options) error {
	c, err := New(r, o)
	if err != nil {
		return err
	}
	if f == (Files{}) {
		return errors.New("schema: Write: Files has no path")
	}
	made := make(map[string][]byte)
	add := func(path string, b []byte, err error) error {
		if _, ok := made[path]; ok && err == nil {
			err = errors.New("two files have this path")
		}
		if err != nil {
			return fmt.Errorf("schema: %s: %w", path, err)
		}
		made[path] = b
		return nil
	}
	if f.TypeScript != "" {
		err = errors.Join(err, add(f.TypeScript, c.TypeScript(), nil))
	}
	if f.Contract != "" {
		b, problem := indent(c)
		err = errors.Join(err, add(f.Contract, b, problem))
	}
	if f.AsyncAPI != "" {
		b, problem := c.AsyncAPI()
		err = errors.Join(err, add(f.AsyncAPI, b, problem))
	}
	if f.JSONSchema != "" {
		for _, e := range c.events {
			b, problem := c.JSONSchema(event.Type(e.name))
			err = errors.Join(err, add(filepath.Join(f.JSONSchema, e.name+".json"), b, problem))
		}
	}
	if err != nil {
		return err
	}
	for path, b := range made {
		if err := replace(path, b); err != nil {
			return fmt.Errorf("schema: %w", err)
		}
	}
	return nil
}

// replace writes a file atomically.
func replace(path string, b []byte) error {
	if old, err := os.ReadFile(path); err == nil && bytes.Equal(old, b) {
		return nil
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	mode := fs.FileMode(0o644)
	if info, err := os.Stat(path); err == nil {
		mode = info.Mode().Perm()
	}
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	tmp, err := os.CreateTemp(dir, filepath.Base(path)+".*.tmp")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name()) // fails after the rename
	_, err = tmp.Write(b)
	err = errors.Join(err, tmp.Chmod(mode), tmp.Close())
	if err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}
