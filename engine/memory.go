package engine

import (
	"context"
	"fmt"
	"runtime"
	"runtime/metrics"
	"sync"
	"time"
)

const (
	// defaultRuleMemory is how much custom rules may use while they are evaluated, in bytes.
	defaultRuleMemory = 1 << 30
	// memoryInterval is how often the memory is looked at.
	memoryInterval = 20 * time.Millisecond
	heapMetric     = "/memory/classes/heap/objects:bytes"
)

// memoryGuard bounds what custom rules use. Go does not tell whose memory it is: when there is too much, all custom rules
// that run are stopped, and each is evaluated once more alone. The one that uses too much again is the one.
type memoryGuard struct {
	limit uint64
	base  uint64
	// alone is held for reading by rules that run beside each other, for writing by one that runs alone.
	alone sync.RWMutex

	mu      sync.Mutex
	next    int
	running map[int]context.CancelCauseFunc
}

// memoryError is why a rule was stopped.
type memoryError struct{ limit uint64 }

func (e *memoryError) Error() string {
	return fmt.Sprintf("it used more than %d MiB of memory and was cut off", e.limit>>20)
}

// guardMemory watches until stop is called. Without custom rules there is nothing to guard, and the guard is nil.
func (e *Engine) guardMemory() (guard *memoryGuard, stop func()) {
	if e.customized == nil || len(e.customized.Custom) == 0 {
		return nil, func() {}
	}
	return startMemoryGuard(e.ruleMemory)
}

func startMemoryGuard(limit uint64) (guard *memoryGuard, stop func()) {
	guard = &memoryGuard{limit: limit, base: heapBytes(), running: map[int]context.CancelCauseFunc{}}
	done := make(chan struct{})
	var watching sync.WaitGroup
	watching.Go(func() {
		ticker := time.NewTicker(memoryInterval)
		defer ticker.Stop()
		for {
			select {
			case <-done:
				return
			case <-ticker.C:
				guard.look()
			}
		}
	})
	return guard, func() {
		close(done)
		watching.Wait()
	}
}

func heapBytes() uint64 {
	sample := []metrics.Sample{{Name: heapMetric}}
	metrics.Read(sample)
	if sample[0].Value.Kind() != metrics.KindUint64 {
		return 0
	}
	return sample[0].Value.Uint64()
}

// look stops what runs where more is in use than may be, what nobody refers to any more left out.
func (g *memoryGuard) look() {
	if heapBytes() < g.base+g.limit {
		return
	}
	runtime.GC()
	if heapBytes() < g.base+g.limit {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, cancel := range g.running {
		cancel(&memoryError{g.limit})
	}
}

// enter lets a custom rule run under the guard until leave is called.
func (g *memoryGuard) enter(ctx context.Context, alone bool) (_ context.Context, leave func()) {
	unlock := g.alone.RUnlock
	if alone {
		g.alone.Lock()
		unlock = g.alone.Unlock
	} else {
		g.alone.RLock()
	}
	ctx, cancel := context.WithCancelCause(ctx)
	g.mu.Lock()
	defer g.mu.Unlock()
	n := g.next
	g.next++
	g.running[n] = cancel
	return ctx, func() {
		g.mu.Lock()
		delete(g.running, n)
		g.mu.Unlock()
		cancel(nil)
		unlock()
	}
}
