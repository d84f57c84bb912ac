package ari

import (
	"context"
	"net/http"
)

const opReload = "reload"

// ReloadModule has a module of Asterisk read its configuration anew: ReloadModule(ctx, "res_pjsip.so"). Calls go on.
func (l *Link) ReloadModule(ctx context.Context, name string) error {
	return l.do(ctx, request{op: opReload, target: name, method: http.MethodPut, path: []string{"asterisk", "modules", name}, again: true}, nil)
}
