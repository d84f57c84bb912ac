//go:build race

package e2e

// raced: the service is built with the race detector, as the tests are.
const raced = true
