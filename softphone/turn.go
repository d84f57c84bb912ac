package softphone

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"time"
)

// TURN is a relay for browsers that reach the gateway in no other way. It must
// know the same secret (coturn: use-auth-secret, static-auth-secret).
type TURN struct {
	URLs   []string // turn:host:port?transport=udp, turns:…
	Secret string
	For    time.Duration // how long credentials are good; zero: 12 hours
}

// ICEServer is what a browser's RTCPeerConnection is told.
type ICEServer struct {
	URLs       []string `json:"urls"`
	Username   string   `json:"username,omitempty"`
	Credential string   `json:"credential,omitempty"`
}

func (t TURN) lifetime() time.Duration {
	if t.For == 0 {
		return 12 * time.Hour
	}
	return t.For
}

// servers returns the relay with credentials for one who has the name, as in the draft
// "A REST API for access to TURN services" §2.2: the name is the moment they
// end, the password its keyed digest, so that the relay asks nobody.
func (t TURN) servers(name string, now time.Time) []ICEServer {
	if len(t.URLs) == 0 {
		return []ICEServer{}
	}
	name = fmt.Sprintf("%d:%s", now.Add(t.lifetime()).Unix(), name)
	digest := hmac.New(sha1.New, []byte(t.Secret))
	digest.Write([]byte(name))
	return []ICEServer{{URLs: t.URLs, Username: name, Credential: base64.StdEncoding.EncodeToString(digest.Sum(nil))}}
}
