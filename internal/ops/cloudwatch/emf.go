package cloudwatch

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"slices"
	"time"
)

// EMF writes values as lines of JSON in the embedded metric format: one line for
// each set of dimensions.
type EMF struct{ W io.Writer }

// directive is the member _aws of a line.
type directive struct {
	Timestamp         int64 // milliseconds
	CloudWatchMetrics []metricDirective
}

type metricDirective struct {
	Namespace  string
	Dimensions [][]string
	Metrics    []metricDefinition
}

type metricDefinition struct{ Name, Unit string }

// Put writes values.
func (e EMF) Put(_ context.Context, at time.Time, data []Datum) error {
	var out bytes.Buffer
	for len(data) > 0 {
		n := 1
		for n < len(data) && slices.Equal(data[n].Dimensions, data[0].Dimensions) &&
			!slices.ContainsFunc(data[:n], func(d Datum) bool { return d.Name == data[n].Name }) {
			n++
		}
		text, err := json.Marshal(line(at, data[:n]))
		if err != nil {
			return err
		}
		out.Write(append(text, '\n'))
		data = data[n:]
	}
	_, err := e.W.Write(out.Bytes())
	return err
}

// line is the object of values with the same dimensions.
func line(at time.Time, data []Datum) map[string]any {
	m := metricDirective{Namespace: Namespace, Dimensions: [][]string{{}}}
	object := map[string]any{}
	for _, dim := range data[0].Dimensions {
		m.Dimensions[0] = append(m.Dimensions[0], dim.Name)
		object[dim.Name] = dim.Value
	}
	for _, d := range data {
		m.Metrics = append(m.Metrics, metricDefinition{d.Name, d.Unit})
		object[d.Name] = d.Value
	}
	object["_aws"] = directive{Timestamp: at.UnixMilli(), CloudWatchMetrics: []metricDirective{m}}
	return object
}
