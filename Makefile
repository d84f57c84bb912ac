# Everything here runs on a fresh Debian 12 with Go and root; what is missing is installed.

GO ?= go
STATICCHECK = honnef.co/go/tools/cmd/staticcheck@v0.8.2
FUZZTIME ?= 10s

.PHONY: demo run test test-unit check asterisk bootstrap fmt vet staticcheck fuzz

# One real call through its whole life, and a verdict on each standard.
demo: asterisk
	$(GO) run ./test/demo

# The service and its Asterisk on loopback, for use, until interrupted.
run: asterisk
	$(GO) run ./cmd/hotline run

# Everything, on the real Asterisk too.
test: asterisk vet
	$(GO) test -race -p 2 -timeout 30m ./...

# What needs neither root nor Asterisk: seconds. The end-to-end tests are those that stand on test/stand.
test-unit:
	$(GO) test $$($(GO) list -f '{{$$e2e := false}}{{range .Deps}}{{if eq . "hotline/test/stand"}}{{$$e2e = true}}{{end}}{{end}}{{range .TestImports}}{{if eq . "hotline/test/stand"}}{{$$e2e = true}}{{end}}{{end}}{{range .XTestImports}}{{if eq . "hotline/test/stand"}}{{$$e2e = true}}{{end}}{{end}}{{if not $$e2e}}{{.ImportPath}}{{end}}' ./...)

check: fmt vet staticcheck fuzz
	$(GO) test ./test -run Layers

fmt:
	@unformatted=$$(gofmt -l $$($(GO) list -f '{{.Dir}}' ./...)); \
	if [ -n "$$unformatted" ]; then echo "gofmt would change:"; echo "$$unformatted"; exit 1; fi

vet:
	$(GO) vet ./...

staticcheck:
	$(GO) run $(STATICCHECK) ./...

# Every fuzz target for a short while.
fuzz:
	@scripts/fuzz $(FUZZTIME)

asterisk: bootstrap
	@scripts/asterisk root

bootstrap:
	@scripts/bootstrap
