// Package eventlog holds the mechanism of the hub: bounded logs, readers that
// are cursors into them, and the waking of readers that sleep. It knows no
// user, no session and no connection.
//
// # Model
//
// A [Store] is a set of logs with one order. A [Log] is a bounded sequence of
// entries; an entry is an [Item] at a [Position]. A [Reader] follows any number
// of logs and reads them as one, in order of position. It has no queue: it is a
// position, a filter and the list of the logs that it follows. Live delivery,
// catching up and resuming are the same code at different distances from the
// head.
//
// A log has a ring for each [Class] of items. Items of class Retained and
// ShortLived are replayed, and their loss is reported as a gap. Items of class
// Ephemeral reach only who listens when they are appended; their loss is not
// reported.
//
// # Invariants
//
//  1. One head. Append writes an item to its logs first and advances
//     Store.head last. A reader loads the head first and reads no further. With
//     a head per log, two readers could disagree about the order of two items.
//  2. One position per append. An item that is appended to several logs has the
//     same position in all of them, so a reader that follows two of them takes
//     it once.
//  3. Eviction in order of position. The bounds of the store (age and bytes)
//     evict the oldest entry of a class first, whichever log it is in, and
//     raise the floor of that class to its position. A log that is created
//     later assumes that it has lost everything up to the floor, and nothing
//     behind it.
//  4. Losses by category. A ring records, for each category, the highest
//     position that it evicted. A reader has a gap exactly if that of a category
//     that it wants lies behind its position.
//  5. A position means "handed out". Reader.Position never passes an entry that
//     the reader has yet to return.
//  6. Readers sleep safely. A reader sets its asleep flag, makes sure that its
//     logs will find it, and only then looks at the head once more. A publisher
//     stores the head and then looks at the flags. One of them sees the other.
//
// # Locks
//
// Store.mu is held to number and append. Log.mu is held, by the holder of
// Store.mu, to evict from a log; readers hold it for reading only where an
// entry that they want is being evicted. Store.directory.mu guards the map of
// logs, waiters.mu the readers of one log. They are taken in this order:
// Store.mu, directory.mu, Log.mu, waiters.mu. No lock is held while a reader is
// signalled, except waiters.mu for reading.
package eventlog
