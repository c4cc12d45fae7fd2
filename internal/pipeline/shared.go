package pipeline

import (
	"errors"
	"fmt"
	"io"
	"sync"
)

// sharedHandles are open handles that the stages of one run have in common.
type sharedHandles struct {
	mu      sync.Mutex
	entries map[string]*sharedEntry
	order   []*sharedEntry // as opened
}

type sharedEntry struct {
	mu     sync.Mutex
	key    string
	handle io.Closer
}

func (h *sharedHandles) get(key string, open func() (io.Closer, error)) (io.Closer, error) {
	h.mu.Lock()
	if h.entries == nil {
		h.entries = map[string]*sharedEntry{}
	}
	e := h.entries[key]
	if e == nil {
		e = &sharedEntry{key: key}
		h.entries[key] = e
	}
	h.mu.Unlock()

	e.mu.Lock()
	defer e.mu.Unlock()
	if e.handle != nil {
		return e.handle, nil
	}
	handle, err := open()
	if err != nil {
		return nil, fmt.Errorf("open shared %s: %w", key, err)
	}
	e.handle = handle
	h.mu.Lock()
	h.order = append(h.order, e)
	h.mu.Unlock()
	return handle, nil
}

// close closes all handles, last opened first.
func (h *sharedHandles) close() error {
	h.mu.Lock()
	order := h.order
	h.order, h.entries = nil, nil
	h.mu.Unlock()
	var errs []error
	for i := len(order) - 1; i >= 0; i-- {
		if err := order[i].handle.Close(); err != nil {
			errs = append(errs, fmt.Errorf("close shared %s: %w", order[i].key, err))
		}
	}
	return errors.Join(errs...)
}
