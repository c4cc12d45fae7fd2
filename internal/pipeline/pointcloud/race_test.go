//go:build race

package pointcloud

const raceEnabled = true
