package softphone

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
)

// MaxFrame is how many bytes a frame of the signalling socket may have.
const MaxFrame = 64 << 10

// The types of frames; docs/softphone.md says what each is for.
const (
	typeHello     = "hello"
	typeWelcome   = "welcome"
	typeAck       = "ack"
	typeOffer     = "offer"
	typeAnswer    = "answer"
	typeCandidate = "candidate"
	typeDo        = "do"
	typeDone      = "done"
	typeRefused   = "refused"
	typeMic       = "mic"
	typeDesk      = "desk"
	typeICE       = "ice"
	typeTakenOver = "taken-over"
	typeGone      = "gone"
	typeBye       = "bye"
)

// The codes of refusals that are ours.
const (
	codeBadOffer          = "bad-offer"
	codeNoCodec           = "no-codec"
	codeTooManyOffers     = "too-many-offers"
	codeNoAnswer          = "no-answer"
	codeBadCandidate      = "bad-candidate"
	codeNoOffer           = "no-offer"
	codeTooManyCandidates = "too-many-candidates"
	codeBadMic            = "bad-mic"
	codeBadOrder          = "bad-order"
	codeBusy              = "busy"
	codeFailed            = "failed"
	codeUnknownType       = "unknown-type"
)

// inbound is a frame from the browser, with the fields of all types.
type inbound struct {
	Type string `json:"type"`
	Seq  uint64 `json:"seq"`

	Token   string `json:"token"`
	Session string `json:"session"`
	Last    uint64 `json:"last"`

	SDP       string          `json:"sdp"`
	Candidate json.RawMessage `json:"candidate"`
	ID        string          `json:"id"`
	Order     json.RawMessage `json:"order"`
	State     string          `json:"state"`
}

// numbered says whether frames of the type have a sequence number.
func numbered(frameType string) bool { return frameType != typeHello && frameType != typeAck }

var errBadFrame = errors.New("a frame that is none")

// parseFrame reads a frame. What is wrong with its contents is for whoever
// handles its type; an error means that the two sides do not understand one
// another.
func parseFrame(data []byte) (inbound, error) {
	var f inbound
	if trimmed := bytes.TrimLeft(data, " \t\r\n"); len(trimmed) == 0 || trimmed[0] != '{' {
		return inbound{}, fmt.Errorf("%w: not a JSON object", errBadFrame)
	}
	if err := json.Unmarshal(data, &f); err != nil {
		return inbound{}, fmt.Errorf("%w: %w", errBadFrame, err)
	}
	if f.Type == "" {
		return inbound{}, fmt.Errorf("%w: no type", errBadFrame)
	}
	if numbered(f.Type) != (f.Seq > 0) && f.Type != typeAck {
		return inbound{}, fmt.Errorf("%w: its seq", errBadFrame)
	}
	return f, nil
}

// outbound is a frame to the browser, with the fields of all types.
type outbound struct {
	Type string `json:"type"`
	Seq  uint64 `json:"seq,omitempty"`

	Session string      `json:"session,omitempty"`
	Resumed *bool       `json:"resumed,omitempty"`
	Last    *uint64     `json:"last,omitempty"`
	ICE     []ICEServer `json:"ice,omitzero"`

	SDP    string          `json:"sdp,omitempty"`
	Desk   json.RawMessage `json:"desk,omitempty"`
	ID     string          `json:"id,omitempty"`
	About  string          `json:"about,omitempty"`
	Code   string          `json:"code,omitempty"`
	Values map[string]any  `json:"values,omitempty"`
}

// bytes of a frame. A refusal with values that are no JSON loses them.
func (f outbound) bytes() []byte {
	data, err := json.Marshal(f)
	if err != nil {
		f.Values, f.Desk = nil, nil
		data, _ = json.Marshal(f)
	}
	return data
}
