# make run    the main job: a burst through the embedded pipeline, a verdict and a report
# make test   lint, types, import floors and all tests
# make bench  the generator beside its peers (minutes; see docs/benchmarks.md)
# make test-servers   against LiteLLM and transformers serve (1.9 GB to install)
# make soak   crashes at twenty moments each, every fault at 500 requests a second, 5,000 in flight (half an hour)
# make fuzz   coverage-guided fuzzing of everything that reads foreign bytes (FUZZ_S seconds for each)
# make sbom   a bill of materials (CycloneDX) of the locked dependencies, into sbom.json
# make audit  known vulnerabilities of the locked dependencies (asks a service; fails if it cannot be asked)
# make lock   resolve the dependencies anew

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/pip --disable-pip-version-check --quiet
PROFILE ?= traffic_profiles/burst.toml
FUZZ_S ?= 60
PROCESSES ?= 2
FUZZED := http sse chat responses messages template journal metrics profile scorers

.PHONY: run test lint unit system bench test-servers lock clean soak fuzz sbom audit

run: $(VENV)/.run
	$(BIN)/mmload run $(PROFILE)

test: lint unit

lint: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

# Two at a time: a live test waits as long as it works. Whoever is done takes from the other's half.
unit: $(VENV)/.test system mmload/_native.abi3.so tests/node/node_modules/.installed
	$(BIN)/pytest -n $(PROCESSES) --dist worksteal

# Servers that nobody here wrote, in an environment of their own. PyTorch's CPU build must be where pip looks.
SERVERS := .venv-servers
test-servers: $(VENV)/.test $(SERVERS)/.installed
	$(BIN)/pytest tests/servers/real_servers.py --timeout=600

$(SERVERS)/.installed: requirements-servers.lock
	$(PYTHON) -m venv $(SERVERS)
	$(SERVERS)/bin/pip --disable-pip-version-check --quiet install --require-hashes -r requirements-servers.lock
	touch $@

bench: $(VENV)/.test
	$(BIN)/python benchmarks/bench.py

soak: $(VENV)/.test
	$(BIN)/python tests/reliability/crashes.py --moments 20
	$(BIN)/python tests/reliability/under_faults.py --rps 500 --seconds 12 --repeat 5
	$(BIN)/python tests/reliability/in_flight.py --rps 1000 --hold 5
	$(BIN)/python tests/reliability/two_hours.py --hours 2 --rps 100
	$(BIN)/python tests/reliability/long_run.py --requests 1000000 --rps 4000

fuzz: $(VENV)/.test
	$(PIP) install --require-hashes -r requirements-fuzz.lock
	for one in $(FUZZED); do \
		$(BIN)/python tests/reliability/fuzz.py $$one -max_total_time=$(FUZZ_S) -timeout=10 -rss_limit_mb=2048 || exit 1; \
	done

# Not among the development tools: what it needs is more than all of them.
audit: $(VENV)/.test
	$(BIN)/uv tool run pip-audit==2.10.1 --requirement requirements.lock --disable-pip --require-hashes --strict

sbom: $(VENV)/.run
	$(BIN)/python deploy/sbom.py > sbom.json

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

# The build backend is locked too, so that nothing is fetched that the lock does not name.
$(VENV)/.run: requirements.lock pyproject.toml hatch_build.py mmload/native.c | $(VENV)/bin/python
	$(PIP) install --require-hashes -r requirements.lock
	$(PIP) install --no-deps --no-build-isolation -e .
	touch $@

# The installation has made it, if it found a C compiler.
mmload/_native.abi3.so: mmload/native.c hatch_build.py | $(VENV)/.run system
	$(BIN)/python hatch_build.py

$(VENV)/.test: requirements-dev.lock $(VENV)/.run
	$(PIP) install --require-hashes -r requirements-dev.lock
	touch $@

tests/node/node_modules/.installed: tests/node/package-lock.json | system
	npm ci --prefix tests/node --no-audit --no-fund --loglevel=error
	touch $@

# What the tests open and scrape with: a browser, Prometheus with promtool, node.
system:
	@tests/system_packages

lock: $(VENV)/.test
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--no-header --upgrade --group build pyproject.toml -o requirements.lock
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--no-header --upgrade --group dev --extra ocr --extra otlp --extra notebook --constraint requirements.lock pyproject.toml -o requirements-dev.lock
	$(BIN)/uv pip compile --quiet --python-version 3.11 --python-platform linux --generate-hashes --no-emit-index-url \
		--no-header --upgrade --override tests/servers/without-torch.txt tests/servers/requirements.in \
		-o requirements-servers.lock
	cat tests/servers/torch.txt >> requirements-servers.lock

clean:
	rm -rf $(VENV) $(SERVERS) mmload/*.so tests/node/node_modules .mypy_cache .ruff_cache .pytest_cache .hypothesis
