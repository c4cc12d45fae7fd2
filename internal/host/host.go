// Package host tells what the machine gives: memory, within the limits of its
// control group, free disk, and the peak memory of this process.
package host

// fallbackMemory is taken where the machine does not tell its memory.
const fallbackMemory = 4 << 30

// budgetShare is the part of the machine's memory that a job may use: the rest
// is for the system's page cache and other processes.
const budgetShare = 0.7

// TotalMemory returns the bytes of memory this process may use: that of the
// machine or of the control group's limit, whichever is less; 4 GiB where the
// system does not tell.
func TotalMemory() int64 {
	if n := totalMemory(); n > 0 {
		return n
	}
	return fallbackMemory
}

// DefaultMemoryBudget returns the bytes a job may use where nothing else is
// said: 70 % of TotalMemory.
func DefaultMemoryBudget() int64 { return int64(float64(TotalMemory()) * budgetShare) }
