package eventlog

// A Size says what the retained entries of a log cost, in bytes.
type Size struct {
	Key   Key
	Bytes int64
}

// Sizes returns the size of each log that retains something, in no order. It holds
// the locks that appends take for 1024 logs at a time.
func (s *Store[M]) Sizes() (all []Size) {
	logs := make([]*Log[M], 0, s.directory.size())
	s.directory.each(func(l *Log[M]) { logs = append(logs, l) })
	for len(logs) > 0 {
		n := min(len(logs), atOnce)
		s.mu.Lock()
		for _, l := range logs[:n] {
			if l.bytes > 0 {
				all = append(all, Size{l.key, l.bytes})
			}
		}
		s.mu.Unlock()
		logs = logs[n:]
	}
	return all
}
