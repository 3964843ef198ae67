# Every target sets itself up in .venv; once that is done, nothing is downloaded again until pyproject.toml changes.
#   make setup       install Tuili and its development tools      make quickstart  train, evaluate and ask a small model
#   make test        run the tests                                make check       formatter, linter and type checker
#   make bench       run benchmarks [NAMES="a b"]                 make integration test with PEFT, TRL, lm-eval
#   make deepspeed   test with DeepSpeed's ZeRO-3
#   make browser     test the page in Chromium                    make image       build the image without Docker, and test it
#   make conformance test with thousands of made-up requests and OpenAI's client for Node, which needs node and npm
#   make clients     test with nine other clients of OpenAI's API, which are installed apart; needs node and npm
#   make native      test the C++ library: sanitizers, other processors, all instruction sets; needs g++ and qemu
#   make kills       test that runs which are killed at many points go on to the same bytes
#   make trials      test benchmarks by real runs that are as small as they can be
#   make scale       test builds by datatrove's local, Slurm and Ray executors
#   make suites      all of them but test and kills, two at a time [WITHOUT="browser image"]
#   make clean       remove environment, caches and builds (keeps runs/)

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Bytecode is kept, whatever the environment says: tests start many processes, which need not compile the sources anew.
PYTEST := PYTHONDONTWRITEBYTECODE= OMP_NUM_THREADS=1 $(BIN)/python -m pytest
INSTALLED := $(VENV)/.installed
INTEGRATIONS := $(VENV)/.integrations
DEEPSPEED := $(VENV)/.deepspeed
BROWSER := $(VENV)/.browser
SCALE := $(VENV)/.scale
EXTRAS := $(VENV)/.extras
NODE := tests/serve/node
NODE_INSTALLED := $(NODE)/node_modules/.installed
CLIENTS := .venv-clients
CLIENTS_INSTALLED := $(CLIENTS)/.installed
AI_SDK := tests/clients/node
AI_SDK_INSTALLED := $(AI_SDK)/node_modules/.installed
PEERS := .venv-peers
PEERS_INSTALLED := $(PEERS)/.installed
PEERS_NEEDED := engine serving imported_speed imported_quality
PEERS_WANTED := $(if $(NAMES),$(filter $(PEERS_NEEDED),$(NAMES)),$(PEERS_NEEDED))
LLAMA_SERVER := $(PEERS)/bin/llama-server
LLAMA_CPP := llama-cpp-python==0.3.36
# In each of them one test runs at a time. The longest come first.
SUITES := image conformance deepspeed trials native integration clients browser scale
GUIDELLM := .venv-guidellm
GUIDELLM_INSTALLED := $(GUIDELLM)/.installed
GUIDELLM_WANTED := $(if $(NAMES),$(filter load_tool,$(NAMES)),load_tool)

.PHONY: setup quickstart test check integration deepspeed browser conformance clients image native kills trials scale suites bench clean

setup: $(INSTALLED)

quickstart: setup
	$(BIN)/tuili quickstart

test: setup
	$(PYTEST) -n 2 --dist worksteal

check: setup
	scripts/check

integration: $(INTEGRATIONS)
	$(PYTEST) -m integration

deepspeed: $(DEEPSPEED)
	$(PYTEST) -m deepspeed

browser: $(BROWSER)
	$(PYTEST) -m browser

conformance: $(INSTALLED) $(NODE_INSTALLED)
	$(PYTEST) -m conformance

clients: $(INSTALLED) $(CLIENTS_INSTALLED) $(AI_SDK_INSTALLED)
	$(PYTEST) -m clients

image: setup
	$(PYTEST) -m image

native: setup
	$(PYTEST) -m native

kills: setup
	$(PYTEST) -n 2 -m kills

trials: setup
	$(PYTEST) -m trials

scale: $(SCALE)
	$(PYTEST) -m scale

# First all that goes into $(VENV), so that pip does not change it while tests run there.
suites: $(EXTRAS)
	$(MAKE) --jobs 2 --keep-going --output-sync=target $(filter-out $(WITHOUT),$(SUITES))

bench: $(INTEGRATIONS) $(if $(PEERS_WANTED),$(PEERS_INSTALLED) $(LLAMA_SERVER)) \
		$(if $(GUIDELLM_WANTED),$(GUIDELLM_INSTALLED))
	$(BIN)/python -m benchmarks.run $(NAMES)

clean:
	rm -rf $(VENV) $(CLIENTS) $(PEERS) $(GUIDELLM) $(NODE)/node_modules $(AI_SDK)/node_modules build dist .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find src tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

# pip finishes before the stamp is written, so that an interrupted installation is taken up again.
$(INSTALLED): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "make: $(PYTHON) is older than 3.11: name a newer one, as in 'make setup PYTHON=python3.12'"; exit 1; }
	@echo "make: installing Tuili and what it needs into $(VENV) (once; a few minutes)"
	@test -x $(BIN)/pip || $(PYTHON) -m venv --clear $(VENV)
	@$(BIN)/pip install --quiet --editable '.[dev]'
	@PYTHONDONTWRITEBYTECODE= $(BIN)/python -m compileall -q -j 2 src benchmarks
	@touch $@

$(INTEGRATIONS): $(INSTALLED)
	@echo "make: installing PEFT, TRL and lm-eval into $(VENV)"
	@$(BIN)/pip install --quiet --editable '.[dev,integrations]'
	@touch $@

# Nothing is compiled: what DeepSpeed would build on a CPU is not used.
$(DEEPSPEED): $(INSTALLED)
	@echo "make: installing DeepSpeed into $(VENV)"
	@DS_BUILD_OPS=0 $(BIN)/pip install --quiet --editable '.[dev,deepspeed]'
	@touch $@

$(BROWSER): $(INSTALLED)
	@echo "make: installing playwright into $(VENV); Chromium is yours, or else CHROMIUM=program"
	@$(BIN)/pip install --quiet --editable '.[dev,browser]'
	@touch $@

$(SCALE): $(INSTALLED)
	@echo "make: installing datatrove and Ray into $(VENV)"
	@$(BIN)/pip install --quiet --editable '.[dev,scale]'
	@touch $@

# One call of pip for all of them, which looks through the environment once.
$(EXTRAS): $(INSTALLED)
	@echo "make: installing what all suites need into $(VENV)"
	@DS_BUILD_OPS=0 $(BIN)/pip install --quiet --editable '.[dev,integrations,deepspeed,browser,scale]'
	@touch $(INTEGRATIONS) $(DEEPSPEED) $(BROWSER) $(SCALE) $@

# The newest client that the installed Node can run: no lock file says which.
$(NODE_INSTALLED): $(NODE)/package.json
	@command -v npm >/dev/null || { echo "make: npm is missing: install Node 20 or newer, and npm"; exit 1; }
	@echo "make: installing OpenAI's client for Node into $(NODE)"
	@npm install --prefix $(NODE) --no-package-lock --no-audit --no-fund --silent
	@touch $@

# The clients must be those that users have, so they share an environment only with each other.
$(CLIENTS_INSTALLED): tests/clients/requirements.txt
	@echo "make: installing eight clients for Python into $(CLIENTS)"
	@test -x $(CLIENTS)/bin/pip || $(PYTHON) -m venv --clear $(CLIENTS)
	@$(CLIENTS)/bin/pip install --quiet --requirement $<
	@touch $@

$(AI_SDK_INSTALLED): $(AI_SDK)/package.json
	@command -v npm >/dev/null || { echo "make: npm is missing: install Node 20 or newer, and npm"; exit 1; }
	@echo "make: installing Vercel's AI SDK into $(AI_SDK)"
	@npm install --prefix $(AI_SDK) --no-package-lock --no-audit --no-fund --silent
	@touch $@

# Other engines, which the benchmark `engine` measures ours against; llama.cpp comes below.
$(PEERS_INSTALLED): benchmarks/engine/peers/requirements.txt
	@echo "make: installing OpenVINO into $(PEERS)"
	@test -x $(PEERS)/bin/pip || $(PYTHON) -m venv --clear $(PEERS)
	@$(PEERS)/bin/pip install --quiet --requirement $<
	@touch $@

# Another load generator, with packages of its own.
$(GUIDELLM_INSTALLED):
	@echo "make: installing guidellm into $(GUIDELLM)"
	@test -x $(GUIDELLM)/bin/pip || $(PYTHON) -m venv --clear $(GUIDELLM)
	@$(GUIDELLM)/bin/pip install --quiet 'guidellm>=0.8.1,<0.9'
	@touch $@

# llama.cpp's library and server for this machine's instructions, from the sources that its Python package brings along.
# The package's binding comes along; the rest of it stays away. Needs a C++ compiler, CMake and Ninja.
$(LLAMA_SERVER): $(PEERS_INSTALLED)
	@echo "make: building llama.cpp into $(PEERS) (ten minutes or more)"
	@rm -rf $(PEERS)/sources && mkdir -p $(PEERS)/sources
	@$(PEERS)/bin/pip download --quiet --no-deps --no-binary :all: --dest $(PEERS)/sources '$(LLAMA_CPP)'
	@tar -xzf $(PEERS)/sources/*.tar.gz -C $(PEERS)/sources
	@cmake -G Ninja -S $(PEERS)/sources/*/vendor/llama.cpp -B $(PEERS)/sources/build -DCMAKE_BUILD_TYPE=Release \
		-DCMAKE_BUILD_RPATH_USE_ORIGIN=ON -DLLAMA_CURL=OFF -DLLAMA_OPENSSL=OFF -DLLAMA_BUILD_TESTS=OFF \
		-DLLAMA_BUILD_EXAMPLES=OFF -DLLAMA_BUILD_UI=OFF -DLLAMA_USE_PREBUILT_UI=OFF > $(PEERS)/sources/cmake.log
	@ninja -C $(PEERS)/sources/build llama-server > $(PEERS)/sources/ninja.log
	@set -e; package=$$($(PEERS)/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/llama_cpp; \
		rm -rf $$package && mkdir -p $$package && \
		cp $(PEERS)/sources/*/llama_cpp/llama_cpp.py $(PEERS)/sources/*/llama_cpp/_[a-z]*.py $$package && \
		mv $(PEERS)/sources/build/bin $$package/lib && ln -sfn $$package/lib/llama-server $@
	@rm -rf $(PEERS)/sources
	@touch $@
