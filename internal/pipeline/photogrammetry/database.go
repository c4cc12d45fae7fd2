package photogrammetry

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math"
	"net/url"
	"os"
	"slices"

	_ "modernc.org/sqlite" // the driver of COLMAP's databases
)

// database is a database of COLMAP's.
type database struct{ db *sql.DB }

func openDatabase(path string) (*database, error) {
	if _, err := os.Stat(path); err != nil {
		return nil, err
	}
	db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: path}).EscapedPath())
	if err != nil {
		return nil, fmt.Errorf("open COLMAP's database: %w", err)
	}
	db.SetMaxOpenConns(1)
	return &database{db}, nil
}

// checkpointDatabase puts what COLMAP left in the write-ahead log into the database,
// so that it is one file.
func checkpointDatabase(ctx context.Context, path string) error {
	d, err := openDatabase(path)
	if err != nil {
		return err
	}
	_, err = d.db.ExecContext(ctx, "PRAGMA journal_mode=DELETE")
	if err != nil {
		err = fmt.Errorf("close COLMAP's database: %w", err)
	}
	return errors.Join(err, d.Close())
}

func (d *database) Close() error { return d.db.Close() }

// images maps names of photos to COLMAP's numbers.
func (d *database) images(ctx context.Context) (map[string]int64, error) {
	rows, err := d.db.QueryContext(ctx, "SELECT image_id, name FROM images")
	if err != nil {
		return nil, fmt.Errorf("read photos from COLMAP's database: %w", err)
	}
	defer rows.Close()
	m := map[string]int64{}
	for rows.Next() {
		var id int64
		var name string
		if err := rows.Scan(&id, &name); err != nil {
			return nil, fmt.Errorf("read photos from COLMAP's database: %w", err)
		}
		m[name] = id
	}
	return m, rows.Err()
}

// featureCounts maps COLMAP's numbers of photos to how many features they have.
func (d *database) featureCounts(ctx context.Context) (map[int64]int, error) {
	rows, err := d.db.QueryContext(ctx, "SELECT image_id, rows FROM keypoints")
	if err != nil {
		return nil, fmt.Errorf("read features from COLMAP's database: %w", err)
	}
	defer rows.Close()
	m := map[int64]int{}
	for rows.Next() {
		var id int64
		var n int
		if err := rows.Scan(&id, &n); err != nil {
			return nil, fmt.Errorf("read features from COLMAP's database: %w", err)
		}
		m[id] = n
	}
	return m, rows.Err()
}

// pairBase is COLMAP's kMaxNumImages: a pair of photos i < j has the number
// pairBase·i + j.
const pairBase = 1<<31 - 1

// verified maps pairs of COLMAP's numbers of photos, the lower first, to how many
// matches agree with one geometry.
func (d *database) verified(ctx context.Context) (map[[2]int64]int, error) {
	rows, err := d.db.QueryContext(ctx, "SELECT pair_id, rows FROM two_view_geometries WHERE rows > 0")
	if err != nil {
		return nil, fmt.Errorf("read matches from COLMAP's database: %w", err)
	}
	defer rows.Close()
	m := map[[2]int64]int{}
	for rows.Next() {
		var pair int64
		var n int
		if err := rows.Scan(&pair, &n); err != nil {
			return nil, fmt.Errorf("read matches from COLMAP's database: %w", err)
		}
		b := pair % pairBase
		m[[2]int64{(pair - b) / pairBase, b}] = n
	}
	return m, rows.Err()
}

// Sizes of rows of features, in numbers.
const (
	descriptorSize = 128
	maxFeatures    = 1 << 20
)

// features are those of one photo.
type features struct {
	rows, cols          int    // of points
	points, descriptors []byte // 32-bit numbers; 128 bytes a feature
}

// features returns the features of a photo, nil where it has none.
func (d *database) features(ctx context.Context, image int64) (*features, error) {
	var f features
	var rows, cols int
	err := d.db.QueryRowContext(ctx, `SELECT k.rows, k.cols, k.data, d.rows, d.cols, d.data
		FROM keypoints k JOIN descriptors d ON d.image_id = k.image_id WHERE k.image_id = ?`, image).
		Scan(&f.rows, &f.cols, &f.points, &rows, &cols, &f.descriptors)
	if errors.Is(err, sql.ErrNoRows) || err == nil && f.rows == 0 {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read features from COLMAP's database: %w", err)
	}
	if f.rows != rows || rows < 0 || rows > maxFeatures || f.cols < 2 || f.cols > 6 || cols != descriptorSize ||
		len(f.points) != 4*rows*f.cols || len(f.descriptors) != rows*descriptorSize {
		return nil, fmt.Errorf("COLMAP's database holds features in a form that is not known: %d × %d and %d × %d", f.rows, f.cols, rows, cols)
	}
	return &f, nil
}

// descriptors returns those of a photo's largest features, at most so many, 128 bytes
// each.
func (d *database) descriptors(ctx context.Context, image int64, most int) ([]uint8, error) {
	f, err := d.features(ctx, image)
	if err != nil || f == nil {
		return nil, err
	}
	return largest(f.points, f.descriptors, f.rows, f.cols, most), nil
}

// largest returns the descriptors of the most features with the largest scale.
func largest(points, desc []byte, rows, cols, most int) []uint8 {
	order := byScale(points, rows, cols)
	out := make([]uint8, 0, min(most, rows)*descriptorSize)
	for _, i := range order[:min(most, rows)] {
		out = append(out, desc[i*descriptorSize:(i+1)*descriptorSize]...)
	}
	return out
}

// byScale orders features, the largest first. COLMAP keeps position, then scale and
// angle, or the four numbers of an affine shape.
func byScale(points []byte, rows, cols int) []int {
	number := func(i, k int) float64 {
		return float64(math.Float32frombits(binary.LittleEndian.Uint32(points[4*(i*cols+k):])))
	}
	scale, order := make([]float64, rows), make([]int, rows)
	for i := range order {
		order[i] = i
		switch {
		case cols >= 6:
			scale[i] = math.Hypot(number(i, 2), number(i, 4))
		case cols >= 3:
			scale[i] = number(i, 2)
		}
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(scale[b], scale[a]) })
	return order
}

// trim drops the smallest features of each photo that has more than most: on a
// processor COLMAP keeps whole levels of scale, up to three times what it was asked
// for, and matching takes time with the square.
func (d *database) trim(ctx context.Context, most int) error {
	counts, err := d.featureCounts(ctx)
	if err != nil {
		return err
	}
	for _, id := range slices.Sorted(maps.Keys(counts)) {
		if counts[id] <= most {
			continue
		}
		if err := d.trimImage(ctx, id, most); err != nil {
			return fmt.Errorf("trim features in COLMAP's database: %w", err)
		}
	}
	return nil
}

func (d *database) trimImage(ctx context.Context, id int64, most int) error {
	f, err := d.features(ctx, id)
	if err != nil || f == nil {
		return err
	}
	keep := byScale(f.points, f.rows, f.cols)[:most]
	slices.Sort(keep) // in the order they were in
	row := 4 * f.cols
	points, desc := make([]byte, 0, most*row), make([]byte, 0, most*descriptorSize)
	for _, i := range keep {
		points = append(points, f.points[i*row:(i+1)*row]...)
		desc = append(desc, f.descriptors[i*descriptorSize:(i+1)*descriptorSize]...)
	}
	tx, err := d.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	_, err1 := tx.ExecContext(ctx, "UPDATE keypoints SET rows = ?, data = ? WHERE image_id = ?", most, points, id)
	_, err2 := tx.ExecContext(ctx, "UPDATE descriptors SET rows = ?, data = ? WHERE image_id = ?", most, desc, id)
	if err := errors.Join(err1, err2); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit()
}
