package ari

import (
	"context"
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
