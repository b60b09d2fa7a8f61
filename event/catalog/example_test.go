package catalog_test

import (
	"fmt"
	"log"
	"os"
	"time"

	"github.com/crier-go/crier/event"
	"github.com/crier-go/crier/event/catalog"
	"github.com/google/uuid"
)

func Example() {
	user := uuid.MustParse("3f333df6-90a4-4fda-8dd3-9485d27cee36")
	account := uuid.MustParse("0d4f4d3c-5a53-4d6b-9a4b-0f8d3e9f6a11")

	e, err := catalog.PortfolioBalanceUpdated.New(user,
		catalog.PortfolioBalanceUpdatedPayload{
			AccountID:       account,
			PreviousBalance: "1204.50",
			NewBalance:      "1180.00",
			Currency:        "EUR",
		},
		// Fixed, so that the output is always the same.
		event.WithID(uuid.MustParse("01980d5e-9d2c-7cc1-8a51-5b2ab0e8f0c4")),
		event.At(time.Date(2026, 3, 14, 15, 9, 26, 0, time.UTC)))
	if err != nil {
		log.Fatal(err)
	}
	os.Stdout.Write(e.AppendSSE(nil))
	// Output:
	// id: 01980d5e-9d2c-7cc1-8a51-5b2ab0e8f0c4
	// event: portfolio.balance.updated
	// data: {"account_id":"0d4f4d3c-5a53-4d6b-9a4b-0f8d3e9f6a11","previous_balance":"1204.50","new_balance":"1180.00","currency":"EUR"}
}

// The types of one category and their descriptions.
func Example_describe() {
	for info := range catalog.Registry.All() {
		if info.Category == "import" {
			fmt.Printf("%s: %s\n", info.Type, info.Description)
		}
	}
	// Output:
	// import.started: The import of a file began.
	// import.progress: The import of a file has come this far.
	// import.completed: A file has been imported.
	// import.failed: A file could not be imported.
}
