package photogrammetry

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"slate360.ai/worker/internal/engine"
	"slate360.ai/worker/internal/pipeline"
)

const engineOpenMVS = "openmvs"

// openmvs runs OpenMVS' programs in a workspace. They lie in one folder, which need
// not be on PATH.
type openmvs struct {
	s   *pipeline.Context
	dir string // of the programs
	ws  string
}

// texturedFolder is where OpenMVS writes texturedName, with its materials and textures.
const (
	texturedFolder = "textured"
	texturedName   = "textured.obj"
)

func openOpenMVS(ctx context.Context, s *pipeline.Context) (*openmvs, error) {
	found, err := engine.Find(engineOpenMVS)
	if err != nil {
		return nil, err
	}
	ws, err := linkWorkspace(ctx, s)
	if err != nil {
		return nil, err
	}
	return &openmvs{s: s, dir: filepath.Dir(found.Path), ws: ws}, nil
}

var percentPattern = regexp.MustCompile(`\((\d+(?:\.\d+)?)%`)

// run runs a program in the workspace; from and to are the stage's progress before
// and after.
func (o *openmvs) run(ctx context.Context, from, to float64, program string, args ...string) error {
	path, err := exec.LookPath(filepath.Join(o.dir, program))
	if err != nil {
		return &engine.NotInstalledError{Program: program, Install: "it lies beside OpenMVS' other programs, in " + o.dir + "; is the installation whole?"}
	}
	args = append(args, "-w", o.ws, "--max-threads", strconv.Itoa(o.s.Workers()))
	log := o.s.Logger()
	log.Debug(strings.Join(append([]string{program}, args...), " "))
	report, err := engine.Command{
		Name: program, Path: path, Args: args, Dir: o.ws,
		OnLine: func(line string) {
			log.Debug(line, "engine", engineOpenMVS)
			if m := percentPattern.FindStringSubmatch(line); m != nil {
				if p, err := strconv.ParseFloat(m[1], 64); err == nil {
					o.s.Progress(from+(to-from)*p/100, 1)
				}
			}
		},
	}.Run(ctx)
	o.s.RecordPeak(report.PeakBytes)
	if err != nil {
		return fmt.Errorf("%s: %w", program, explainMemory(err))
	}
	o.s.Progress(to, 1)
	return nil
}

// Files of the workspace. Meshes go between programs as PLY: not all versions write
// the scene again.
const (
	sceneFile   = "scene.mvs"
	denseFile   = "scene_dense.mvs"
	meshFile    = "scene_mesh.mvs"
	refinedFile = "scene_refined.mvs"
)

func plyOf(scene string) string { return strings.TrimSuffix(scene, filepath.Ext(scene)) + ".ply" }

// importScene turns the workspace into a scene; with the fused cloud, where it holds one.
func (o *openmvs) importScene(ctx context.Context, to float64) error {
	return o.run(ctx, 0, to, "InterfaceCOLMAP", "-i", o.ws, "-o", filepath.Join(o.ws, sceneFile))
}

// resolutionLevel is how often OpenMVS halves photos: as often as fits our size.
func resolutionLevel(s *pipeline.Context) int {
	level := 0
	for side := undistortSide(s.Options()); side > denseSide(s.Options())*3/2; side /= 2 {
		level++
	}
	return level
}

// runDenseOpenMVS makes the dense cloud.
func runDenseOpenMVS(ctx context.Context, s *pipeline.Context) error {
	o, err := openOpenMVS(ctx, s)
	if err != nil {
		return err
	}
	if err := o.importScene(ctx, 0.02); err != nil {
		return err
	}
	err = o.run(ctx, 0.02, 0.98, "DensifyPointCloud", sceneFile, "-o", denseFile, "--resolution-level", strconv.Itoa(resolutionLevel(s)))
	if err != nil {
		return err
	}
	if err := fusedFromOpenMVS(filepath.Join(o.ws, plyOf(denseFile)), s.Product(productDense), s.Product(productVisibility)); err != nil {
		return err
	}
	return os.MkdirAll(s.Product(productStereo), 0o777) // its depth maps are of a format of its own
}

// refinedFaceArea is how many pixels a triangle covers before it is divided.
const refinedFaceArea = 16

// runSurfaceOpenMVS makes the mesh, and refines it against the photos.
func runSurfaceOpenMVS(ctx context.Context, s *pipeline.Context) error {
	o, err := openOpenMVS(ctx, s)
	if err != nil {
		return err
	}
	if err := o.importScene(ctx, 0.05); err != nil {
		return err
	}
	if err := o.run(ctx, 0.05, 0.3, "ReconstructMesh", sceneFile, "-o", meshFile); err != nil {
		return err
	}
	err = o.run(ctx, 0.3, 1, "RefineMesh", sceneFile, "--mesh-file", plyOf(meshFile), "-o", refinedFile,
		"--resolution-level", strconv.Itoa(resolutionLevel(s)), "--max-face-area", strconv.Itoa(refinedFaceArea))
	if err != nil {
		return err
	}
	return os.Rename(filepath.Join(o.ws, plyOf(refinedFile)), s.Product(productSurface))
}

// runTextureOpenMVS puts the photos on the mesh.
func runTextureOpenMVS(ctx context.Context, s *pipeline.Context) error {
	o, err := openOpenMVS(ctx, s)
	if err != nil {
		return err
	}
	if err := o.importScene(ctx, 0.05); err != nil {
		return err
	}
	if err := os.Symlink(s.Product(productSurface), filepath.Join(o.ws, productSurface)); err != nil {
		return fmt.Errorf("link mesh: %w", err)
	}
	out := filepath.Join(o.ws, texturedFolder)
	if err := os.MkdirAll(out, 0o777); err != nil {
		return err
	}
	err = o.run(ctx, 0.05, 1, "TextureMesh", sceneFile, "--mesh-file", productSurface, "-o", filepath.Join(out, "textured.mvs"), "--export-type", "obj")
	if err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(out, texturedName)); err != nil {
		return errors.New("TextureMesh has ended without an error, and without an OBJ")
	}
	pages, textures, err := readTexturedOBJ(out)
	if err != nil {
		return fmt.Errorf("what TextureMesh wrote: %w", err)
	}
	return deliverTextured(s, pages, textures)
}
