// Command slate360-worker turns laser scans into web-ready 3D: see
// `slate360-worker --help`.
package main

import (
	"os"

	"slate360.ai/worker/internal/cli"
)

// version is set by the linker for releases: -X main.version=1.2.3.
var version string

func main() { os.Exit(run()) }

func run() int {
	ctx, stop := cli.Interruptible(os.Args[1:])
	defer stop()
	p := cli.Program{
		Build: cli.ReadBuild(version), Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
		Pipeline: pipelineFor, Informer: informerFor, Samples: samples(), Backends: backends(),
	}
	return p.Run(ctx, os.Args[1:])
}
