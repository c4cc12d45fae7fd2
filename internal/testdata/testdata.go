// Package testdata finds what tests need from outside the module: the real
// inputs (SLATE360_TESTDATA) and the foreign readers that prove our outputs.
package testdata

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
)

// RepoRoot returns the folder of the module.
func RepoRoot(t testing.TB) string {
	t.Helper()
	_, file, _, ok := runtime.Caller(0)
	if !ok {
		t.Fatal("testdata: the source path of the package is unknown")
	}
	return filepath.Dir(filepath.Dir(filepath.Dir(file)))
}

// Path returns the real input at rel below SLATE360_TESTDATA (default
// ../shared/data beside the repository) and skips the test where it is absent.
func Path(t testing.TB, rel string) string {
	t.Helper()
	root := os.Getenv("SLATE360_TESTDATA")
	if root == "" {
		root = filepath.Join(RepoRoot(t), "..", "shared", "data")
	}
	p := filepath.Join(root, filepath.FromSlash(rel))
	if _, err := os.Stat(p); err != nil {
		t.Skipf("real input %s is absent: set SLATE360_TESTDATA", rel)
	}
	return p
}

// Python returns the interpreter of the test tools' virtual environment.
func Python(t testing.TB) string {
	t.Helper()
	return tool(t, "python", filepath.Join(RepoRoot(t), ".tools", "venv", "bin", "python"))
}

// Tool returns the path of a foreign program: an npm tool of .tools, a program
// of its virtual environment, or one on PATH.
func Tool(t testing.TB, name string) string {
	t.Helper()
	root := filepath.Join(RepoRoot(t), ".tools")
	built := filepath.Join(root, "bin", name)
	if _, err := os.Stat(built); err == nil {
		return built
	}
	if p, err := exec.LookPath(name); err == nil {
		return p
	}
	p := filepath.Join(root, "node_modules", ".bin", name)
	if _, err := os.Stat(p); err != nil {
		p = filepath.Join(root, "venv", "bin", name)
	}
	return tool(t, name, p)
}

// Package returns the folder of an npm package of the test tools.
func Package(t testing.TB, name string) string {
	t.Helper()
	return tool(t, name, filepath.Join(RepoRoot(t), ".tools", "node_modules", filepath.FromSlash(name)))
}

func tool(t testing.TB, name, path string) string {
	t.Helper()
	if _, err := os.Stat(path); err == nil {
		return path
	}
	const hint = "foreign reader %s is not installed: run make setup-test"
	if os.Getenv("SLATE360_REQUIRE_TOOLS") == "1" {
		t.Fatalf(hint, name)
	}
	t.Skipf(hint, name)
	return ""
}
