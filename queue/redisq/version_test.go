package redisq

import (
	"errors"
	"testing"

	"hotline/queue"
)

// Services whose machines decide otherwise do not act on one log: whoever comes
// serves its own, until nobody of the other version is there, and then begins the
// log anew.
func TestOtherVersion(t *testing.T) {
	s := startRedis(t)
	north := open(t, s, "north", "1001")
	north.together()
	north.die()
	k := keys(DefaultSpace)
	token := s.Do("HGET", k[0], "token").(string)
	other, err := pack([]byte(`{"version":1}`))
	if err != nil {
		t.Fatal(err)
	}
	s.Do("HSET", k[0], "version", "1")
	s.Do("HSET", k[3], "data", other)
	s.Do("HSET", k[2], "old", "77 9999999999999999")

	again := open(t, s, "north", "1001")
	again.soon("it knows of the other version", func() bool { _, why := again.Alone(); return errors.Is(why, errOther) })
	again.signIn("1001")
	again.must(again.offered(again.join("a"), "1001").Connected())
	if version := s.Do("HGET", k[0], "version"); version != "1" {
		t.Fatalf("the log has version %v now, though a service of the other one is there", version)
	}

	s.Do("HDEL", k[2], "old")
	again.together()
	again.inState("1001", queue.StateTalking)
	south := open(t, s, "south", "2001")
	south.inState("1001", queue.StateTalking)
	if now := s.Do("HGET", k[0], "token").(string); now <= token {
		t.Errorf("the last token is %s, was %s before the log was begun anew: an old one could be given out again", now, token)
	}
}
