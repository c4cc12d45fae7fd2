package pipeline

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"slate360.ai/worker/internal/job"
)

// collect makes the record of a stage whose engine has returned: the products
// and outputs it left, with checksums.
func (r *runner) collect(ctx context.Context, t *task) (*stageRecord, error) {
	s := t.context
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.outputErr != nil {
		return nil, s.outputErr
	}
	rec := &stageRecord{
		Engine: t.engine.Name, Key: t.key, Inputs: t.inputs,
		Products: map[string]productRecord{}, Warnings: slices.Clone(s.warnings),
	}
	for _, name := range t.stage.Outputs {
		files, err := r.record(ctx, r.product(name), nil)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("the engine did not make product %q", name)
		}
		if err != nil {
			return nil, fmt.Errorf("checksum product %s: %w", name, err)
		}
		rec.Products[name] = productRecord{Files: files, Digest: digestOf(files)}
	}
	if err := r.collectOutputs(ctx, s, rec); err != nil {
		return nil, err
	}
	for key, v := range s.analysis {
		data, err := json.Marshal(v)
		if err != nil {
			return nil, fmt.Errorf("encode analysis %s: %w", key, err)
		}
		if rec.Analysis == nil {
			rec.Analysis = map[string]json.RawMessage{}
		}
		rec.Analysis[key] = data
	}
	return rec, nil
}

func (r *runner) collectOutputs(ctx context.Context, s *Context, rec *stageRecord) error {
	digests := map[string]string{}
	for _, o := range s.outputs {
		digests[o.Path] = ""
	}
	staged, err := r.record(ctx, r.ws.staging(s.stage.Name), digests)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("checksum outputs: %w", err)
	}
	rec.Staged = staged
	for _, o := range s.outputs {
		i := slices.IndexFunc(staged, func(f fileRecord) bool { return f.Path == o.Path })
		if i < 0 {
			return fmt.Errorf("output %s was published but not written to its OutputPath", o.Path)
		}
		rec.Outputs = append(rec.Outputs, completeOutput(o, s.outputs, staged, staged[i], digests[o.Path]))
	}
	return nil
}

// completeOutput fills in what the stage left out. An output stands for its
// folder where the stage published no other there.
func completeOutput(o job.Output, all []job.Output, staged []fileRecord, entry fileRecord, sha string) job.Output {
	if o.SHA256 == "" {
		o.SHA256 = sha
	}
	if o.ContentType == "" {
		o.ContentType = job.ContentType(o.Path)
	}
	size, files := entry.Size, int64(1)
	dir := path.Dir(o.Path)
	alone := !slices.ContainsFunc(all, func(other job.Output) bool {
		return other.Path != o.Path && strings.HasPrefix(other.Path, dir+"/")
	})
	if dir != "." && alone {
		size, files = 0, 0
		for _, f := range staged {
			if strings.HasPrefix(f.Path, dir+"/") {
				size += f.Size
				files++
			}
		}
	}
	if o.Size == 0 {
		o.Size = size
	}
	if files > 1 && o.Files == 0 {
		o.Files = files
	}
	return o
}

// record lists the files at or below path with their checksums. It fills in the
// SHA-256 of those whose relative path is a key of digests.
func (r *runner) record(ctx context.Context, path string, digests map[string]string) ([]fileRecord, error) {
	names, err := listFiles(path)
	if err != nil {
		return nil, err
	}
	files := make([]fileRecord, len(names))
	shas := make([]string, len(names))
	err = parallel(ctx, r.req.Workers, len(names), func(ctx context.Context, i int) error {
		_, digest := digests[names[i]]
		size, crc, sha, err := checksum(ctx, filepath.Join(path, filepath.FromSlash(names[i])), digest)
		files[i], shas[i] = fileRecord{Path: names[i], Size: size, CRC32C: crc}, sha
		return err
	})
	if err != nil {
		return nil, err
	}
	for i, name := range names {
		if shas[i] != "" {
			digests[name] = shas[i]
		}
	}
	return files, nil
}

// ResultFile is the name of the summary in the result folder.
const ResultFile = "result.json"

// deliver moves the outputs into the result folder and writes result.json, last:
// while it is there, all it names is there. The former result.json goes first.
func (r *runner) deliver(ctx context.Context) (job.Result, error) {
	if err := ctx.Err(); err != nil {
		return job.Result{}, fmt.Errorf("stopped: %w", context.Cause(ctx))
	}
	result := r.result()
	result.Status = job.StatusCompleted
	data, err := json.MarshalIndent(result, "", "  ")
	if err != nil {
		return result, fmt.Errorf("encode %s: %w", ResultFile, err)
	}
	path := filepath.Join(r.req.OutDir, ResultFile)
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return result, fmt.Errorf("replace former result: %w", err)
	}
	for _, t := range r.tasks {
		if rec := r.manifest.Stages[t.stage.Name]; t.enabled && rec != nil {
			if err := r.move(t.stage, rec); err != nil {
				return result, fmt.Errorf("move outputs of stage %s into the result folder: %w", t.stage.Name, err)
			}
		}
	}
	if err := writeFileAtomic(path, append(data, '\n')); err != nil {
		return result, fmt.Errorf("write %s: %w", ResultFile, err)
	}
	if err := r.ws.remove(); err != nil { // the result is whole without it
		r.log.Warn("the workspace stays", "error", err)
	}
	return result, nil
}

// move takes the outputs of a stage into the result folder: whole folders at
// once where the result folder has none of that name or only the former version
// of the same output, else file by file.
func (r *runner) move(s *Stage, rec *stageRecord) error {
	staging := r.ws.staging(s.Name)
	for _, o := range rec.Outputs {
		dir := filepath.FromSlash(path.Dir(o.Path))
		if o.Files < 2 || dir == "." {
			continue
		}
		if err := r.replaceFolder(filepath.Join(staging, dir), filepath.Join(r.req.OutDir, dir), path.Base(o.Path)); err != nil {
			return err
		}
	}
	for _, f := range rec.Staged {
		local := filepath.FromSlash(f.Path)
		from, to := filepath.Join(staging, local), filepath.Join(r.req.OutDir, local)
		if err := os.MkdirAll(filepath.Dir(to), 0o777); err != nil {
			return err
		}
		// What is not there any more was moved by its folder, or by a run that
		// was killed here; that it arrived was verified.
		if err := os.Rename(from, to); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// replaceFolder moves the folder from to to. Where to holds a file named entry
// it is the former version of the output and is set aside, to go with the
// workspace; a folder of somebody else's is left for move to go file by file.
func (r *runner) replaceFolder(from, to, entry string) error {
	if _, err := os.Stat(from); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o777); err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(to, entry)); err == nil {
		trash := r.ws.scratch("former")
		if err := os.MkdirAll(trash, 0o777); err != nil {
			return err
		}
		aside, err := os.MkdirTemp(trash, "")
		if err != nil {
			return err
		}
		if err := os.Rename(to, filepath.Join(aside, "output")); err != nil {
			return err
		}
	} else if _, err := os.Lstat(to); err == nil {
		return nil
	}
	return os.Rename(from, to)
}

// result is what is known so far.
func (r *runner) result() job.Result {
	result := job.Result{
		JobID: r.manifest.JobID, SourceFormat: r.req.Format,
		Outputs: []job.Output{}, Stages: []job.StageResult{}, Warnings: append([]string{}, r.warnings...),
	}
	for _, t := range r.tasks {
		rec := r.manifest.Stages[t.stage.Name]
		if !t.enabled || rec == nil || t.state != finished {
			continue
		}
		result.Stages = append(result.Stages, rec.result(t.stage.Name, r.resumed[t.stage.Name]))
		result.Outputs = append(result.Outputs, rec.Outputs...)
		for _, w := range rec.Warnings {
			if !slices.Contains(result.Warnings, w) {
				result.Warnings = append(result.Warnings, w)
			}
		}
		for _, key := range slices.Sorted(maps.Keys(rec.Analysis)) {
			if result.Analysis == nil {
				result.Analysis = map[string]any{}
			}
			below(result.Analysis, t.stage.part)[key] = rec.Analysis[key]
		}
	}
	return result
}

// below is where the analysis of a part goes, in that of the whole.
func below(analysis map[string]any, p *Part) map[string]any {
	if p == nil {
		return analysis
	}
	own, ok := analysis[p.Name].(map[string]any)
	if !ok {
		own = map[string]any{}
		analysis[p.Name] = own
	}
	return own
}
