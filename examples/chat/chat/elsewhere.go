package chat

import (
	"time"

	"github.com/google/uuid"
)

// This file is about people who are online at other processes. Each process
// reports who is at its own. A process that is killed reports nothing any more:
// the others forget it after a while, and one of them announces who left with it.

const (
	reportEvery = time.Second      // if something has changed
	reportAlive = 5 * time.Second  // in any case
	reportLost  = 15 * time.Second // without a report, a process is no more
)

// A report is what another process has reported last.
type report struct {
	stays map[stay]struct{}
	heard time.Time
}

// note takes another process's report.
func (p *presence) note(reported processReport, now time.Time) {
	r := &report{stays: map[stay]struct{}{}, heard: now}
	for _, one := range reported.Online {
		r.stays[stay{User: one.ID}] = struct{}{}
	}
	for room, users := range reported.Rooms {
		for _, user := range users {
			r.stays[stay{room, user}] = struct{}{}
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.elsewhere[reported.Process] = r
}

// due returns who is here if that is to be reported: it has changed, or always
// is set.
func (p *presence) due(always bool) (stays []stay, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.changed && !always {
		return nil, false
	}
	p.changed = false
	return p.staysLocked(), true
}

// forget forgets processes that have not reported for a while. Of those that
// remain, the one with the least id announces who is gone.
func (p *presence) forget(me uuid.UUID, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var lost []*report
	least := true
	for process, r := range p.elsewhere {
		switch {
		case now.Sub(r.heard) > reportLost:
			delete(p.elsewhere, process)
			lost = append(lost, r)
		case process.String() < me.String():
			least = false
		}
	}
	if !least || p.closed {
		return
	}
	for _, r := range lost {
		for at := range r.stays {
			if !p.isHereLocked(at) && !p.isElsewhere(at) {
				p.announce(at, false)
			}
		}
	}
}

// extend lets all other processes count as heard: this one could hear nobody.
func (p *presence) extend(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, r := range p.elsewhere {
		r.heard = now
	}
}

// isElsewhere reports whether another process has reported somebody. The caller
// holds p.mu.
func (p *presence) isElsewhere(at stay) bool {
	for _, r := range p.elsewhere {
		if _, ok := r.stays[at]; ok {
			return true
		}
	}
	return false
}

// elsewhereLocked returns who is online at other processes. The caller holds
// p.mu.
func (p *presence) elsewhereLocked() map[uuid.UUID]struct{} {
	users := map[uuid.UUID]struct{}{}
	for _, r := range p.elsewhere {
		for at := range r.stays {
			if at.Room == "" {
				users[at.User] = struct{}{}
			}
		}
	}
	return users
}
