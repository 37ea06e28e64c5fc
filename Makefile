# Two commands do everything, on a machine with python3, make and pip:
#
#   make demo                  ask the built-in question;  make demo Q="Your own question?"
#   make test                  modules in step with their notebooks, every lesson, every test
#
# Both make .venv the first time (tools/install.py says how) and go straight to work after that.
# A change of settings.ini, setup.py, pyproject.toml or constraints.txt installs again.

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(abspath $(VENV))/bin
FACTS  := settings.ini setup.py pyproject.toml constraints.txt tools/install.py
Q      ?=
PORT   ?= 8000
PYTEST ?=
WORKERS ?= 2
TORCH  ?= same
LANE   ?=
CHECK  ?=

export PATH := $(BIN):$(PATH)
export TOKENIZERS_PARALLELISM ?= false
export Q

.PHONY: help demo test install dev export notebooks check readme docs serve lint hooks archives dist lanes clean
.DEFAULT_GOAL := help

help:             ## these lines
	@grep -E '^[a-z]+: .*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):[^#]*## ?/  make \1	/' | expand -t 20

$(VENV)/.installed: $(FACTS)
	@$(PYTHON) tools/install.py --venv $(VENV)
	@touch $@

$(VENV)/.installed-dev: $(FACTS)
	@$(PYTHON) tools/install.py --venv $(VENV) --extra dev
	@touch $(VENV)/.installed $@

install: $(VENV)/.installed        ## an environment that can answer questions
dev: $(VENV)/.installed-dev        ## an environment to work on the project

demo: $(VENV)/.installed           ## ask a question (Q="...") and see which document each word came from
	@rag-nb demo $${Q:+"$$Q"}

test: $(VENV)/.installed-dev       ## everything that must hold (PYTEST="-k name" for some of the tests, WORKERS=4 for more at a time)
	@echo ">> do the modules say what the notebooks say?"
	@python tools/nb.py exported
	@echo ">> what ruff finds, lines over 140 characters among it"
	@ruff check .
	@echo ">> every lesson, from the top"
	@OMP_NUM_THREADS=1 HF_HUB_OFFLINE=1 TQDM_DISABLE=1 nbdev-test --do-print
	@echo ">> the tests"
	@python -m pytest -n $(WORKERS) --dist loadfile $(PYTEST)

export: $(VENV)/.installed-dev     ## write the modules from the notebooks, and their stubs for editors
	@nbdev-export
	@python tools/stubs.py

notebooks: $(VENV)/.installed-dev  ## run the lessons in place, outputs and all (NB=nbs/core/00_marginal.ipynb for one)
	@python tools/nb.py run $(NB)

check: $(VENV)/.installed-dev      ## run the lessons and say which outputs would change
	@python tools/nb.py check $(NB)

readme: $(VENV)/.installed-dev     ## write README.md from nbs/index.ipynb
	@python tools/readme.py

docs: $(VENV)/.installed-dev       ## the site, in _site: lessons, reference, search, live widgets
	@python tools/docs.py build

serve:            ## look at the site (PORT=8000)
	@$(PYTHON) tools/docs.py serve --port $(PORT)

lint: $(VENV)/.installed-dev       ## what ruff finds in modules, tools, tests and notebooks
	@ruff check .

hooks: $(VENV)/.installed-dev      ## git and Jupyter hooks that keep notebooks clean and merge them cell by cell
	@nbdev-install-hooks

archives: $(VENV)/.installed-dev   ## a wheel and a source archive in dist/
	@rm -rf build dist && python -m build --no-isolation

dist: archives                     ## the archives; then the wheel alone, nothing pinned, in a new environment: demo, python -m rag_nb, tutorials, widgets
	@python tools/lanes.py newest --torch $(TORCH) --only demo module notebooks

lanes: archives                    ## the wheel and the tests on the oldest, the newest and Colab's versions (LANE=oldest for one, CHECK="--part core" for less)
	@python tools/lanes.py $(LANE) $(if $(PYTEST),--pytest '$(PYTEST)') --workers $(WORKERS) $(CHECK)

clean:            ## remove what was made, but not .venv
	rm -rf build dist *.egg-info _proc _docs _site .pytest_cache .ruff_cache .mypy_cache .hypothesis
	find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +
