package load

import (
	"context"
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"time"
)

// pricesRoom has ten messages a second.
const pricesRoom = "prices"

var rooms = []string{"garden", "kitchen", "library", "workshop"}

// firstNames are the people, in their order.
var firstNames = []string{
	"Ada", "Ben", "Cleo", "Dan", "Eva", "Finn", "Gil", "Hana", "Ida", "Jan", "Kim", "Leo", "Mia", "Nils", "Oda", "Pia",
	"Quinn", "Rosa", "Sam", "Tara", "Uma", "Vera", "Will", "Xenia", "Yara", "Zoe", "Anton", "Bea", "Carl", "Dora",
	"Emil", "Fay", "Gwen", "Hugo", "Ines", "Jon", "Kai", "Lotte", "Max", "Nora",
}

func nameOf(i int) string {
	name := firstNames[i%len(firstNames)]
	if n := i / len(firstNames); n > 0 {
		name = fmt.Sprintf("%s %d", name, n+1)
	}
	return name
}

func topic(room string) string { return "room:" + room }

// talkRooms returns the two rooms in which somebody talks.
func talkRooms(name string) []string {
	h := fnv.New32a()
	h.Write([]byte(name))
	n := int(h.Sum32() % uint32(len(rooms)))
	return []string{rooms[n], rooms[(n+1)%len(rooms)]}
}

// roomsOf returns the rooms that somebody joins.
func roomsOf(name string) []string { return append(talkRooms(name), pricesRoom) }

// topicsOf returns the topics that somebody follows, which are those of the rooms
// in which they talk.
func topicsOf(name string) (topics []string) {
	for _, room := range talkRooms(name) {
		topics = append(topics, topic(room))
	}
	return topics
}

var sentences = []string{
	"Good morning!", "Has anybody seen the ladder?", "The kettle is on.", "I will be ten minutes late.",
	"Shall we meet at noon?", "It works on my machine.", "Who has the keys?", "Thanks, that helped.",
	"The bread is ready.", "There is a parcel for you.", "I have pushed a fix.", "Could you have a look?",
	"The tomatoes need water.", "See you tomorrow.", "That is a good idea.", "The window is still open.",
}

// target is where somebody writes, as in the chat's POST /messages.
type target struct {
	To   string `json:"to,omitempty"`
	Room string `json:"room,omitempty"`
}

// talk types and then says something, in a room most of the time.
func (p *person) talk(ctx context.Context) {
	for wait(ctx, about(p.scaled(time.Duration(float64(8*time.Second)/p.mood())))) {
		var to target
		switch n := rand.IntN(10); {
		case n < 6:
			to.Room = talkRooms(p.name)[rand.IntN(2)]
		case n < 8:
			to.To = p.others[rand.IntN(len(p.others))]
		}
		if p.post(ctx, "/typing", to) != nil || !wait(ctx, about(p.scaled(time.Second))) {
			continue // the other one has not come yet
		}
		p.try(ctx, "say something", p.post(ctx, "/messages", struct {
			target
			Text string `json:"text"`
		}{to, sentences[rand.IntN(len(sentences))]}))
	}
}

// mood is how talkative everybody is: it goes up and down between 0.5 and 1.5
// within five minutes, so that the graphs have a shape.
func (p *person) mood() float64 {
	turns := float64(time.Now().UnixMilli()) / float64(p.scaled(5*time.Minute).Milliseconds())
	return 1 + 0.5*math.Sin(2*math.Pi*turns)
}

// prices says what things cost, ten times a second. The people who follow it
// include those whose connections are too slow for it.
func prices(ctx context.Context, p *person) {
	price := 100.0
	tick := time.NewTicker(p.scaled(100 * time.Millisecond))
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		price = max(1, price+rand.NormFloat64())
		text := fmt.Sprintf("CRIER %.2f (%+.1f %% today). Prices are delayed by a tenth of a second and are not an offer.", price, price-100)
		if !p.try(ctx, "say a price", p.post(ctx, "/messages", struct {
			target
			Text string `json:"text"`
		}{target{Room: pricesRoom}, text})) {
			return
		}
	}
}
