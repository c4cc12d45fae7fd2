// Package gpu tells how busy the NVIDIA graphics cards of the machine are.
//
// It asks nvidia-smi, which comes with the driver. NVML itself is a shared library:
// to load it the program could not be linked statically any more.
package gpu

import (
	"context"
	"encoding/csv"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Card is one graphics card, now.
type Card struct {
	Index        int
	Name, Driver string
	// Utilization is the share of the last second in which a kernel ran, in percent.
	Utilization float64
	// MemoryTotal and MemoryUsed are in bytes.
	MemoryTotal, MemoryUsed int64
	// Temperature is in degrees Celsius, Power in watts; 0 is not known.
	Temperature, Power float64
}

// fields are what nvidia-smi is asked for, in this order.
const fields = "index,name,driver_version,utilization.gpu,memory.total,memory.used,temperature.gpu,power.draw"

// An answer holds for fresh; nvidia-smi gets patience, since a card that hangs makes
// it hang, too.
const (
	fresh    = 2 * time.Second
	patience = 5 * time.Second
)

// Reader asks for the cards, and remembers the answer for a while.
type Reader struct {
	program string // empty where there is none

	mu    sync.Mutex
	asked time.Time
	cards []Card
	err   error
}

// NewReader looks for nvidia-smi on PATH.
func NewReader() *Reader {
	program, err := exec.LookPath("nvidia-smi")
	if err != nil {
		program = ""
	}
	return &Reader{program: program}
}

// Cards returns the cards; none where the machine has none, or no driver.
func (r *Reader) Cards(ctx context.Context) ([]Card, error) {
	if r.program == "" {
		return nil, nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if time.Since(r.asked) < fresh {
		return r.cards, r.err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	out, err := exec.CommandContext(ctx, r.program, "--query-gpu="+fields, "--format=csv,noheader,nounits").Output()
	if err != nil {
		r.cards, r.err = nil, fmt.Errorf("ask nvidia-smi: %w", err)
	} else {
		r.cards, r.err = Parse(string(out))
	}
	r.asked = time.Now()
	return r.cards, r.err
}

// Parse reads what nvidia-smi prints as CSV without header and units. What a card
// does not tell ("[N/A]", "[Not Supported]") is 0.
func Parse(text string) ([]Card, error) {
	reader := csv.NewReader(strings.NewReader(text))
	reader.TrimLeadingSpace = true
	reader.FieldsPerRecord = strings.Count(fields, ",") + 1
	rows, err := reader.ReadAll()
	if err != nil {
		return nil, fmt.Errorf("read what nvidia-smi says: %w", err)
	}
	cards := make([]Card, 0, len(rows))
	for _, row := range rows {
		index, err := strconv.Atoi(strings.TrimSpace(row[0]))
		if err != nil {
			return nil, fmt.Errorf("read what nvidia-smi says: index %.20q", row[0])
		}
		const mebibyte = 1 << 20
		cards = append(cards, Card{
			Index: index, Name: strings.TrimSpace(row[1]), Driver: strings.TrimSpace(row[2]), Utilization: number(row[3]),
			MemoryTotal: int64(number(row[4])) * mebibyte, MemoryUsed: int64(number(row[5])) * mebibyte,
			Temperature: number(row[6]), Power: number(row[7]),
		})
	}
	return cards, nil
}

// number is 0 for what is none, or beyond what a card can have.
func number(text string) float64 {
	x, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
	if err != nil || !(x >= 0 && x < 1e9) {
		return 0
	}
	return x
}
