package looks

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"
)

// closeTaken is how a socket ends whose desk another tab has taken (docs/softphone.md).
const closeTaken = 4409

type frame map[string]any

// line is the service's side of the signalling, as far as looking at pages needs it.
func (s *stage) line(w http.ResponseWriter, r *http.Request) {
	if s.Away {
		hangUp(w)
		return
	}
	socket, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{"hotline.1"}})
	if err != nil {
		return // it has been answered
	}
	defer func() { _ = socket.CloseNow() }()
	l := &line{ctx: r.Context(), socket: socket}
	for l.err == nil {
		var heard struct {
			Type string          `json:"type"`
			Seq  int             `json:"seq"`
			ID   string          `json:"id"`
			SDP  json.RawMessage `json:"sdp"`
		}
		if l.err = wsjson.Read(l.ctx, socket, &heard); l.err != nil {
			return
		}
		switch heard.Type {
		case "ack":
			continue
		case "hello":
			l.write(frame{"type": "welcome", "session": "S", "resumed": false, "last": 0, "ice": []any{}})
			if desk, mine := s.api.Desk(s.As); mine {
				l.say(frame{"type": "desk", "desk": desk})
			}
			if s.Taken {
				l.say(frame{"type": "taken-over"})
				_ = socket.Close(closeTaken, "taken-over")
			}
			continue
		case "offer":
			l.say(frame{"type": "answer", "sdp": heard.SDP})
		case "bye":
			if s.bye != nil {
				s.bye()
			}
		case "do":
			l.say(frame{"type": "done", "id": heard.ID})
		}
		l.write(frame{"type": "ack", "seq": heard.Seq})
	}
}

// line is one socket.
type line struct {
	ctx    context.Context
	socket *websocket.Conn
	seq    int
	err    error
}

// say numbers a frame.
func (l *line) say(f frame) {
	l.seq++
	f["seq"] = l.seq
	l.write(f)
}

func (l *line) write(f frame) {
	if l.err == nil {
		l.err = wsjson.Write(l.ctx, l.socket, f)
	}
}
