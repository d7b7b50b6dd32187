# Every target brings its own environment: .venv is made when it is missing, and brought up to date when
# pyproject.toml or setup.cfg is newer than the last installation that finished.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/installed
# The packages of the JavaScript client; none where there is no npm, and then its tests are skipped and say so.
WEB := serving/web
NODE_INSTALLED := $(if $(shell command -v npm),$(WEB)/node_modules/installed)

DATA ?=
# Of the demos that have several: `make demo-translate MODEL=transformer`; COMPARE="plain transformer" trains more beside it.
MODEL ?=
# Of the language model: char or word.
LEVEL ?=
COMPARE ?=
# What the demos make of the weights of a variant beside the float graphs: int8 or fp16.
QUANTIZE ?=
# Processes that share the tests: `make test WORKERS=0` runs them in one, which a debugger needs.
WORKERS ?= 2
OUT ?= out/tagger
# The programs among the files. Those that time a bundle need one, and the soak takes ten minutes: `make soak`.
BENCHMARKS = $(filter-out benchmarks/startup.py benchmarks/serving.py benchmarks/soak.py benchmarks/on_device_web.py,\
    $(shell grep -l '^if __name__ == "__main__"' benchmarks/*.py))

PYTEST = $(BIN)/python -m pytest --numprocesses $(WORKERS) --dist worksteal

# TensorFlow's start-up notes would bury what a person wants to read.
export TF_CPP_MIN_LOG_LEVEL ?= 3
export PIP_DISABLE_PIP_VERSION_CHECK ?= 1

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo demo-dates demo-translate demo-language-model demo-sentiment demo-memory serve soak test test-tensorflow test-jax test-all bench lint format venv node
.NOTPARALLEL:

help: ## Show this list
	@awk 'BEGIN {FS = ":[^#]*## "} /^[a-z-]+:.*## / {printf "  make %-20s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(INSTALLED) ## Train a tagger, export it, verify it, time it, run it; DATA=folder for CoNLL-U files, MODEL=lstm|transformer
	@$(BIN)/python examples/tag.py --out "$(OUT)" $(if $(DATA),--data "$(DATA)") \
	    $(if $(MODEL),--model $(MODEL)) $(if $(COMPARE),--compare $(COMPARE)) $(if $(QUANTIZE),--quantize $(QUANTIZE))

demo-dates: $(INSTALLED) ## Learn to read dates in 34 languages, export with the beam search inside, read without Keras
	@$(BIN)/python examples/dates.py $(if $(QUANTIZE),--quantize $(QUANTIZE))

demo-translate: $(INSTALLED) ## Learn to translate; BLEU, beam search, error analysis; DATA=folder, MODEL=attention|plain|transformer
	@$(BIN)/python examples/translate.py $(if $(DATA),--data "$(DATA)") \
	    $(if $(MODEL),--model $(MODEL)) $(if $(COMPARE),--compare $(COMPARE)) $(if $(QUANTIZE),--quantize $(QUANTIZE))

demo-language-model: $(INSTALLED) ## Learn to write; bits, samples, texts from the graph; DATA=folder, LEVEL=char|word, MODEL=recurrent|transformer
	@$(BIN)/python examples/language_model.py $(if $(DATA),--data "$(DATA)") \
	    $(if $(LEVEL),--level $(LEVEL)) $(if $(MODEL),--model $(MODEL)) $(if $(QUANTIZE),--quantize $(QUANTIZE))

demo-sentiment: $(INSTALLED) ## Learn to name what a text is, with and without word vectors learnt beforehand; DATA=folder
	@$(BIN)/python examples/sentiment.py $(if $(DATA),--data "$(DATA)")

demo-memory: $(INSTALLED) ## How far back plain RNN, GRU and LSTM remember, and what clipping does to exploding gradients
	@$(BIN)/python examples/vanishing_gradients.py

serve: $(INSTALLED) ## Serve the demo's bundle, with a page at http://127.0.0.1:8000/
	@if [ ! -e "$(OUT)/bundle.json" ]; then \
	    echo "There is no bundle at $(OUT) yet. \`make demo\` writes it, or name another: make serve OUT=folder" >&2; exit 2; fi
	@$(BIN)/keras-seq serve "$(OUT)"

test: lint test-tensorflow test-jax ## Lint, all tests under TensorFlow, a short pass under JAX

test-tensorflow: $(INSTALLED) $(NODE_INSTALLED) ## All tests and doctests, under TensorFlow
	@KERAS_BACKEND=tensorflow $(PYTEST)

test-jax: $(INSTALLED) ## The short pass of the layer tests under JAX
	@KERAS_BACKEND=jax $(PYTEST) tests/keras_seq -m smoke

test-all: lint test-tensorflow $(INSTALLED) ## All tests, and the layer tests again under JAX and PyTorch
	@KERAS_BACKEND=jax $(PYTEST) tests/keras_seq
	@KERAS_BACKEND=torch $(PYTEST) tests/keras_seq

bench: $(INSTALLED) ## Time bundles against Keras, TensorFlow, PyTorch and OpenVINO
	@for program in $(BENCHMARKS); do echo "== $$program"; $(BIN)/python "$$program"; done
	@if [ -e "$(OUT)/bundle.json" ]; then $(BIN)/python benchmarks/startup.py "$(OUT)"; $(BIN)/python benchmarks/serving.py "$(OUT)"; \
	    else echo "Start-up and server are not timed: there is no bundle at $(OUT) yet, which \`make demo\` writes."; fi

soak: $(INSTALLED) ## Ten minutes of a server under all that clients do: nothing wrong, nothing lost, no growth
	@$(BIN)/python benchmarks/soak.py

lint: $(INSTALLED) ## Check format and style
	@status=0; $(BIN)/ruff check . || status=1; $(BIN)/ruff format --check . || status=1; exit $$status

format: $(INSTALLED) ## Format, and mend what can be mended
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

venv: $(INSTALLED) ## Make .venv, or bring it up to date

node: $(NODE_INSTALLED) ## Install what the JavaScript client and its tests need, with npm
	@command -v npm > /dev/null || { echo "There is no npm. Install Node 18 or newer, with npm." >&2; exit 1; }

# The mark is written last, so an installation that was broken off counts as none: without a mark the folder is
# cleared; with an old one it is kept and pip mends it. TensorFlow 2.21 has wheels for Python 3.11 to 3.13.
$(INSTALLED): pyproject.toml setup.cfg
	@command -v $(PYTHON) > /dev/null || { \
	    echo "\`$(PYTHON)\` was not found. Install Python 3.11, 3.12 or 3.13, or name one: make PYTHON=/path/to/python" >&2; \
	    exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' || { \
	    echo "keras_seq is developed under Python 3.11 to 3.13, and \`$(PYTHON)\` is $$($(PYTHON) --version 2>&1)." \
	        "Install one of them, or name it: make PYTHON=python3.11" >&2; \
	    exit 1; }
	@if [ -e $@ ] && $(BIN)/python -m pip --version > /dev/null 2>&1; then \
	    echo "Bringing $(VENV) up to date ..."; \
	else \
	    echo "Making $(VENV) with $$($(PYTHON) --version); the first time downloads about 1.5 GB and takes minutes ..."; \
	    $(PYTHON) -m venv --clear $(VENV); \
	fi
	@$(BIN)/python -m pip install --editable '.[dev]' | awk ' \
	    /^(Collecting|Obtaining) / { print "  " $$2; fflush() } \
	    /^Installing collected packages/ { print "  installing " NF - 3 " packages ..."; fflush() } \
	    /^Successfully installed/ { print "  done" }'
	@touch $@

# Written last too. Without their scripts, packages do nothing but lie there: what the tests run is in them already.
# Where npm has no packages to give, such as without a network, the client's tests are skipped, and all others run.
$(WEB)/node_modules/installed: $(WEB)/package.json $(WEB)/package-lock.json
	@echo "Installing the packages of the JavaScript client ..."
	@if npm --prefix $(WEB) ci --ignore-scripts --no-audit --no-fund --loglevel=error > /dev/null; then touch $@; \
	    else rm -rf $(WEB)/node_modules; \
	    echo "npm could not install them: THE JAVASCRIPT CLIENT WILL NOT BE TESTED." >&2; fi
