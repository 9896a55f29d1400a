package contract

import (
	"sync"
	"time"
)

// idleTracker counts calls in progress, and ends the plugin when there was none for long enough.
// Once it is closed, begin refuses: so a call is either carried out or known not to have been.
type idleTracker struct {
	timeout time.Duration
	expired func()

	lock   sync.Mutex
	active int
	since  time.Time
	closed bool
	timer  *time.Timer
}

func newIdleTracker(timeout time.Duration, expired func()) *idleTracker {
	tracker := &idleTracker{timeout: timeout, expired: expired, since: time.Now()}
	tracker.lock.Lock()
	defer tracker.lock.Unlock()
	tracker.timer = time.AfterFunc(timeout, tracker.expire)
	return tracker
}

func (t *idleTracker) begin() bool {
	t.lock.Lock()
	defer t.lock.Unlock()
	if t.closed {
		return false
	}
	t.active++
	t.timer.Stop()
	return true
}

func (t *idleTracker) end() {
	t.lock.Lock()
	defer t.lock.Unlock()
	t.active--
	t.since = time.Now()
	if t.active == 0 && !t.closed {
		t.timer.Reset(t.timeout)
	}
}

// close lets no call begin any more.
func (t *idleTracker) close() {
	t.lock.Lock()
	defer t.lock.Unlock()
	t.closed = true
	t.timer.Stop()
}

func (t *idleTracker) expire() {
	t.lock.Lock()
	idle := t.active == 0 && !t.closed && time.Since(t.since) >= t.timeout
	t.closed = t.closed || idle
	t.lock.Unlock()
	if idle {
		t.expired()
	}
}
