package config

import (
	"fmt"
	"slices"
	"strings"
)

// unknown finds variables with our prefix that nothing reads: most likely
// misspelt. Those of the tests begin with SLATE360_TEST or SLATE360_REQUIRE and
// are theirs.
func unknown(env []string) []string {
	var faults []string
	vars := Variables()
	for _, kv := range slices.Sorted(slices.Values(env)) {
		name, _, _ := strings.Cut(kv, "=")
		if !strings.HasPrefix(name, "SLATE360_") || strings.HasPrefix(name, enginePrefix) ||
			slices.ContainsFunc(vars, func(v Variable) bool { return v.Name == name }) {
			continue
		}
		if slices.ContainsFunc([]string{"SLATE360_TEST", "SLATE360_REQUIRE", "SLATE360_FULL"}, func(p string) bool { return strings.HasPrefix(name, p) }) {
			continue
		}
		if best := nearest(name, vars); best != "" {
			faults = append(faults, fmt.Sprintf("%s is unknown; is %s meant?", name, best))
		}
	}
	return faults
}

// nearest returns the variable that a misspelt name is at most two edits away
// from, or nothing: other programs of the platform may have variables of their own.
func nearest(name string, vars []Variable) string {
	for _, v := range vars {
		if editDistance(name, v.Name) <= 2 {
			return v.Name
		}
	}
	return ""
}

func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}
