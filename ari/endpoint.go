package ari

import (
	"context"
	"errors"
	"net/http"
)

const opEndpoint = "endpoint"

// EndpointOnline says whether a phone has a registered contact that Asterisk
// can reach: EndpointOnline(ctx, "PJSIP", "1001").
func (l *Link) EndpointOnline(ctx context.Context, tech, resource string) (bool, error) {
	var out struct{ State string }
	err := l.do(ctx, request{
		op: opEndpoint, target: tech + "/" + resource,
		method: http.MethodGet, path: []string{"endpoints", tech, resource},
	}, &out)
	return out.State == "online", err
}

// EndpointsOnline are the phones that EndpointOnline would say so of, all in one request.
func (l *Link) EndpointsOnline(ctx context.Context, tech string) (map[string]bool, error) {
	var list []struct{ Resource, State string }
	err := l.do(ctx, request{op: opEndpoint, target: tech, method: http.MethodGet, path: []string{"endpoints", tech}}, &list)
	online := make(map[string]bool, len(list))
	for _, e := range list {
		online[e.Resource] = e.State == "online"
	}
	return online, err
}

// EndpointLines says whether a phone has a line in Asterisk, whoever's, and
// whether one of them has been answered.
func (l *Link) EndpointLines(ctx context.Context, tech, resource string) (has, answered bool, err error) {
	var out struct {
		Channels []string `json:"channel_ids"`
	}
	err = l.do(ctx, request{
		op: opEndpoint, target: tech + "/" + resource,
		method: http.MethodGet, path: []string{"endpoints", tech, resource},
	}, &out)
	for _, id := range out.Channels {
		var line struct{ State string }
		failed := l.do(ctx, request{op: opChannels, target: id, method: http.MethodGet, path: []string{"channels", id}}, &line)
		var refused *Error
		if errors.As(failed, &refused) && refused.NotFound() { // over meanwhile
			continue
		}
		has, answered, err = true, answered || line.State == "Up", errors.Join(err, failed)
	}
	return has, answered, err
}
