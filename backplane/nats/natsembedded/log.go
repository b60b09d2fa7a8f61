package natsembedded

import (
	"context"
	"fmt"
	"log/slog"
)

// logger gives what the server logs to a slog.Logger.
type logger struct{ to *slog.Logger }

func (l logger) log(level slog.Level, format string, v []any) {
	if l.to.Enabled(context.Background(), level) {
		l.to.Log(context.Background(), level, "nats: "+fmt.Sprintf(format, v...))
	}
}

func (l logger) Noticef(format string, v ...any) { l.log(slog.LevelInfo, format, v) }
func (l logger) Warnf(format string, v ...any)   { l.log(slog.LevelWarn, format, v) }
func (l logger) Errorf(format string, v ...any)  { l.log(slog.LevelError, format, v) }
func (l logger) Fatalf(format string, v ...any)  { l.log(slog.LevelError, format, v) }
func (l logger) Debugf(format string, v ...any)  { l.log(slog.LevelDebug, format, v) }
func (l logger) Tracef(format string, v ...any)  { l.log(slog.LevelDebug, format, v) }

// warnings lets warnings and errors pass.
type warnings struct{ slog.Handler }

func (w warnings) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelWarn && w.Handler.Enabled(ctx, level)
}
