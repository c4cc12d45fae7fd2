package cost

import (
	"cmp"
	"slices"
	"time"
)

// Job is one job that ran to its end.
type Job struct {
	ID, Kind, Organisation string
	Started, Ended         time.Time
}

// seconds is the time that it took from a moment on.
func (j Job) seconds(since time.Time) float64 {
	start := j.Started
	if start.Before(since) {
		start = since
	}
	return max(j.Ended.Sub(start).Seconds(), 0)
}

// Share is what some of the jobs cost.
type Share struct {
	Name    string  `json:"name"`
	Jobs    int     `json:"jobs"`
	Seconds float64 `json:"seconds"`
	Cost    float64 `json:"cost"`
}

// shares are sums by name.
type shares map[string]*Share

func (s shares) add(name string, seconds, cost float64) {
	if s[name] == nil {
		s[name] = &Share{Name: name}
	}
	s[name].Jobs++
	s[name].Seconds += seconds
	s[name].Cost += cost
}

// sorted has the dearest first.
func (s shares) sorted() []Share {
	list := make([]Share, 0, len(s))
	for _, v := range s {
		list = append(list, *v)
	}
	slices.SortFunc(list, func(a, b Share) int { return cmp.Or(cmp.Compare(b.Cost, a.Cost), cmp.Compare(a.Name, b.Name)) })
	return list
}

// Shares sums up jobs since a time by what of names of them, the dearest first. rate
// is the price of an hour of one place for a job.
func Shares(jobs []Job, rate float64, since time.Time, of func(Job) string) []Share {
	sums := shares{}
	for _, j := range jobs {
		if s := j.seconds(since); s > 0 {
			sums.add(of(j), s, s/3600*rate)
		}
	}
	return sums.sorted()
}

// Split shares the cost of jobs among their stages by the seconds of each. Stages run
// side by side: their times add up to more than the job's.
func Split(jobs []Job, rate float64, since time.Time, stages func(Job) map[string]float64) []Share {
	sums := shares{}
	for _, j := range jobs {
		took := stages(j)
		whole := 0.0
		for _, s := range took {
			whole += s
		}
		if whole == 0 {
			continue
		}
		for name, s := range took {
			sums.add(name, s, s/whole*j.seconds(since)/3600*rate)
		}
	}
	return sums.sorted()
}

// MonthStart is when the month of a time began, in UTC as bills do.
func MonthStart(now time.Time) time.Time {
	now = now.UTC()
	return time.Date(now.Year(), now.Month(), 1, 0, 0, 0, 0, time.UTC)
}

// outlookDays is from how many days the rest of a month is forecast: a whole week,
// since weekends are not like other days.
const outlookDays = 7

const day = 24 * time.Hour

// Outlook is how a month stands.
type Outlook struct {
	// Spent since its start, Forecast at its end.
	Spent    float64 `json:"spent"`
	Forecast float64 `json:"forecast"`
	// PerDay is the mean of the last days, of which there are Days.
	PerDay float64 `json:"perDay"`
	Days   float64 `json:"days"`
}

// OutlookSince is from when jobs have to be known for NewOutlook.
func OutlookSince(now time.Time) time.Time {
	start := MonthStart(now)
	if week := now.Add(-outlookDays * day); week.Before(start) {
		return week
	}
	return start
}

// NewOutlook forecasts the month of now: what is spent, and for the days left the mean
// of the last seven, or of as many as there are jobs from.
func NewOutlook(jobs []Job, rate float64, now time.Time) Outlook {
	start := MonthStart(now)
	window := now.Add(-outlookDays * day)
	oldest := now
	var o Outlook
	late := 0.0
	for _, j := range jobs {
		o.Spent += j.seconds(start) / 3600 * rate
		late += j.seconds(window) / 3600 * rate
		if j.Started.Before(oldest) {
			oldest = j.Started
		}
	}
	if oldest.Before(window) {
		oldest = window
	}
	o.Days = max(now.Sub(oldest).Hours()/24, 1)
	o.PerDay = late / o.Days
	o.Forecast = o.Spent + o.PerDay*start.AddDate(0, 1, 0).Sub(now).Hours()/24
	return o
}
