package pipeline

import "path/filepath"

// workspace is the folder in which a job's stages leave what they make:
//
//	lock             held while a process works here
//	manifest.json    what finished stages made
//	products/<name>  products
//	outputs/<stage>  outputs, until they move into the result folder
//	tmp/<stage>      scratch of a running stage
type workspace struct {
	dir      string
	products string
}

func (w *workspace) staging(stage string) string { return filepath.Join(w.dir, "outputs", stage) }

func (w *workspace) scratch(stage string) string { return filepath.Join(w.dir, "tmp", stage) }
