# Everything here runs on a fresh Debian 12 with Go and root; what is missing is installed.

GO ?= go
STATICCHECK = honnef.co/go/tools/cmd/staticcheck@v0.8.2
FUZZTIME ?= 60s
# Seeded days in virtual time: how many, and for how long at most.
SOAK ?= 10000
SOAK_FOR ?= 30m
packages = scripts/packages

.PHONY: demo run build ui screens test test-unit check check-ui soak bench asterisk bootstrap fmt vet staticcheck fuzz image

# One real call through its whole life, and a verdict on each standard.
demo: asterisk
	$(GO) run ./test/demo

# The service and its Asterisk on loopback, for use, until interrupted.
run: asterisk build
	@scripts/run

build:
	$(GO) build -o .build/hotline ./cmd/hotline

# The pages, into web/ui/dist, which is committed: nothing else needs Node.
ui:
	@scripts/ui

# Pictures of every page in both languages, wide and narrow, into docs/screens; fails where axe-core finds something.
screens: bootstrap
	SCREENS=$(CURDIR)/docs/screens $(GO) test -count=1 -run TestPages -timeout 10m ./test/looks

# Everything: see scripts/test.
test: asterisk vet
	@scripts/test

# What needs neither root nor Asterisk: seconds.
test-unit:
	$(GO) test $$($(packages) no)

check: fmt vet staticcheck check-ui fuzz
	$(GO) test ./test -run Layers

# The pages' types and tests, and whether what is committed is what these sources build.
check-ui:
	@scripts/ui check

fmt:
	@unformatted=$$(gofmt -l $$($(GO) list -f '{{.Dir}}' ./...)); \
	if [ -n "$$unformatted" ]; then echo "gofmt would change:"; echo "$$unformatted"; exit 1; fi

vet:
	$(GO) vet ./...

staticcheck:
	$(GO) run $(STATICCHECK) ./...

# Every fuzz target for a minute.
fuzz:
	@scripts/fuzz $(FUZZTIME)

# Many more seeded days of the service than `make test` lives through, with kills at chosen boundaries. A seed that fails
# is named, with how to replay it. Before that, a new version takes over while 20 callers arrive each second, for a minute;
# after it, as many days of the queue's rules drawn at random, before a referee.
soak: asterisk
	SOAK=$(SOAK) $(GO) test -run TestRollingUpgradeUnderLoad -v ./test/e2e
	SOAK=$(SOAK) SOAK_FOR=$(SOAK_FOR) $(GO) test -timeout 0 -run TestSeededRuns ./test/virtual
	SOAK=$(SOAK) $(GO) test -timeout 0 -run 'TestDays$$' -v ./queue

# Side by side with app_queue, on one Asterisk: what a call costs, the highest rate, how soon a free agent is offered the
# next caller with thousands waiting. SHORT=1 for minutes; the figures go into docs/benchmarks.md.
bench: asterisk
	@scripts/bench

# The image of the Dockerfile, as far as it can be proved without a registry.
image:
	@scripts/image

asterisk: bootstrap
	@scripts/asterisk root

bootstrap:
	@scripts/bootstrap
