package catalog

import "github.com/crier-go/crier/event"

// The import of a file. It begins with started and ends with completed or failed.
var (
	ImportStarted = event.Define[ImportStartedPayload](&Registry, "import", "import.started",
		"The import of a file began.")

	// ImportProgress is ephemeral: only the latest number counts, and ImportCompleted
	// or ImportFailed follows.
	ImportProgress = event.Define[ImportProgressPayload](&Registry, "import", "import.progress",
		"The import of a file has come this far.", event.Ephemeral())

	ImportCompleted = event.Define[ImportCompletedPayload](&Registry, "import", "import.completed",
		"A file has been imported.")

	ImportFailed = event.Define[ImportFailedPayload](&Registry, "import", "import.failed",
		"A file could not be imported.")
)

// ImportStartedPayload is the payload of "import.started".
type ImportStartedPayload struct {
	FileName   string `json:"file_name" doc:"As the user named it."`
	FileFormat string `json:"file_format" doc:"For instance qfx."`
}

// ImportProgressPayload is the payload of "import.progress".
type ImportProgressPayload struct {
	FileName         string `json:"file_name" doc:"As the user named it."`
	ProgressPercent  int    `json:"progress_percent" doc:"From 0 to 100."`
	RecordsProcessed int    `json:"records_processed" doc:"Records processed so far."`
}

// ImportCompletedPayload is the payload of "import.completed".
type ImportCompletedPayload struct {
	FileName        string `json:"file_name" doc:"As the user named it."`
	RecordsImported int    `json:"records_imported"`
}

// ImportFailedPayload is the payload of "import.failed".
type ImportFailedPayload struct {
	FileName string `json:"file_name" doc:"As the user named it."`
	Error    string `json:"error" doc:"What went wrong, in words for the user."`
}
