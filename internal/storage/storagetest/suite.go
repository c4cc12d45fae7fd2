// Package storagetest is the suite that every backend of package storage passes.
package storagetest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"slate360.ai/worker/internal/storage"
)

// Run runs the suite. open returns a store that is empty below the prefix that it
// also returns; skips tells whether Publish leaves out what is there already (a
// folder links files, which costs less than comparing them).
func Run(t *testing.T, skips bool, open func(t testing.TB) (storage.Store, string)) {
	testPublish := func(t *testing.T, s storage.Store, prefix string) { testPublish(t, s, prefix, skips) }
	testCanceled := func(t *testing.T, s storage.Store, prefix string) { testCanceled(t, s, prefix, skips) }
	for name, test := range map[string]func(t *testing.T, s storage.Store, prefix string){
		"PutAndGet": testPutAndGet, "Ranges": testRanges, "Large": testLarge, "Absent": testAbsent, "List": testList, "Keys": testKeys, "Damaged": testDamaged,
		"Publish": testPublish, "Observer": testObserver, "Canceled": testCanceled, "Checkpoint": testCheckpoint,
	} {
		t.Run(name, func(t *testing.T) {
			s, prefix := open(t)
			test(t, s, prefix)
		})
	}
}

func content(n int) []byte {
	b := make([]byte, n)
	r := rand.New(rand.NewPCG(3, 4))
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

func write(t testing.TB, dir, name string, data []byte) {
	t.Helper()
	p := filepath.Join(dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(p, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

func read(t testing.TB, s storage.Store, key string) []byte {
	t.Helper()
	r, _, err := s.Open(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	data, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func keys(t testing.TB, s storage.Store, prefix string) []string {
	t.Helper()
	var list []string
	if err := s.List(t.Context(), prefix, func(i storage.Info) error { list = append(list, i.Key); return nil }); err != nil {
		t.Fatal(err)
	}
	return list
}

func testPutAndGet(t *testing.T, s storage.Store, prefix string) {
	if err := s.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		for _, data := range [][]byte{nil, []byte("first"), content(100_000)} {
			key := prefix + "a/ä b+c.bin"
			if err := s.Put(t.Context(), key, bytes.NewReader(data), int64(len(data)), storage.Attributes{ContentType: "application/octet-stream"}); err != nil {
				t.Fatal(err)
			}
			if got := read(t, s, key); !bytes.Equal(got, data) {
				t.Errorf("%d bytes came back of %d", len(got), len(data))
			}
			if i, err := s.Stat(t.Context(), key); err != nil || i.Size != int64(len(data)) || i.Key != key || i.Modified.IsZero() {
				t.Errorf("%+v, %v", i, err)
			}
		}
	}
	if u, err := s.URL(t.Context(), prefix+"a/ä b+c.bin"); err != nil || strings.ContainsAny(u, " ä") {
		t.Errorf("address %s, %v", u, err)
	}
}

func testRanges(t *testing.T, s storage.Store, prefix string) {
	key, data := prefix+"ranges.bin", content(100_000)
	put := func(data []byte) storage.Info {
		t.Helper()
		if err := s.Put(t.Context(), key, bytes.NewReader(data), int64(len(data)), storage.Attributes{}); err != nil {
			t.Fatal(err)
		}
		info, err := s.Stat(t.Context(), key)
		if err != nil || info.Version == "" {
			t.Fatalf("%+v, %v", info, err)
		}
		return info
	}
	info := put(data)
	for _, r := range [][2]int64{{0, 10}, {0, 100_000}, {99_990, 10}, {50_000, 1}, {99_990, 1 << 40}, {100_000, 5}, {7, 0}} {
		in, err := s.OpenRange(t.Context(), info, r[0], r[1])
		if err != nil {
			t.Fatalf("%v: %v", r, err)
		}
		got, err := io.ReadAll(in)
		if want := data[r[0]:min(r[0]+r[1], 100_000)]; err != nil || !bytes.Equal(got, want) {
			t.Errorf("%v: %d bytes, %v; want %d", r, len(got), err, len(want))
		}
		if err := in.Close(); err != nil {
			t.Error(err)
		}
	}
	put(data[:50_000])
	if in, err := s.OpenRange(t.Context(), info, 0, 10); !errors.Is(err, storage.ErrChanged) {
		if err == nil {
			in.Close()
		}
		t.Errorf("range of an object that was overwritten: %v", err)
	}
	info.Key = prefix + "absent"
	if _, err := s.OpenRange(t.Context(), info, 0, 10); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("range of an absent object: %v", err)
	}
}

func testLarge(t *testing.T, s storage.Store, prefix string) {
	dir, data := t.TempDir(), content(40<<20)
	write(t, dir, "large", data)
	sum := sha256.Sum256(data)
	a := storage.Attributes{ContentType: "model/gltf-binary", SHA256: hex.EncodeToString(sum[:])}
	if err := s.PutFile(t.Context(), prefix+"large.glb", filepath.Join(dir, "large"), a); err != nil {
		t.Fatal(err)
	}
	if _, err := s.GetFile(t.Context(), prefix+"large.glb", filepath.Join(dir, "back")); err != nil {
		t.Fatal(err)
	}
	if back, err := os.ReadFile(filepath.Join(dir, "back")); err != nil || !bytes.Equal(back, data) {
		t.Errorf("it came back differently (%v)", err)
	}
}

func testAbsent(t *testing.T, s storage.Store, prefix string) {
	key := prefix + "absent"
	if _, _, err := s.Open(t.Context(), key); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("Open: %v", err)
	}
	if _, err := s.Stat(t.Context(), key); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("Stat: %v", err)
	}
	to := filepath.Join(t.TempDir(), "x")
	if _, err := s.GetFile(t.Context(), key, to); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("GetFile: %v", err)
	}
	if _, err := os.Stat(to); err == nil {
		t.Error("GetFile left a file")
	}
	if err := s.Delete(t.Context(), key, key); err != nil {
		t.Errorf("Delete: %v", err)
	}
}

func testList(t *testing.T, s storage.Store, prefix string) {
	want := []string{}
	for _, name := range []string{"a/1", "a/2/3", "ab", "b/1"} {
		if err := s.Put(t.Context(), prefix+name, strings.NewReader("x"), 1, storage.Attributes{}); err != nil {
			t.Fatal(err)
		}
		want = append(want, prefix+name)
	}
	if got := keys(t, s, prefix); !slices.Equal(got, want) {
		t.Errorf("all: %v", got)
	}
	if got := keys(t, s, prefix+"a/"); !slices.Equal(got, want[:2]) {
		t.Errorf("below a/: %v", got)
	}
	if err := s.Delete(t.Context(), want[:3]...); err != nil {
		t.Fatal(err)
	}
	if got := keys(t, s, prefix); !slices.Equal(got, want[3:]) {
		t.Errorf("after Delete: %v", got)
	}
	stop := errors.New("enough")
	if err := s.List(t.Context(), prefix, func(storage.Info) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("the callback's error came as %v", err)
	}
}

func testKeys(t *testing.T, s storage.Store, prefix string) {
	for _, key := range []string{"", "/a", prefix + "../../x", prefix + "a//b", prefix + "a/./b", prefix + "a\x00b", `..\x`} {
		if err := s.Put(t.Context(), key, strings.NewReader("x"), 1, storage.Attributes{}); err == nil {
			t.Errorf("key %q was taken", key)
		}
	}
}

func testDamaged(t *testing.T, s storage.Store, prefix string) {
	wrong := storage.Attributes{SHA256: strings.Repeat("ab", 32)}
	if err := s.Put(t.Context(), prefix+"x", strings.NewReader("x"), 1, wrong); err == nil {
		t.Error("content that its digest does not fit was taken")
	}
	if got := keys(t, s, prefix); len(got) > 0 {
		t.Errorf("it left %v", got)
	}
}

// folder makes a result folder of n tiles.
func folder(t testing.TB, n int, text string) string {
	dir := t.TempDir()
	for i := range n {
		write(t, dir, fmt.Sprintf("3dtiles/%d.glb", i), []byte(fmt.Sprintf("%s tile %d", text, i)))
	}
	write(t, dir, "3dtiles/tileset.json", []byte(`{"text":"`+text+`"}`))
	write(t, dir, "result.json", []byte(`{"text":"`+text+`"}`))
	return dir
}

func testPublish(t *testing.T, s storage.Store, prefix string, skips bool) {
	const n = 50
	var done, total int64
	r, err := storage.Publish(t.Context(), s, folder(t, n, "one"), prefix+"job", storage.PublishOptions{Progress: func(d, all int64) { done, total = d, all }})
	if err != nil || r.Uploaded != n+2 || r.Skipped != 0 || done != total || total == 0 {
		t.Fatalf("%+v, %v, progress %d of %d", r, err, done, total)
	}
	if r, err = storage.Publish(t.Context(), s, folder(t, n, "one"), prefix+"job", storage.PublishOptions{}); err != nil || skips && r.Uploaded != 0 {
		t.Errorf("the same again: %+v, %v", r, err)
	}
	// Another result under the same prefix: nothing of the old one stays.
	if r, err = storage.Publish(t.Context(), s, folder(t, n-10, "two"), prefix+"job", storage.PublishOptions{}); err != nil || r.Deleted != 10 {
		t.Errorf("another: %+v, %v", r, err)
	}
	if got := string(read(t, s, prefix+"job/3dtiles/7.glb")); got != "two tile 7" {
		t.Errorf("got %q", got)
	}
	if _, err := s.Stat(t.Context(), prefix+"job/3dtiles/49.glb"); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("an old tile: %v", err)
	}
	if err := storage.Discard(t.Context(), s, prefix+"job"); err != nil {
		t.Fatal(err)
	}
	if left := keys(t, s, prefix+"job"); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

// A reader that finds result.json finds all of that result, at any time.
func testObserver(t *testing.T, s storage.Store, prefix string) {
	const n = 40
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	var looks, whole int
	wg.Go(func() {
		for ctx.Err() == nil {
			looks++
			r, _, err := s.Open(ctx, prefix+"job/result.json")
			if err != nil {
				continue
			}
			result, err := io.ReadAll(r)
			r.Close()
			if err != nil {
				continue
			}
			text := strings.TrimSuffix(strings.TrimPrefix(string(result), `{"text":"`), `"}`)
			for _, i := range []int{0, n / 2, n - 1} {
				r, _, err := s.Open(ctx, fmt.Sprintf("%sjob/3dtiles/%d.glb", prefix, i))
				if err != nil {
					// It may have gone meanwhile, but only after result.json.
					if again, _, againErr := s.Open(ctx, prefix+"job/result.json"); againErr == nil {
						now, _ := io.ReadAll(again)
						again.Close()
						if bytes.Equal(now, result) && ctx.Err() == nil {
							t.Errorf("tile %d of %s: %v", i, text, err)
						}
					}
					continue
				}
				tile, _ := io.ReadAll(r)
				r.Close()
				if !strings.HasPrefix(string(tile), text) {
					if again, _, againErr := s.Open(ctx, prefix+"job/result.json"); againErr == nil {
						now, _ := io.ReadAll(again)
						again.Close()
						if bytes.Equal(now, result) {
							t.Errorf("result %s has tile %q", text, tile)
						}
					}
					continue
				}
				whole++
			}
		}
	})
	for i := range 6 {
		if _, err := storage.Publish(t.Context(), s, folder(t, n, fmt.Sprintf("v%d", i)), prefix+"job", storage.PublishOptions{Workers: 4}); err != nil {
			t.Error(err)
		}
	}
	cancel()
	wg.Wait()
	if looks == 0 {
		t.Error("nobody looked")
	}
	t.Logf("%d looks, %d whole tiles", looks, whole)
}

// What ended in the middle has no entry point, and is gone on with.
func testCanceled(t *testing.T, s storage.Store, prefix string, skips bool) {
	ctx, cancel := context.WithCancel(t.Context())
	dir := folder(t, 60, "one")
	_, err := storage.Publish(ctx, s, dir, prefix+"job", storage.PublishOptions{Workers: 2, Progress: func(done, total int64) {
		if done > total/2 {
			cancel()
		}
	}})
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
	for _, name := range []string{"result.json", "3dtiles/tileset.json"} {
		if _, err := s.Stat(t.Context(), prefix+"job/"+name); !errors.Is(err, storage.ErrNotFound) {
			t.Errorf("%s: %v", name, err)
		}
	}
	r, err := storage.Publish(t.Context(), s, dir, prefix+"job", storage.PublishOptions{})
	if err != nil || skips && r.Skipped == 0 || r.Uploaded+r.Skipped != 62 {
		t.Errorf("%+v, %v", r, err)
	}
}

func testCheckpoint(t *testing.T, s storage.Store, prefix string) {
	dir, back := t.TempDir(), filepath.Join(t.TempDir(), "w")
	if found, err := storage.LoadCheckpoint(t.Context(), s, prefix+"c", back); found || err != nil {
		t.Fatalf("%v, %v", found, err)
	}
	data := content(100_000)
	write(t, dir, "products/index.bin", data)
	write(t, dir, "outputs/laz/filtered.laz", []byte("laz"))
	write(t, dir, "tmp/octree/scratch", []byte("x"))
	write(t, dir, "lock", []byte("1"))
	manifest := func(seconds string) {
		write(t, dir, "manifest.json", []byte(`{"stages":{"index":{"products":{"index.bin":{"files":[{"path":"."}]}}},"laz":{"staged":[{"path":"filtered.laz"}],"seconds":`+seconds+`}}}`))
	}
	manifest("0.001")
	if err := storage.SaveCheckpoint(t.Context(), s, prefix+"c", dir, 0); !errors.Is(err, storage.ErrCheapCheckpoint) {
		t.Errorf("of a millisecond of work: %v", err)
	}
	manifest("60")
	if err := storage.SaveCheckpoint(t.Context(), s, prefix+"c", dir, 100_000); !errors.Is(err, storage.ErrLargeCheckpoint) {
		t.Errorf("of more than the limit: %v", err)
	}
	if left := keys(t, s, prefix+"c"); len(left) > 0 {
		t.Errorf("of what was not saved there are %v", left)
	}
	for range 2 {
		if err := storage.SaveCheckpoint(t.Context(), s, prefix+"c", dir, 0); err != nil {
			t.Fatal(err)
		}
	}
	found, err := storage.LoadCheckpoint(t.Context(), s, prefix+"c", back)
	if err != nil || !found {
		t.Fatalf("%v, %v", found, err)
	}
	if got, err := os.ReadFile(filepath.Join(back, "products", "index.bin")); err != nil || !bytes.Equal(got, data) {
		t.Errorf("a product came back differently (%v)", err)
	}
	for _, name := range []string{"tmp/octree/scratch", "lock"} {
		if _, err := os.Stat(filepath.Join(back, filepath.FromSlash(name))); err == nil {
			t.Errorf("%s was kept", name)
		}
	}
	if err := storage.DropCheckpoint(t.Context(), s, prefix+"c"); err != nil {
		t.Fatal(err)
	}
	if left := keys(t, s, prefix+"c"); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}
