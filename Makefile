GO ?= go
PREFIX ?= /usr/local

.PHONY: build test tools lint fuzz lab check install

build:
	$(GO) build -o netcause ./cmd/netcause

# The README's test command, and then what was skipped and why.
test:
	@bash .ci/run test

# kube-apiserver for the tests that need the real one; prints its folder, which belongs on PATH.
tools:
	@bash .ci/kubernetes

lint:
	@bash .ci/run lint

fuzz:
	@bash .ci/run fuzz

# As root: a real cluster, broken in every way that is known, diagnosed, mended by the printed fix. cases/lab/README.md.
lab:
	@bash .ci/run lab

# Everything that a change has to pass.
check:
	@bash .ci/run

install: build
	install -D -m 0755 netcause $(DESTDIR)$(PREFIX)/bin/netcause
