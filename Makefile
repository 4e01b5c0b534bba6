# The commands of the project. The work is done by cargo and by the scripts in tests/.
SHELL := bash
.DEFAULT_GOAL := help
.PHONY: help run build test setup bench lint fmt crds manifests docs

# The folder that `make run` serves.
DIR ?= examples/quickstart
# The quickstart needs no cluster, and leaving the Kubernetes client out shortens the build.
RUN_FEATURES ?= --no-default-features
# Tiers for `make test`: all when empty, else some of: format clippy test calls handover setup redis
# grpc chart scripts supply-chain kubernetes.
TIERS ?=

help: ## list these commands
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## build and start the demo gateway on 127.0.0.1:8080, over the files in DIR
	cargo run --locked --profile quick $(RUN_FEATURES) -- demo $(DIR)

build: ## build the binary that is shipped (slow: whole-program optimisation)
	cargo build --locked --release

test: ## set up what the tests need and run every tier, or those in TIERS
	tests/run.sh $(TIERS)

setup: ## only fetch and build what the tests need, into the cache folder
	tests/setup/setup.sh

bench: ## measure against nginx, HAProxy, Envoy and a byte relay
	benches/run.sh

lint: ## format check, clippy and shell scripts
	tests/run.sh format clippy scripts

fmt: ## format the sources
	cargo fmt

crds: ## write crds/ anew from the Rust types
	UPDATE=1 cargo test --locked --test crd the_published_crds_are_current

manifests: crds ## write what is derived from the CRDs and the chart anew
	tests/chart/render.sh

docs: ## build the API documentation
	cargo doc --locked --no-deps --document-private-items
