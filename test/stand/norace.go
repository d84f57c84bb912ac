//go:build !race

package stand

var raceFlag []string
