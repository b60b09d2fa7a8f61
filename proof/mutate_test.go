package proof

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// mutate returns the sources of the files that the mutants break, by path below
// root. All mutants are in them at once: a function that some mutant breaks
// chooses, by the number in the environment's CRIER_MUTANT, between itself and a
// broken copy. So each package is compiled once, and not once for each mutant.
// Mutant i has number i+1.
func mutate(t *testing.T, root string, all []mutant) map[string][]byte {
	t.Helper()
	broken := map[string]map[int]mutant{} // by file and number
	for i, m := range all {
		if broken[m.file] == nil {
			broken[m.file] = map[int]mutant{}
		}
		broken[m.file][i+1] = m
	}
	files := map[string][]byte{}
	for name, mutants := range broken {
		source, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		mutated, pkg, err := mutateFile(string(source), mutants)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		files[name] = []byte(mutated)
		files[path.Join(path.Dir(name), "mutant_number.go")] = fmt.Appendf(nil,
			"package %s\n\nimport (\n\t\"os\"\n\t\"strconv\"\n)\n\nvar mutantNumber, _ = strconv.Atoi(os.Getenv(\"CRIER_MUTANT\"))\n", pkg)
	}
	return files
}

// mutateFile replaces each function that a mutant breaks by a choice between
// copies of it.
func mutateFile(source string, mutants map[int]mutant) (mutated, pkg string, err error) {
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, "", source, parser.SkipObjectResolution)
	if err != nil {
		return "", "", err
	}
	base := fset.File(file.FileStart).Base()
	offset := func(p token.Pos) int { return int(p) - base }
	var b strings.Builder
	end := 0
	for _, d := range file.Decls {
		f, ok := d.(*ast.FuncDecl)
		if !ok {
			continue
		}
		from, to := offset(f.Pos()), offset(f.End())
		body := source[from:to]
		copies := map[int]string{}
		for n, m := range mutants {
			if strings.Count(body, m.old) == 1 && strings.Count(source, m.old) == 1 {
				copies[n] = strings.Replace(body, m.old, m.new, 1)
				delete(mutants, n)
			}
		}
		if len(copies) == 0 {
			continue
		}
		if f.Type.TypeParams != nil {
			return "", "", fmt.Errorf("mutants of a function with type parameters, %s, are not supported", f.Name.Name)
		}
		copies[0] = body
		b.WriteString(source[end:from])
		end = to
		text := func(n ast.Node) string { return source[offset(n.Pos()):offset(n.End())] }
		b.WriteString(choice(f, text, copies))
		at := offset(f.Name.Pos()) - from
		for _, n := range slices.Sorted(maps.Keys(copies)) {
			copied := copies[n] // the name stands before every place that is broken
			fmt.Fprintf(&b, "\n\n%s%s%s", copied[:at], copyName(f, n), copied[at+len(f.Name.Name):])
		}
	}
	for _, m := range mutants {
		return "", "", fmt.Errorf("%q: the place to break is not in one function, or not there exactly once: this mutant needs to be written anew", m.name)
	}
	b.WriteString(source[end:])
	return b.String(), file.Name.Name, nil
}

func copyName(f *ast.FuncDecl, n int) string { return fmt.Sprint(f.Name.Name, "Mutant", n) }

// choice returns a function with the name of f that calls one of its copies.
func choice(f *ast.FuncDecl, text func(ast.Node) string, copies map[int]string) string {
	var params, args []string
	for _, field := range f.Type.Params.List {
		for range max(1, len(field.Names)) {
			name := fmt.Sprint("p", len(params))
			params = append(params, name+" "+text(field.Type))
			if _, variadic := field.Type.(*ast.Ellipsis); variadic {
				name += "..."
			}
			args = append(args, name)
		}
	}
	receiver, call := "", ""
	if f.Recv != nil {
		receiver, call = "(self "+text(f.Recv.List[0].Type)+") ", "self."
	}
	result, give := "", ""
	if f.Type.Results != nil {
		result, give = text(f.Type.Results), "return "
	}
	var b strings.Builder
	fmt.Fprintf(&b, "func %s%s(%s) %s {\n\tswitch mutantNumber {\n", receiver, f.Name.Name, strings.Join(params, ", "), result)
	for _, n := range slices.Sorted(maps.Keys(copies)) {
		which := fmt.Sprint("case ", n)
		if n == 0 {
			which = "default"
		}
		fmt.Fprintf(&b, "\t%s:\n\t\t%s%s%s(%s)\n", which, give, call, copyName(f, n), strings.Join(args, ", "))
	}
	b.WriteString("\t}\n}")
	return b.String()
}
