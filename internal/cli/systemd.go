package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"text/template"
	"time"

	"github.com/spf13/cobra"

	"slate360.ai/worker/internal/config"
	"slate360.ai/worker/internal/pipeline"
)

// unitName is the name of the service.
const unitName = Name + ".service"

// systemdFlags are where what is installed goes.
type systemdFlags struct {
	root, binary  string
	memory, tasks string
	drain         time.Duration
	print, now    bool
	printEnv      bool
}

// unitTemplate is the unit. The user is made by systemd for as long as the service
// runs and owns the state folder; the program may write there and nowhere else
// (systemd.exec(5), "Sandboxing"). What it opens for itself: the network, and
// external engines as its children.
var unitTemplate = template.Must(template.New("unit").Parse(`[Unit]
Description=Slate360 worker: laser scans, photos and meshes to web-ready 3D
Documentation=man:systemd.exec(5)
Wants=network-online.target
After=network-online.target
StartLimitIntervalSec=0

[Service]
Type=notify
NotifyAccess=main
ExecStart={{.Binary}} run
EnvironmentFile=-{{.Environment}}
Environment=SLATE360_DATA_DIR=%S/slate360-worker SLATE360_DRAIN_TIMEOUT={{.Drain}}
WorkingDirectory=%S/slate360-worker
Restart=always
RestartSec=10
WatchdogSec=60
# SIGTERM drains: running jobs end, or go back to the queue with what they have.
KillMode=mixed
TimeoutStopSec={{.Stop}}

DynamicUser=yes
User=slate360
StateDirectory=slate360-worker
StateDirectoryMode=0750
UMask=0027
NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
ProtectClock=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectControlGroups=yes
ProtectProc=invisible
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
CapabilityBoundingSet=
AmbientCapabilities=
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallErrorNumber=EPERM

LimitNOFILE=65536
TasksMax={{.Tasks}}
MemoryMax={{.Memory}}
OOMPolicy=continue

[Install]
WantedBy=multi-user.target
`))

// environmentText is the start of the environment file.
const environmentText = `# Environment of slate360-worker; only root reads it. All variables: the file
# .env.example of the program, or '` + Name + ` doctor'. After a change:
# systemctl restart ` + Name + `
#
# What is not set is embedded: queue, records and storage lie in
# /var/lib/slate360-worker.

`

// environment is the environment file as it is installed.
func environment() []byte { return append([]byte(environmentText), config.Example()...) }

func (p *Program) installSystemdCommand() *cobra.Command {
	f := &systemdFlags{}
	c := &cobra.Command{
		Use:   "systemd",
		Short: "Install a hardened service of systemd",
		Long: `Writes the unit ` + unitName + ` and the file of its environment, which only root can
read and which is left as it is where there is one, and copies the program to
/usr/local/bin. With --now the service is enabled and started. With --print the
unit is printed and nothing is written; with --print-env, the file of the environment.`,
		Example: "  " + Name + " install systemd --print\n  sudo " + Name + " install systemd --now",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return p.installSystemd(cmd.Context(), f) },
	}
	f.addRoot(c)
	flags := c.Flags()
	flags.StringVar(&f.binary, "binary", "/usr/local/bin/"+Name, "where the program goes")
	flags.StringVar(&f.memory, "memory-max", "90%", "most memory of the service, with the engines it runs")
	flags.StringVar(&f.tasks, "tasks-max", "4096", "most threads and processes of the service")
	flags.DurationVar(&f.drain, "drain", 10*time.Minute, "what running jobs get to end when the service stops")
	flags.BoolVar(&f.print, "print", false, "print the unit, write nothing")
	flags.BoolVar(&f.printEnv, "print-env", false, "print the file of the environment, write nothing")
	flags.BoolVar(&f.now, "now", false, "enable and start the service")
	return c
}

func (f *systemdFlags) addRoot(c *cobra.Command) {
	c.Flags().StringVar(&f.root, "root", "/", "folder to install below, of an image of another machine, say")
}

func (f *systemdFlags) path(name string) string { return filepath.Join(f.root, name) }

func (f *systemdFlags) unitPath() string { return f.path("/etc/systemd/system/" + unitName) }

// environmentFile is where the unit reads its environment.
const environmentFile = "/etc/" + Name + ".env"

func (f *systemdFlags) unit() ([]byte, error) {
	if !filepath.IsAbs(f.binary) || strings.ContainsAny(f.binary, " \t\n\"'\\%") {
		return nil, usagef("--binary: want an absolute path without spaces and signs, got %q", f.binary)
	}
	if f.drain < 0 {
		return nil, usagef("--drain: want a duration, got %s", f.drain)
	}
	for flag, v := range map[string]string{"--memory-max": f.memory, "--tasks-max": f.tasks} {
		if v == "" || strings.ContainsAny(v, " \t\n") {
			return nil, usagef("%s: want one word, got %q", flag, v)
		}
	}
	var b bytes.Buffer
	err := unitTemplate.Execute(&b, map[string]any{
		"Binary": f.binary, "Environment": environmentFile, "Drain": f.drain, "Memory": f.memory, "Tasks": f.tasks,
		// What is finished is kept, and the callbacks get a last try, after that.
		"Stop": int((f.drain + time.Minute).Seconds()),
	})
	return b.Bytes(), err
}

func (p *Program) installSystemd(ctx context.Context, f *systemdFlags) error {
	unit, err := f.unit()
	if err != nil {
		return err
	}
	if f.print {
		_, err := p.Stdout.Write(unit)
		return err
	}
	if f.printEnv {
		_, err := p.Stdout.Write(environment())
		return err
	}
	if runtime.GOOS != "linux" {
		return &pipeline.ConfigError{Err: fmt.Errorf("there is no systemd on %s", runtime.GOOS)}
	}
	if f.now && f.root != "/" {
		return usagef("--now starts a service of this machine: not with --root")
	}
	if err := f.write(p, unit); err != nil {
		if errors.Is(err, fs.ErrPermission) {
			return &pipeline.ConfigError{Err: err, Hint: "run it as root: sudo " + Name + " install systemd"}
		}
		return err
	}
	if f.root != "/" {
		return nil
	}
	if err := systemctl(ctx, "daemon-reload"); err != nil {
		return err
	}
	if !f.now {
		fmt.Fprintf(p.Stdout, "start it: systemctl enable --now %s\n", Name)
		return nil
	}
	if err := systemctl(ctx, "enable", "--now", unitName); err != nil {
		return err
	}
	fmt.Fprintf(p.Stdout, "started; its log: journalctl -u %s -f\n", Name)
	return nil
}

func (f *systemdFlags) write(p *Program, unit []byte) error {
	if err := copyProgram(f.path(f.binary)); err != nil {
		return err
	}
	fmt.Fprintf(p.Stdout, "%s: the program\n", f.path(f.binary))
	env := f.path(environmentFile)
	switch _, err := os.Stat(env); {
	case errors.Is(err, fs.ErrNotExist):
		if err := os.MkdirAll(filepath.Dir(env), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(env, environment(), 0o600); err != nil {
			return fmt.Errorf("write environment: %w", err)
		}
		fmt.Fprintf(p.Stdout, "%s: its environment, to be filled in\n", env)
	case err != nil:
		return fmt.Errorf("environment: %w", err)
	default:
		// It has secrets, whoever made it.
		if err := os.Chmod(env, 0o600); err != nil {
			return fmt.Errorf("environment: %w", err)
		}
		fmt.Fprintf(p.Stdout, "%s: left as it is\n", env)
	}
	if err := os.MkdirAll(filepath.Dir(f.unitPath()), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(f.unitPath(), unit, 0o644); err != nil {
		return fmt.Errorf("write unit: %w", err)
	}
	fmt.Fprintf(p.Stdout, "%s: the unit\n", f.unitPath())
	return nil
}

// copyProgram puts this program at a path; a running one there is replaced, not
// overwritten.
func copyProgram(to string) error {
	from, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	if a, err := os.Stat(from); err == nil {
		if b, err := os.Stat(to); err == nil && os.SameFile(a, b) {
			return nil
		}
	}
	data, err := os.ReadFile(from)
	if err != nil {
		return fmt.Errorf("read this program: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(to+".new", data, 0o755); err != nil {
		return fmt.Errorf("copy this program: %w", err)
	}
	if err := os.Rename(to+".new", to); err != nil {
		return errors.Join(err, os.Remove(to+".new"))
	}
	return nil
}

func systemctl(ctx context.Context, args ...string) error {
	out, err := exec.CommandContext(ctx, "systemctl", args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("systemctl %s: %w: %s", strings.Join(args, " "), err, bytes.TrimSpace(out))
	}
	return nil
}

func (p *Program) uninstallCommand() *cobra.Command {
	f := &systemdFlags{}
	c := &cobra.Command{
		Use:       "uninstall systemd",
		Short:     "Stop and remove the service of systemd",
		Long:      "Stops, disables and removes the service. Its environment, its data in\n/var/lib/slate360-worker and the program stay.",
		Args:      cobra.ExactArgs(1),
		ValidArgs: []string{"systemd"},
		RunE: func(cmd *cobra.Command, args []string) error {
			if args[0] != "systemd" {
				return usagef("uninstall: want systemd, got %q", args[0])
			}
			return p.uninstallSystemd(cmd.Context(), f)
		},
	}
	f.addRoot(c)
	return c
}

func (p *Program) uninstallSystemd(ctx context.Context, f *systemdFlags) error {
	if _, err := os.Stat(f.unitPath()); errors.Is(err, fs.ErrNotExist) {
		return &pipeline.ConfigError{Err: fmt.Errorf("%s is not installed", f.unitPath())}
	}
	if f.root == "/" {
		if err := systemctl(ctx, "disable", "--now", unitName); err != nil {
			return err
		}
	}
	if err := os.Remove(f.unitPath()); err != nil {
		return fmt.Errorf("remove unit: %w", err)
	}
	fmt.Fprintf(p.Stdout, "removed %s; %s and the data stay\n", f.unitPath(), f.path(environmentFile))
	if f.root == "/" {
		return systemctl(ctx, "daemon-reload")
	}
	return nil
}
