package redisq

import (
	"fmt"
	"testing"
	"time"

	"go.uber.org/goleak"

	"hotline/test/redistest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// server is a Redis of the test's own.
type server struct {
	*redistest.Test
	t testing.TB
}

func startRedis(t testing.TB, options ...string) *server {
	t.Helper()
	return &server{redistest.Start(t, options...), t}
}

// set has the log's clock be so much later or earlier, as after a fail-over.
func (s *server) set(d time.Duration) {
	s.Do("HINCRBY", keys(DefaultSpace)[0], "shift", fmt.Sprint(d.Microseconds()))
}

// pass has time pass for queues, and none for the services: their leases stand.
func (s *server) pass(d time.Duration) {
	k := keys(DefaultSpace)
	s.Do("EVAL", `
redis.call('HINCRBY', KEYS[1], 'shift', ARGV[1])
redis.call('HINCRBY', KEYS[1], 'until', ARGV[1])
local all = redis.call('HGETALL', KEYS[2])
for i = 1, #all, 2 do
  local token, till = string.match(all[i + 1], '^(%d+) (%d+)$')
  redis.call('HSET', KEYS[2], all[i], token .. ' ' .. string.format('%.0f', till + ARGV[1]))
end
return 1`, 2, k[0], k[2], fmt.Sprint(d.Microseconds()))
}
