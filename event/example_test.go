package event_test

import (
	"errors"
	"fmt"
	"log"
	"os"
	"time"

	"github.com/crier-go/crier/event"
	"github.com/crier-go/crier/event/catalog"
	"github.com/google/uuid"
)

// An application's own kinds: a registry, the payloads, and one call of Define for
// each type.
var orders event.Registry

type Shipped struct {
	Order   int    `json:"order"`
	Carrier string `json:"carrier"`
}

var OrderShipped = event.Define[Shipped](&orders, "orders", "order.shipped",
	"An order has left the warehouse.")

var (
	// In a program, these are a user of the application, and the defaults of New.
	user = uuid.MustParse("3f333df6-90a4-4fda-8dd3-9485d27cee36")
	id   = event.WithID(uuid.MustParse("01980d5e-9d2c-7cc1-8a51-5b2ab0e8f0c4"))
	at   = event.At(time.Date(2026, 3, 14, 15, 9, 26, 535897000, time.UTC))
)

func Example() {
	e, err := OrderShipped.New(user, Shipped{Order: 7, Carrier: "post"}, id, at)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("category:", e.Category())
	os.Stdout.Write(e.AppendSSE(nil))

	shipped, err := OrderShipped.Payload(e)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%+v\n", shipped)
	// Output:
	// category: orders
	// id: 01980d5e-9d2c-7cc1-8a51-5b2ab0e8f0c4
	// event: order.shipped
	// data: {"order":7,"carrier":"post"}
	//
	// {Order:7 Carrier:post}
}

func ExampleDefine() {
	type Typing struct {
		From string `json:"from"`
	}
	var registry event.Registry
	started := event.Define[Typing](&registry, "typing", "typing.user.started",
		"Somebody began to type.", event.Ephemeral())

	info := started.Info()
	fmt.Println(info.Type, info.Category, info.Ephemeral)
	// Output: typing.user.started typing true
}

func ExampleRegistry_Decode() {
	e, err := orders.Decode([]byte(`{
		"event_id": "01980d5e-9d2c-7cc1-8a51-5b2ab0e8f0c4",
		"event_type": "order.shipped",
		"user_id": "3f333df6-90a4-4fda-8dd3-9485d27cee36",
		"data": {"order": 7, "carrier": "post"},
		"occurred_at": "2026-03-14T17:09:26.535897+02:00"
	}`))
	if err != nil {
		log.Fatal(err)
	}
	shipped, err := OrderShipped.Payload(e)
	fmt.Println(e.Time(), shipped.Carrier, err)

	_, err = orders.Decode([]byte(`{"event_id": "01980d5e-9d2c-7cc1-8a51-5b2ab0e8f0c4"}`))
	fmt.Println(err, errors.Is(err, event.ErrMissingField))
	// Output:
	// 2026-03-14 15:09:26.535897 +0000 UTC post <nil>
	// event: missing field: event_type true
}

func ExampleEvent_MarshalJSON() {
	e, err := OrderShipped.New(user, Shipped{Order: 7, Carrier: "post"}, id, at)
	if err != nil {
		log.Fatal(err)
	}
	stored, err := e.MarshalJSON()
	fmt.Println(string(stored), err)
	// Output: {"event_id":"01980d5e-9d2c-7cc1-8a51-5b2ab0e8f0c4","event_type":"order.shipped","user_id":"3f333df6-90a4-4fda-8dd3-9485d27cee36","data":{"order":7,"carrier":"post"},"occurred_at":"2026-03-14T15:09:26.535897Z"} <nil>
}

func ExampleJoin() {
	registry, err := event.Join(&catalog.Registry, &orders)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(registry.Categories())

	info, err := registry.Lookup("order.shipped")
	fmt.Println(info.Description, err)
	_, err = registry.Lookup("order.lost")
	fmt.Println(err)
	// Output:
	// [ai import portfolio provider security data_sync orders]
	// An order has left the warehouse. <nil>
	// event: unknown type: "order.lost"
}

func ExampleAppendSSE() {
	// A line of the data cannot become a field of the frame.
	os.Stdout.Write(event.AppendSSE(nil, "7", "note", []byte("one\r\nevent: forged")))
	// Output:
	// id: 7
	// event: note
	// data: one
	// data: event: forged
}
