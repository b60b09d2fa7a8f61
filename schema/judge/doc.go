// Package judge lets programs by others judge what package schema makes. There
// is nothing to import here.
//
//   - google/jsonschema-go validates random payloads, as encoding/json writes
//     them, against their JSON Schema, and every frame of a real stream against
//     the AsyncAPI document.
//   - The TypeScript compiler, with all of its strictness, compiles the generated
//     module with the same payloads, and refuses wrong ones.
//   - AsyncAPI's own parser reads the AsyncAPI document without a complaint.
//
// The last two need Node.js 20 or later and npm:
//
//	make schema                          # in the root of the repository
//	npm ci --prefix npm && go test ./...   # here
//
// Without them these tests are skipped and say what is missing; with CI=true or
// REQUIRE=1 in the environment, they fail.
//
// This is a module of its own, so that nobody who uses Crier downloads the
// judges.
package judge
