# The two commands of a fresh clone are `make demo` and `make test`. They need Rust, git and the
# package registries; what else is missing they install.

RUNBOOK := workflows/datadog-k8s-rollback.yaml
DRILL   := -p public_id=117

.PHONY: help demo build components test lint docs bench clean

help:            ## What there is
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

demo: build      ## Roll a broken deployment back and tell the incident, on simulated services
	target/release/bowline run $(RUNBOOK) --drill $(DRILL)

build: components ## The program that people get: target/release/bowline
	cargo build --release -p bowline

components:      ## The steps, as WebAssembly components: target/components
	plugins/build

test: components ## All tests
	cargo build --workspace --bins --exclude 'datadog-*' --exclude 'kubernetes-*'
	.ci/nextest

lint: components ## What CI demands besides the tests
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings

docs: components ## The documentation of the rooms
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --document-private-items

bench: components ## Floor and ours in one run; the README's table comes from here
	cargo build --release -p bowline
	cargo bench -p tests

clean:
	cargo clean
