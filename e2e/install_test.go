package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The service is installed below another root, checked by systemd itself, keeps an
// environment that is there, and goes again.
func TestInstallSystemd(t *testing.T) {
	eachQueue(t, func(t *testing.T, term *terminal) {
		if term.redis {
			t.Skip("the queue makes no difference")
		}
		root := filepath.Join(term.dir, "root")
		term.want(0, "the unit", "install", "systemd", "--root", root, "--drain", "5m")
		unit := filepath.Join(root, "etc/systemd/system/slate360-worker.service")
		text, err := os.ReadFile(unit)
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"Type=notify", "WatchdogSec=", "Restart=always", "RestartSec=10", "ProtectSystem=strict", "TimeoutStopSec=360", "NoNewPrivileges=yes"} {
			if !strings.Contains(string(text), want) {
				t.Errorf("the unit has no %s", want)
			}
		}
		env := filepath.Join(root, "etc/slate360-worker.env")
		if info, err := os.Stat(env); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("environment: %v, %v", info, err)
		}
		if info, err := os.Stat(filepath.Join(root, "usr/local/bin/slate360-worker")); err != nil || info.Mode().Perm() != 0o755 {
			t.Errorf("program: %v, %v", info, err)
		}
		if analyze, err := exec.LookPath("systemd-analyze"); err == nil {
			// It looks for the program, too: let that be one that every machine has.
			copied := filepath.Join(t.TempDir(), "slate360-worker.service")
			there := strings.Replace(string(text), "/usr/local/bin/slate360-worker", "/bin/true", 1)
			if err := os.WriteFile(copied, []byte(there), 0o644); err != nil {
				t.Fatal(err)
			}
			if out, err := exec.Command(analyze, "verify", copied).CombinedOutput(); err != nil || len(out) > 0 {
				t.Errorf("systemd-analyze: %v\n%s", err, out)
			}
		} else {
			t.Log("systemd-analyze is not installed: the unit is not checked by it")
		}
		if err := os.WriteFile(env, []byte("SLATE360_CONCURRENCY=7\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		term.want(0, "left as it is", "install", "systemd", "--root", root)
		if got, err := os.ReadFile(env); err != nil || string(got) != "SLATE360_CONCURRENCY=7\n" {
			t.Errorf("the environment is now %q, %v", got, err)
		}
		if info, err := os.Stat(env); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("others can read the environment: %v, %v", info, err)
		}
		term.want(0, "removed", "uninstall", "systemd", "--root", root)
		term.want(5, "not installed", "uninstall", "systemd", "--root", root)
		term.want(2, "want an absolute path", "install", "systemd", "--print", "--binary", "worker")
		term.want(2, "not with --root", "install", "systemd", "--now", "--root", root)
	})
}
