package cli

import (
	"context"
	"os"
	"time"

	"slate360.ai/worker/internal/ops/cost"
)

// learnEvery is the time between two tries to ask the machine what it is.
const learnEvery = 10 * time.Second

// learnPrice asks the machine what it is, until it says so, and looks up its price.
func (o *operations) learnPrice(ctx context.Context) {
	for {
		err := o.learn(ctx)
		if err == nil {
			return
		}
		o.log.Debug("type of the machine", "error", err)
		select {
		case <-ctx.Done():
			return
		case <-time.After(learnEvery):
		}
	}
}

func (o *operations) learn(ctx context.Context) error {
	id, err := o.machine.ID(ctx)
	if err != nil {
		return err
	}
	name, isSpot, err := o.machine.Type(ctx)
	if err != nil {
		return err
	}
	list, err := cost.Load(nil)
	if err != nil {
		return err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.instance, o.priced = id, true
	if i, err := list.Instance(name); err == nil {
		o.price = list.Price(i, isSpot)
		o.hourly.Set(o.price)
		o.log.Info("price of the machine", "type", name, "spot", isSpot, "hour", o.price, "currency", list.Currency, "pricesOf", list.Date)
	}
	return nil
}

// priceHour is what the machine costs; 0 is not known.
func (o *operations) priceHour() float64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.price
}

// instanceID names the machine: as EC2 does, or as the host does.
func (o *operations) instanceID() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.instance == "" {
		o.instance, _ = os.Hostname() // a machine without a name has an empty one
	}
	return o.instance
}
