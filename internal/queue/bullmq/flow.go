package bullmq

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"slate360.ai/worker/internal/job"
)

// Node is a job of a flow: it runs after its children, which may lie on other
// queues of the same prefix.
type Node struct {
	// Queue is empty for that of AddFlow.
	Queue    string
	Job      NewJob
	Children []Node
}

// AddFlow adds a job with its children, all or none, and returns the ID of the job.
func (q *Queue) AddFlow(ctx context.Context, root Node) (string, error) {
	b := batch{q: q}
	var parents []place
	if err := q.collect(&b, root, place{}, &parents); err != nil {
		return "", err
	}
	// Parents whose children had all ended before are let go once all is in.
	for _, p := range parents {
		err := b.add("releaseParentIfNoPendingDependencies", []string{p.parentKey, p.parentKey + ":dependencies"}, p.parentQueue, p.parentID, now())
		if err != nil {
			return "", err
		}
	}
	ids, err := b.ids(ctx, true)
	if err != nil {
		return "", err
	}
	if len(ids) == 0 {
		return "", errors.New("the flow was not added")
	}
	return ids[0], nil
}

// collect puts a node and its children into the batch, parents first.
func (q *Queue) collect(b *batch, n Node, p place, parents *[]place) error {
	own := q.sibling(n.Queue)
	if n.Job.Options.ID == "" {
		n.Job.Options.ID = job.NewID()
	}
	if len(n.Children) > 0 && n.Job.Options.Deduplication.ID != "" {
		return errors.New("a job with children cannot be deduplicated: the ID of a parent must be known before")
	}
	p.waits, p.deferRelease = len(n.Children) > 0, true
	script, keys, args, err := own.command(n.Job, p)
	if err != nil {
		return err
	}
	if err := b.add(script, keys, args...); err != nil {
		return err
	}
	if len(n.Children) == 0 {
		return nil
	}
	below := place{
		parentKey: own.k.job(n.Job.Options.ID), parentID: n.Job.Options.ID, parentQueue: own.o.Prefix + ":" + own.o.Name,
	}
	for _, child := range n.Children {
		if child.Queue == "" {
			child.Queue = n.Queue
		}
		if err := q.collect(b, child, below, parents); err != nil {
			return err
		}
	}
	*parents = append(*parents, below)
	return nil
}

// childrenOf reads the values of ended children: processed or failed.
func (q *Queue) childrenOf(ctx context.Context, id, kind string) (map[string]json.RawMessage, error) {
	v, err := q.conn.Do(ctx, "HGETALL", q.k.job(id)+":"+kind)
	if err != nil {
		return nil, fmt.Errorf("read the children of job %s: %w", id, err)
	}
	fields, _ := v.([]any)
	values := map[string]json.RawMessage{}
	for i := 0; i+1 < len(fields); i += 2 {
		key, _ := fields[i].(string)
		value, _ := fields[i+1].(string)
		values[key] = jsonOrText(value)
	}
	return values, nil
}
