package catalog

import (
	"time"

	"github.com/crier-go/crier/event"
	"github.com/google/uuid"
)

// The answers of an assistant, while they are generated.
var (
	// AIResponseChunk is replayed for a minute, so that a client that is cut in the
	// middle of an answer resumes at the next chunk. Sequence numbers show whether
	// one is missing. AIResponseComplete says when the whole text can be read.
	AIResponseChunk = event.Define[AIResponseChunkPayload](&Registry, "ai", "ai.response.chunk",
		"The assistant wrote the next piece of its answer.", event.RetainFor(time.Minute))

	// AIToolExecuting is ephemeral: when it would be replayed, the tool has returned.
	AIToolExecuting = event.Define[AIToolExecutingPayload](&Registry, "ai", "ai.tool.executing",
		"The assistant began to use a tool.", event.Ephemeral())

	AIResponseComplete = event.Define[AIResponseCompletePayload](&Registry, "ai", "ai.response.complete",
		"The answer of the assistant is complete and can be read as a whole.")
)

// AIResponseChunkPayload is the payload of "ai.response.chunk".
type AIResponseChunkPayload struct {
	ConversationID uuid.UUID `json:"conversation_id"`
	ResponseID     uuid.UUID `json:"response_id" doc:"The answer that the piece belongs to."`
	Sequence       int       `json:"sequence" doc:"The number of the piece within the answer, from 0."`
	Chunk          string    `json:"chunk" doc:"The next piece of the text."`
	IsFinal        bool      `json:"is_final" doc:"Whether this is the last piece of the answer."`
}

// AIToolExecutingPayload is the payload of "ai.tool.executing".
type AIToolExecutingPayload struct {
	ConversationID uuid.UUID `json:"conversation_id"`
	ToolName       string    `json:"tool_name"`
}

// AIResponseCompletePayload is the payload of "ai.response.complete".
type AIResponseCompletePayload struct {
	ConversationID uuid.UUID `json:"conversation_id"`
}
