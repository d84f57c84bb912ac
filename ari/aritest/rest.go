package aritest

import (
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"
)

// answer is what a request gets: a status and a body.
type answer struct {
	status int
	body   any
	wait   <-chan answer // set when the command waits its turn
}

func ok(body any) answer { return answer{status: http.StatusOK, body: body} }

var noContent = answer{status: http.StatusNoContent}

func fail(status int, message string) answer {
	return answer{status: status, body: map[string]string{"message": message}}
}

// params are a request's parameters, from query and JSON body alike.
type params map[string]json.RawMessage

func (p params) text(name string) string {
	var s string
	if json.Unmarshal(p[name], &s) != nil {
		return strings.Trim(string(p[name]), `"`)
	}
	return s
}

func (p params) list(name string) []string {
	var list []string
	if json.Unmarshal(p[name], &list) == nil {
		return list
	}
	if p[name] == nil {
		return nil
	}
	return []string{p.text(name)}
}

func (p params) number(name string) int {
	var n int
	json.Unmarshal(p[name], &n)
	return n
}

func (p params) object(name string) map[string]string {
	var m map[string]string
	json.Unmarshal(p[name], &m)
	return m
}

// ServeHTTP serves /ari.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path, ours := strings.CutPrefix(r.URL.Path, "/ari")
	if !ours {
		http.NotFound(w, r)
		return
	}
	if user, password, _ := r.BasicAuth(); user != User || password != Password {
		w.Header().Set("WWW-Authenticate", `Basic realm="Asterisk REST Interface"`)
		http.Error(w, `{"error":"Authentication required"}`, http.StatusUnauthorized)
		return
	}
	if path == "/events" {
		s.listen(w, r)
		return
	}
	body, _ := io.ReadAll(r.Body)
	entry := &Request{Method: r.Method, Path: path, Route: routeOf(path), Query: r.URL.RawQuery, Body: string(body)}
	wire := wireOf(r)
	if !wire.pass(entry, false) {
		panic(http.ErrAbortHandler)
	}

	s.mu.Lock()
	if delay := s.delay; delay > 0 {
		s.mu.Unlock()
		if !s.pause(delay) {
			return
		}
		s.mu.Lock()
	} else if wire.isCut() {
		s.mu.Unlock()
		panic(http.ErrAbortHandler)
	}
	s.log = append(s.log, entry)
	a := answer{status: s.failing(r.Method, entry.Route), body: map[string]string{"message": "as the test wants it"}}
	if a.status == 0 {
		a = s.serve(r.Method, path, paramsOf(r, body))
	}
	stall := s.stall
	s.mu.Unlock()
	if !wire.pass(entry, true) {
		panic(http.ErrAbortHandler)
	}

	if a.wait != nil {
		select {
		case a = <-a.wait:
		case <-r.Context().Done():
			return
		case <-s.ctx.Done():
			return
		}
	}
	if stall > 0 {
		select {
		case <-time.After(stall):
		case <-r.Context().Done():
			return
		case <-s.ctx.Done():
			return
		}
	}
	s.mu.Lock()
	entry.Status = a.status
	s.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(a.status)
	if a.body != nil {
		json.NewEncoder(w).Encode(a.body)
	}
}

// pause is false when the server closes before it is over.
func (s *Server) pause(d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-s.ctx.Done():
		return false
	}
}

func paramsOf(r *http.Request, body []byte) params {
	p := make(params)
	json.Unmarshal(body, &p)
	for name, values := range r.URL.Query() {
		quoted, _ := json.Marshal(strings.Split(values[0], ","))
		if len(values) == 1 && !strings.Contains(values[0], ",") {
			quoted, _ = json.Marshal(values[0])
		}
		p[name] = quoted
	}
	return p
}

// serve carries a request out. s.mu is held.
func (s *Server) serve(method, path string, p params) answer {
	parts := strings.Split(strings.TrimPrefix(path, "/"), "/")
	id, verb := "", ""
	if len(parts) > 1 {
		id = parts[1]
	}
	if len(parts) > 2 {
		verb = strings.Join(parts[2:], "/")
	}
	switch parts[0] {
	case "applications":
		return s.serveApplication(method, id, verb, p)
	case "channels":
		return s.serveChannels(method, id, verb, p)
	case "bridges":
		return s.serveBridges(method, id, verb, p)
	case "endpoints":
		if verb == "" {
			return ok(s.endpoints(id))
		}
		return s.serveEndpoint(id + "/" + verb)
	case "playbacks":
		return s.servePlayback(method, id)
	case "recordings":
		return s.serveRecording(method, strings.TrimSuffix(verb, "/stop"), strings.HasSuffix(verb, "/stop"))
	}
	return fail(http.StatusNotFound, "Resource not found")
}

func (s *Server) serveApplication(method, id, verb string, p params) answer {
	switch {
	case id != App:
		return fail(http.StatusNotFound, "Application not found")
	case method == http.MethodPut && verb == "eventFilter":
		var allowed []struct{ Type string }
		json.Unmarshal(p["allowed"], &allowed)
		s.allowed = make(map[string]bool)
		for _, a := range allowed {
			s.allowed[a.Type] = true
		}
	case method == http.MethodDelete && verb == "subscription":
		for _, source := range p.list("eventSource") {
			channel, _ := strings.CutPrefix(source, "channel:")
			delete(s.subscribed, channel)
		}
	case method == http.MethodPost && verb == "subscription":
		for _, source := range p.list("eventSource") {
			channel, _ := strings.CutPrefix(source, "channel:")
			if s.channels[channel] == nil {
				return fail(http.StatusUnprocessableEntity, "Event source does not exist")
			}
			s.subscribed[channel] = true
		}
		return ok(map[string]string{"name": App}) // Asterisk tells the whole application, which nobody reads here
	case method != http.MethodGet:
		return fail(http.StatusMethodNotAllowed, "Invalid method")
	}
	app := applicationJSON{Name: App, ChannelIDs: []string{}, BridgeIDs: []string{}, EventsAllowed: []map[string]string{}}
	for id, c := range s.channels {
		if c.inStasis || s.subscribed[id] {
			app.ChannelIDs = append(app.ChannelIDs, id)
		}
	}
	for kind := range s.allowed {
		app.EventsAllowed = append(app.EventsAllowed, map[string]string{"type": kind})
	}
	return ok(app)
}

func (s *Server) serveChannels(method, id, verb string, p params) answer {
	switch {
	case id == "" && method == http.MethodGet:
		all := []*channelJSON{}
		for _, c := range s.channels {
			all = append(all, c.json())
		}
		return ok(all)
	case id == "create":
		return s.create(p)
	case id == "" && method == http.MethodPost:
		return s.originate(p)
	}
	c := s.channels[id]
	switch {
	case c == nil:
		return fail(http.StatusNotFound, "Channel not found")
	case verb == "" && method == http.MethodGet:
		return ok(c.json())
	case verb == "" && method == http.MethodDelete:
		cause := p.number("reason_code")
		if cause == 0 {
			json.Unmarshal([]byte(p.text("reason_code")), &cause)
		}
		c.end(end{soft: true, request: 32, cause: max(cause, 16), commanded: true})
		return noContent
	case verb == "variable" && method == http.MethodGet:
		value, set := c.vars[strings.Join(p.list("variable"), ",")] // whose name has a comma at times
		if !set {
			return fail(http.StatusNotFound, "Provided variable was not found")
		}
		return ok(map[string]string{"value": value})
	case !c.inStasis:
		return fail(http.StatusConflict, "Channel not in Stasis application")
	}
	if strings.HasPrefix(verb, "snoop/") {
		return c.snooped(strings.TrimPrefix(verb, "snoop/"), p)
	}
	if verb == "mute" && method == http.MethodDelete {
		return c.inTurn(func() { c.muted = false })
	}
	return c.serve(verb, p)
}

func (s *Server) create(p params) answer {
	endpoint, id := p.text("endpoint"), p.text("channelId")
	if s.channels[id] != nil {
		return fail(http.StatusConflict, "Channel with given unique ID already exists")
	}
	phone := s.phones[endpoint]
	var drawn *Phone
	if phone.Does != Unreachable && phone.Draw != nil {
		phone = phone.Draw()
		drawn = &phone
	}
	address, _, external := strings.Cut(endpoint, "/c(")
	if external {
		endpoint = address
	} else if phone.Does == Unreachable {
		return answer{status: http.StatusInternalServerError, body: map[string]string{"error": "Allocation failed"}}
	}
	c := s.newChannel(id, endpoint)
	c.phone = drawn
	s.subscribed[id] = true
	if originator := p.text("originator"); s.channels[originator] != nil {
		s.subscribed[originator] = true
	}
	c.context, c.exten = "in", "s"
	c.set(p.object("variables"))
	// The channel's own thread enters Stasis a moment later: dialing it at once is a conflict.
	s.after(time.Millisecond, func() {
		switch {
		case c.gone:
		case s.client == nil: // Stasis() fails, and a channel without a dialplan ends
			c.end(end{soft: true})
		default:
			c.enter(strings.Split(p.text("appArgs"), ","))
		}
	})
	return ok(c.json())
}

// originate has a channel run the dialplan once it has answered, which an external one does at once.
func (s *Server) originate(p params) answer {
	endpoint, id := p.text("endpoint"), p.text("channelId")
	address, _, external := strings.Cut(endpoint, "/c(")
	switch {
	case s.channels[id] != nil:
		return fail(http.StatusConflict, "Channel with given unique ID already exists")
	case !external:
		return fail(http.StatusNotImplemented, "the fake Asterisk originates external channels alone")
	}
	c := s.newChannel(id, address)
	c.caller.Number = p.text("callerId")
	c.inbound, c.context, c.exten = true, p.text("context"), p.text("extension")
	c.entry = []string{"in", c.exten}
	s.after(time.Millisecond, func() {
		if !c.gone {
			c.answered()
			c.enter(c.entry)
		}
	})
	return ok(c.json())
}

func (c *Channel) set(vars map[string]string) {
	for name, value := range vars {
		c.vars[name] = value
		switch name {
		case "CONNECTEDLINE(name,i)":
			c.shown.Name = value
		case "CONNECTEDLINE(num,i)":
			c.shown.Number = value
		}
	}
}

// serve carries out a verb of a channel in Stasis.
func (c *Channel) serve(verb string, p params) answer {
	switch verb {
	case "ring":
		c.ringing = true
		return noContent
	case "answer":
		return c.inTurn(c.answered)
	case "variable":
		return c.inTurn(func() { c.set(map[string]string{p.text("variable"): p.text("value")}) })
	case "variables":
		return c.inTurn(func() { c.set(p.object("variables")) })
	case "continue":
		c.do(func() bool {
			if !c.gone {
				c.continueTo(p.text("context"), p.text("extension"))
			}
			return false
		})
		return noContent
	case "dial":
		if c.state != "Down" {
			return fail(http.StatusConflict, "Channel is not in the 'Down' state")
		}
		c.dial(time.Duration(p.number("timeout")) * time.Second)
		return noContent
	case "mute":
		return c.inTurn(func() { c.muted = true })
	case "dtmf":
		return c.inTurn(func() { c.keys += p.text("dtmf") })
	case "play":
		return c.play(p)
	case "record":
		return c.record(p)
	}
	return fail(http.StatusNotFound, "Resource not found")
}

// snooped makes a channel that listens in on this one, and ends with it.
func (c *Channel) snooped(id string, p params) answer {
	if c.s.channels[id] != nil {
		return fail(http.StatusConflict, "Channel with given unique ID already exists")
	}
	snoop := c.s.newChannel(id, "Snoop/"+c.id)
	snoop.state, snoop.up, snoop.whispers = "Up", time.Now(), p.text("whisper") == "out"
	c.snoops = append(c.snoops, snoop)
	c.s.after(time.Millisecond, func() {
		if !snoop.gone {
			snoop.enter(strings.Split(p.text("appArgs"), ","))
		}
	})
	return ok(snoop.json())
}

// inTurn runs f when nothing plays on the channel any more; the answer waits,
// and f runs even if the client does not.
func (c *Channel) inTurn(f func()) answer {
	done := make(chan answer, 1)
	c.do(func() bool {
		if c.gone {
			done <- fail(http.StatusNotFound, "Channel not found")
			return false
		}
		f()
		done <- noContent
		return false
	})
	return answer{wait: done}
}

func (c *Channel) play(p params) answer {
	pb, refused := c.s.newPlayback(p)
	if pb == nil {
		return refused
	}
	pb.channel = c
	c.do(pb.begin)
	return answer{status: http.StatusCreated, body: pb.json()}
}

func (s *Server) newPlayback(p params) (*playback, answer) {
	pb := &playback{s: s, id: p.text("playbackId"), media: p.list("media"), state: "queued"}
	if len(pb.media) == 0 {
		return nil, fail(http.StatusBadRequest, "At least one media URI must be provided")
	}
	s.playbacks[pb.id] = append(s.playbacks[pb.id], pb) // an ID in use is not refused: both are played
	return pb, answer{}
}

func (c *Channel) record(p params) answer {
	r := &recording{s: c.s, name: p.text("name"), format: p.text("format"), channel: c, terminateOn: p.text("terminateOn")}
	switch {
	case c.bridge != nil:
		return fail(http.StatusConflict, "Channel is currently in other bridge")
	case c.s.recordings[r.name] != nil:
		return fail(http.StatusConflict, "Recording '"+r.name+"' already exists and can not be overwritten")
	}
	c.s.recordings[r.name] = r
	c.do(func() bool {
		if c.gone {
			return false
		}
		c.recording, r.began = r, time.Now()
		if c.s.recorder != nil {
			c.s.recorder(r.name, r.format)
		}
		c.sound()
		if longest := p.number("maxDurationSeconds"); longest > 0 {
			r.cancel = c.s.after(time.Duration(longest)*time.Second, r.finish)
		}
		return true
	})
	return answer{status: http.StatusCreated, body: r.json("queued")}
}

func (s *Server) serveBridges(method, id, verb string, p params) answer {
	switch {
	case id == "" && method == http.MethodGet:
		all := []any{}
		for _, b := range s.bridges {
			all = append(all, b.json())
		}
		return ok(all)
	case id == "":
		id = p.text("bridgeId")
		if s.bridges[id] != nil {
			return fail(http.StatusInternalServerError, "Unable to create bridge. Possible duplicate bridge id '"+id+"'")
		}
		b := &bridge{s: s, id: id, name: p.text("name"), kind: p.text("type")}
		s.bridges[id] = b
		return ok(b.json())
	}
	b := s.bridges[id]
	switch {
	case b == nil:
		return fail(http.StatusNotFound, "Bridge not found")
	case verb == "" && method == http.MethodDelete:
		b.destroy()
		return noContent
	case verb == "play":
		pb, refused := s.newPlayback(p)
		if pb == nil {
			return refused
		}
		pb.bridge = b
		b.queue = append(b.queue, pb)
		b.next()
		return answer{status: http.StatusCreated, body: pb.json()}
	case verb == "addChannel":
		keyless := string(p["absorbDTMF"]) == "true"
		return b.move(p.list("channel"), func(c *Channel) { c.keyless = keyless; b.add(c) })
	case verb == "removeChannel":
		ids := p.list("channel")
		if slices.ContainsFunc(ids, func(id string) bool { return s.channels[id] != nil && s.channels[id].bridge != b }) {
			return fail(http.StatusUnprocessableEntity, "Channel not in this bridge")
		}
		return b.move(ids, b.remove)
	}
	return ok(b.json())
}

// move adds or removes channels, all or none, each when nothing plays on it.
func (b *bridge) move(ids []string, how func(*Channel)) answer {
	if slices.ContainsFunc(ids, func(id string) bool { return b.s.channels[id] == nil }) {
		return fail(http.StatusBadRequest, "Channel not found")
	}
	done := make(chan answer, 1)
	left := len(ids)
	for _, id := range ids {
		c := b.s.channels[id]
		c.do(func() bool {
			if !c.gone {
				how(c)
			}
			if left--; left == 0 {
				done <- noContent
			}
			return false
		})
	}
	return answer{wait: done}
}

func (b *bridge) json() map[string]any {
	return map[string]any{
		"id": b.id, "name": b.name, "technology": "softmix", "bridge_type": "mixing", "bridge_class": "stasis",
		"creator": "Stasis", "channels": b.ids(),
	}
}

func (s *Server) serveEndpoint(endpoint string) answer {
	if _, known := s.phones[endpoint]; !known {
		return fail(http.StatusNotFound, "Endpoint not found")
	}
	return ok(s.endpoint(endpoint))
}

// endpoints are all phones of a technology, as Asterisk lists them.
func (s *Server) endpoints(tech string) []any {
	list := []any{}
	for endpoint := range s.phones {
		if strings.HasPrefix(endpoint, tech+"/") {
			list = append(list, s.endpoint(endpoint))
		}
	}
	return list
}

func (s *Server) endpoint(endpoint string) any {
	tech, resource, _ := strings.Cut(endpoint, "/")
	state := "online"
	if s.phones[endpoint].Does == Unreachable {
		state = "offline"
	}
	channels := []string{}
	for id, c := range s.channels {
		if c.endpoint == endpoint {
			channels = append(channels, id)
		}
	}
	return map[string]any{"technology": tech, "resource": resource, "state": state, "channel_ids": channels}
}

func (s *Server) servePlayback(method, id string) answer {
	if len(s.playbacks[id]) == 0 {
		return fail(http.StatusNotFound, "Playback not found")
	}
	p := s.playbacks[id][0]
	if method == http.MethodDelete {
		p.stop()
		return noContent
	}
	return ok(p.json())
}

func (s *Server) serveRecording(method, name string, stop bool) answer {
	r := s.recordings[name]
	switch {
	case r == nil:
		return fail(http.StatusNotFound, "Recording not found")
	case stop && method == http.MethodPost:
		r.finish()
		return noContent
	}
	return ok(r.json("recording"))
}
