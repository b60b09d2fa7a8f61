module github.com/crier-go/crier/schema/judge

go 1.26.0

replace github.com/crier-go/crier => ../..

require (
	github.com/crier-go/crier v0.0.0-00010101000000-000000000000
	github.com/google/jsonschema-go v0.4.3
	github.com/google/uuid v1.6.0
	github.com/gorilla/websocket v1.5.3
)
