package spot

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Group is the Auto Scaling group of the machine.
type Group interface {
	// Protect keeps the machine from being taken when the group shrinks, or no longer.
	Protect(ctx context.Context, instance string, on bool) error
	// Hold lets the lifecycle hooks of the termination wait longer.
	Hold(ctx context.Context, instance string) error
	// Release lets them wait no longer.
	Release(ctx context.Context, instance string) error
}

// holdEvery is the time between two heartbeats of a lifecycle hook, whose shortest
// timeout is 30 s.
const holdEvery = 10 * time.Second

// idleLooks is for how many looks no job must have run before the machine is free to
// be taken: short jobs in a row do not change its protection each time.
const idleLooks = 3

// tellTimeout bounds what is told to the group: one that cannot be reached does not
// keep notices waiting.
const tellTimeout = 3 * time.Second

// tell tells the group how the machine stands.
func (g *Guard) tell(ctx context.Context, running, looked bool) error {
	ctx, cancel := context.WithTimeout(ctx, tellTimeout)
	defer cancel()
	if err := g.join(ctx); err != nil || g.group == nil {
		return err
	}
	return errors.Join(g.protect(ctx, running, looked), g.hook(ctx, running))
}

// join learns what group the machine is in.
func (g *Guard) join(ctx context.Context) error {
	if g.joined || g.o.Group == nil {
		return nil
	}
	region, err := g.o.Machine.Region(ctx)
	if err == nil {
		g.group, err = g.o.Group(ctx, g.instance, region)
	}
	if err != nil {
		return fmt.Errorf("the Auto Scaling group of %s: %w", g.instance, err)
	}
	g.joined = true
	return nil
}

// protect keeps a machine that works from being taken, and one that does not free:
// at once where a job begins, after some looks where none runs.
func (g *Guard) protect(ctx context.Context, running, looked bool) error {
	if running {
		g.idle = 0
	} else if looked {
		g.idle++
	}
	on := running
	if g.protected && !running && g.idle < idleLooks {
		on = true
	}
	// A machine that goes anyway is not kept.
	if len(g.followed) > 0 {
		on = false
	}
	// At first it is not known: a process that died may have left the machine protected.
	if g.told && on == g.protected {
		return nil
	}
	if err := g.group.Protect(ctx, g.instance, on); err != nil {
		return fmt.Errorf("protect the machine: %w", err)
	}
	g.told, g.protected = true, on
	value := 0.0
	if on {
		value = 1
	}
	g.o.Metrics.protected.Set(value)
	return nil
}

// hook lets the hooks of a termination wait while jobs end, and no longer than that.
func (g *Guard) hook(ctx context.Context, running bool) error {
	if !g.seen[Terminating] || g.released {
		return nil
	}
	if !running {
		if err := g.group.Release(ctx, g.instance); err != nil {
			return fmt.Errorf("end the lifecycle hook: %w", err)
		}
		g.released = true
		g.o.Logger.Info("the Auto Scaling group need not wait any more", "instance", g.instance)
		return nil
	}
	if time.Since(g.held) < holdEvery {
		return nil
	}
	if err := g.group.Hold(ctx, g.instance); err != nil {
		return fmt.Errorf("let the lifecycle hook wait: %w", err)
	}
	g.held = time.Now()
	return nil
}

// leave frees the machine where the process is stopped: jobs have ended then.
func (g *Guard) leave(ctx context.Context) {
	if g.group == nil {
		return
	}
	g.idle = idleLooks
	g.say(g.tell(context.WithoutCancel(ctx), false, false))
}
