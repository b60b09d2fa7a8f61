module github.com/crier-go/crier/examples/chat/e2e

go 1.26.0

replace github.com/crier-go/crier => ../../..

require (
	github.com/chromedp/cdproto v0.159.2
	github.com/chromedp/chromedp v0.23.0
	github.com/crier-go/crier v0.0.0-00010101000000-000000000000
	github.com/google/uuid v1.6.0
)

require github.com/go-json-experiment/json v0.0.0-20260213210345-44df1a37e875 // indirect
