package eventlog

// A Size says what the retained entries of a log cost, in bytes.
type Size struct {
	Key   Key
	Bytes int64
}

// Sizes returns the size of each log that retains something, in no order. It holds
// the lock that appends take for 1024 logs at a time.
func (s *Store[M]) Sizes() (all []Size) {
	s.directory.mu.RLock()
	logs := make([]*Log[M], 0, s.directory.len())
	for l := range s.directory.all {
		logs = append(logs, l)
	}
	s.directory.mu.RUnlock()
	for len(logs) > 0 {
		n := min(len(logs), 1024)
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
