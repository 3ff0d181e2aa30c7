# The two commands of a fresh clone are `make demo` and `make test`. They need Rust, git and the
# package registries; what else is missing they install.

RUNBOOK := workflows/datadog-k8s-rollback.yaml
DRILL   := -p public_id=117

# The programs as the tests need them: built beside the tests, they can be told where to die.
BINS    := --workspace --bins --exclude 'datadog-*' --exclude 'kubernetes-*'

.PHONY: help demo build components probe test test-cluster sweep many sweep-cluster lint docs bench bench-cluster clean

help:            ## What there is
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16

demo: build      ## Roll a broken deployment back and tell the incident, on simulated services
	target/release/bowline run $(RUNBOOK) --drill $(DRILL)

build: components ## The program that people get: target/release/bowline
	cargo build --release -p bowline

components:      ## The steps, as WebAssembly components: target/components
	plugins/build

probe: components ## The guest that the hostile cases drive
	tests/probe/build

test: components probe ## All tests
	cargo build $(BINS)
	.ci/nextest

test-cluster: components ## The step beside the real kubectl, on a real control plane
	cargo build $(BINS)
	target/debug/cluster scenarios --bowline target/debug/bowline

sweep: components ## The drill's runbook killed at 500 random instants, and gone on with
	cargo build $(BINS)
	BOWLINE_SWEEP=500 cargo nextest run --workspace --profile long -E 'binary(sweep)'

many:            ## Ten thousand runs in one store, as people get the program
	cargo test --release -p scheduler --test many -- --nocapture

sweep-cluster: components ## `rollout undo` killed and gone on with, on a real control plane
	cargo build $(BINS)
	target/debug/cluster sweep --bowline target/debug/bowline

lint: components ## What CI demands besides the tests
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings

docs: components ## The documentation of the rooms
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --document-private-items

bench: components ## Floor and ours in one run; the README's table comes from here
	cargo build --release -p bowline
	cargo bench -p tests

bench-cluster: components ## `rollout undo` with kubectl and with bowline, in turns
	cargo build -p bowline -p cluster
	cargo build --release -p bowline
	target/debug/cluster bench --bowline target/release/bowline

clean:
	cargo clean
