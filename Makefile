# Two commands do all the set-up: `make demo` and `make test`. Everything is installed into .venv from hash-locked files.

PYTHON ?= python3.11
BIN := .venv/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_NO_INPUT := 1

.PHONY: help demo demo-cluster test infer310 test-infer310 fuzz-infer310 lint check images images-build cluster cluster-build cluster-down test-cluster chaos chaos-cluster docs accuracy bench lock lock-build lock-runtime lock-dev lock-s3-server clean

help:  ## what can be made
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(BIN)/launcher: requirements/build.lock requirements/runtime.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' || { echo "Python 3.11 is needed: make PYTHON=/path/to/python3.11" >&2; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv || { echo "the venv module is needed: apt-get install python3-venv" >&2; exit 2; }
	$(BIN)/pip install --quiet --require-hashes -r requirements/build.lock -r requirements/runtime.lock
	$(BIN)/pip install --quiet --no-deps --no-build-isolation --editable .
	touch $@

.venv/.dev: requirements/dev.lock $(BIN)/launcher
	$(BIN)/pip install --quiet --require-hashes -r requirements/dev.lock
	touch $@

demo: $(BIN)/launcher  ## synthetic faces -> train -> evaluate -> export on this machine
	@$(BIN)/sphereface synth demo/faces
	@$(BIN)/launcher submit examples/demo.yaml --backend local --follow

demo-cluster: $(BIN)/launcher  ## the same on a cluster: KUBECONFIG, NAMESPACE and IMAGE, or the test cluster of make cluster images
	@$(BIN)/python -m tools.demo_cluster

.s3-venv/.done: requirements/s3-server.lock
	$(PYTHON) -m venv .s3-venv
	.s3-venv/bin/pip install --quiet --no-deps --require-hashes -r requirements/s3-server.lock
	touch $@

test: .venv/.dev .s3-venv/.done  ## everything that runs without a cluster
	$(BIN)/python -m pytest

images: $(BIN)/launcher  ## build the images cpu and infer310 and push them to the test cluster's registry (a changed line: seconds)
	@$(BIN)/python -m docker.build

images-build: $(BIN)/launcher  ## only build them
	@$(BIN)/python -m docker.build --no-push

infer310: $(BIN)/launcher  ## inference in C++ on MindSpore Lite, for Ascend 310 and CPUs (Debian packages, 170 MB once)
	@$(BIN)/python -m tools.infer310 build

test-infer310: .venv/.dev  ## the same, its tests under sanitizers, and its results against Python's
	@$(BIN)/python -m tools.infer310 test

fuzz-infer310: $(BIN)/launcher  ## fuzz its parsers under sanitizers for 10 minutes, or SECONDS=N
	@$(BIN)/python -m tools.infer310 fuzz

lint: .venv/.dev  ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

check: lint test  ## lint and test

cluster:  ## a real Kubernetes on this machine, for tests (root; first build about 7 minutes, then a boot under 30 s)
	@$(PYTHON) -m tests.cluster up

cluster-build:  ## only compile its programs, and Kueue (once: about 10 minutes)
	@$(PYTHON) -m tests.cluster build

cluster-down:  ## stop it and leave nothing behind but its caches
	@$(PYTHON) -m tests.cluster down

test-cluster: .venv/.dev  ## everything that needs a cluster: that one, or the one that KUBECONFIG names
	$(BIN)/python -m pytest -m "cluster and not blows and not kueue" -n 2 --dist loadfile tests/cluster
	$(BIN)/python -m pytest -m "cluster and blows" tests/cluster
	@test -n "$$KUBECONFIG" || $(PYTHON) -m tests.cluster build  # not while tests are timed
	$(BIN)/python -m pytest -m "cluster and kueue" tests/cluster

chaos: .venv/.dev  ## kill the processes of 20 stand-in runs and of 20 real ones at seeded moments (about 40 minutes)
	LAUNCHER_CHAOS_ROUNDS=20 LAUNCHER_CHAOS_REAL_ROUNDS=20 $(BIN)/python -m pytest -v \
		tests/launcher/backends/test_chaos.py tests/launcher/backends/test_chaos_training.py --timeout 900

chaos-cluster: .venv/.dev  ## kill parts of the test cluster and of 20 runs on it in seeded random order (about 25 minutes)
	LAUNCHER_CHAOS_SEEDS=20 $(BIN)/python -m pytest -v -m cluster tests/cluster/test_chaos.py

docs: .venv/.dev  ## generate docs/cli.md, docs/configuration.md, the batch example and the launcher's copy of the key schema
	for name in schema configuration_docs kubernetes_docs rank_table_docs failure_docs cli_docs batch_example; do $(BIN)/python -m tools.make_$$name || exit; done

accuracy: .venv/.dev  ## real faces (DATA=folder with faces_train and lfw): about 40 minutes; writes benchmarks/results/
	$(BIN)/python benchmarks/accuracy.py $(DATA)

.bench-venv/.done: benchmarks/requirements.lock
	$(PYTHON) -m venv .bench-venv
	.bench-venv/bin/pip install --quiet --no-deps --require-hashes -r benchmarks/requirements.lock
	touch $@

bench: .venv/.dev .bench-venv/.done  ## start-up and training step, side by side with the alternative (PyTorch: 3.5 GB)
	$(BIN)/python benchmarks/startup.py
	$(BIN)/python benchmarks/train_step.py

lock:  ## renew the locked requirements of .venv (needs a package index; some minutes)
	$(PYTHON) -m venv build/lock-venv
	build/lock-venv/bin/pip install --quiet pip-tools
	for name in build runtime dev s3-server; do $(MAKE) --no-print-directory lock-$$name || exit; done

lock-build: INPUT := requirements/build.in
lock-runtime: INPUT := pyproject.toml
lock-dev: INPUT := pyproject.toml --extra dev
lock-s3-server: INPUT := requirements/s3-server.in
lock-build lock-runtime lock-dev lock-s3-server: lock-%:
	build/lock-venv/bin/pip-compile --quiet --generate-hashes --no-emit-index-url --no-emit-find-links \
		--no-emit-trusted-host --no-header --strip-extras --allow-unsafe --output-file requirements/$*.lock $(INPUT)

clean:  ## remove what was installed and the demo
	rm -rf .venv .bench-venv .s3-venv demo
