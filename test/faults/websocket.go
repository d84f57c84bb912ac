package faults

import (
	"bufio"
	"encoding/binary"
	"io"
	"net/http"
)

// subscribe passes a websocket on, frame by frame towards the service.
func (w *wire) subscribe(asked, answered *bufio.Reader, request *http.Request) {
	w.proxy.mu.Lock()
	w.events = true
	w.proxy.mu.Unlock()
	at := place{what: request.Method + " /events"}
	before := w.proxy.book.stamped(at, Before, nil)
	before.Request = request
	if v := w.proxy.show(before); v.kind == answer {
		w.say(v.status, v.message)
		return
	} else if v.kind != pass {
		return
	}
	if request.Write(w.asterisk) != nil {
		return
	}
	response, err := http.ReadResponse(answered, request)
	if err != nil {
		return
	}
	after := w.proxy.book.stamped(at, After, before)
	after.Request, after.Status = request, response.StatusCode
	if w.proxy.show(after).kind != pass || response.Write(w.client) != nil || response.StatusCode != http.StatusSwitchingProtocols {
		return
	}
	w.proxy.serving.Go(func() {
		defer w.close()
		w.upstream(asked)
	})
	w.downstream(answered)
}

// upstream passes on what the service sends: pings, and its goodbye.
func (w *wire) upstream(from *bufio.Reader) {
	chunk := make([]byte, 4096)
	for {
		n, err := from.Read(chunk)
		if err != nil {
			return
		}
		w.proxy.clear()
		if _, err := w.asterisk.Write(chunk[:n]); err != nil {
			return
		}
	}
}

// downstream passes on what Asterisk sends, and shows each event before.
func (w *wire) downstream(from *bufio.Reader) {
	for {
		f, err := readFrame(from)
		if err != nil {
			return
		}
		w.proxy.clear()
		if f.event() && !w.deliver(f.payload) {
			continue
		}
		if _, err := w.client.Write(append(f.header, f.payload...)); err != nil {
			return
		}
	}
}

// deliver tells whether an event goes on.
func (w *wire) deliver(data []byte) bool {
	at, known := w.proxy.book.event(data)
	if !known {
		return true
	}
	x := w.proxy.book.stamped(at, Before, nil)
	x.Body = data
	return w.proxy.show(x).kind == pass
}

// frame is one of a websocket's (RFC 6455 §5.2), as a server sends them: without a mask.
type frame struct{ header, payload []byte }

// event tells whether it is a whole text message: Asterisk sends each event in one frame.
func (f frame) event() bool { return f.header[0] == 0x81 }

const maxEvent = 1 << 24

func readFrame(from *bufio.Reader) (frame, error) {
	header := make([]byte, 2, 10)
	if _, err := io.ReadFull(from, header); err != nil {
		return frame{}, err
	}
	length := uint64(header[1] & 0x7f)
	extended := map[uint64]int{126: 2, 127: 8}[length]
	header = header[:2+extended]
	if _, err := io.ReadFull(from, header[2:]); err != nil {
		return frame{}, err
	}
	switch extended {
	case 2:
		length = uint64(binary.BigEndian.Uint16(header[2:]))
	case 8:
		length = binary.BigEndian.Uint64(header[2:])
	}
	if length > maxEvent {
		return frame{}, io.ErrUnexpectedEOF
	}
	payload := make([]byte, length)
	_, err := io.ReadFull(from, payload)
	return frame{header, payload}, err
}
