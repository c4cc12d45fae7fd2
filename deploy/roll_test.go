package deploy_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// fakeAWS keeps parameters in files and tells of refreshes: one of a release whose
// address has "broken" fails. (moto has no instance refresh.)
const fakeAWS = `#!/bin/sh
case "$1 $2" in
"ssm get-parameter") cat "$STATE/$(basename "$4")" ;;
"ssm put-parameter") shift 5; printf '%s\n' "$4" >"$STATE/$(basename "$2")"; echo 1 ;;
"autoscaling start-instance-refresh") echo "$4 $(cut -d ' ' -f 1 "$STATE/linux_amd64")" >>"$STATE/log"; echo id ;;
"autoscaling describe-instance-refreshes")
	if [ ! -e "$STATE/asked" ]; then touch "$STATE/asked"; printf 'InProgress\t0\tNone\n'; exit; fi
	rm "$STATE/asked"
	if grep -q broken "$STATE/linux_amd64"; then printf 'Failed\t50\tno machine became ready\n'; else printf 'Successful\t100\tNone\n'; fi ;;
*) echo "unknown: $*" >&2; exit 9 ;;
esac
`

// A release that works stays; one whose machines do not start, or that fails its
// check, is taken back on all machines.
func TestRoll(t *testing.T) {
	digest := " " + strings.Repeat("a", 64)
	old, good, broken := "s3://r/old"+digest, "s3://r/good"+digest, "s3://r/broken"+digest
	tests := []struct {
		name, before, release string
		check                 []string
		code                  int
		after, log            string
	}{
		{"works", old, good, []string{"true"}, 0, good, "w-controller s3://r/good\nw s3://r/good\n"},
		{"first", "", good, nil, 0, good, "w-controller s3://r/good\nw s3://r/good\n"},
		{"machines", old, broken, []string{"true"}, 1, old, "w-controller s3://r/broken\nw-controller s3://r/old\nw s3://r/old\n"},
		{"check", old, good, []string{"sh", "-c", "exit 5"}, 1, old, "w-controller s3://r/good\nw s3://r/good\nw-controller s3://r/old\nw s3://r/old\n"},
		{"nothing before", "", broken, nil, 1, broken, "w-controller s3://r/broken\n"},
		{"no digest", old, "s3://r/new", nil, 2, old, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			bin, state := t.TempDir(), t.TempDir()
			if err := os.WriteFile(filepath.Join(bin, "aws"), []byte(fakeAWS), 0o755); err != nil {
				t.Fatal(err)
			}
			if test.before != "" {
				for _, arch := range []string{"linux_amd64", "linux_arm64"} {
					if err := os.WriteFile(filepath.Join(state, arch), []byte(test.before+"\n"), 0o600); err != nil {
						t.Fatal(err)
					}
				}
			}
			cmd := exec.CommandContext(t.Context(), "aws/roll.sh", append([]string{"w", "/release", test.release, test.release}, test.check...)...)
			cmd.Env = []string{"PATH=" + bin + ":" + os.Getenv("PATH"), "STATE=" + state, "ROLL_PAUSE=0"}
			out, err := cmd.CombinedOutput()
			var ended *exec.ExitError
			if err != nil && !errors.As(err, &ended) {
				t.Fatal(err)
			}
			if code := cmd.ProcessState.ExitCode(); code != test.code {
				t.Errorf("exit code %d\n%s", code, out)
			}
			for _, arch := range []string{"linux_amd64", "linux_arm64"} {
				if got, err := os.ReadFile(filepath.Join(state, arch)); err != nil || string(got) != test.after+"\n" {
					t.Errorf("%s is %q, %v\n%s", arch, got, err, out)
				}
			}
			if log, _ := os.ReadFile(filepath.Join(state, "log")); string(log) != test.log { // none where nothing was rolled
				t.Errorf("refreshes:\n%s\n%s", log, out)
			}
		})
	}
}
