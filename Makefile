# Two commands: `make book` and `make test`. Each sets up what it needs first.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
TESTED := $(VENV)/.ready-tests
CODE   := gmlib tools tests book sweeps benchmarks

.PHONY: help book print paint serve test lint format supported execute claims export student instructor colab sweep new-chapter address bench lock clean
.DEFAULT_GOAL := help

help: ## say what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' Makefile
	@echo
	@echo "  make test CHAPTER=gan                   (CHAPTER: all)"
	@echo "  make execute CHAPTER=gan SCALE=cpu      (CHAPTER: all; SCALE: auto)"
	@echo "  make print CHAPTER=gan                  (by default the whole book)"
	@echo "  make sweep NAME=gan_seeds WORKERS=2 BACKEND=loky (or ray, dask; SCALE: auto)"
	@echo "  make new-chapter NAME=flows TITLE='Normalising flows'"
	@echo "  make address URL=https://github.com/OWNER/REPOSITORY"
	@echo "  GMLIB_DATA=FOLDER: where MNIST lies or is kept (see data/)"

book: $(READY) ## render the site into _build/html
	@$(BIN)/python tools/book.py

serve: book ## render it, open it in a browser
	@$(BIN)/python tools/serve.py

print: book $(TESTED) ## write the book, or a CHAPTER, as a PDF into _build/print
	@sh tools/setup.sh browser
	@$(BIN)/python tools/print.py $(CHAPTER)

paint: book $(TESTED) ## say how heavy the pages are, and how soon a phone shows them
	@sh tools/setup.sh browser
	@$(BIN)/python tools/paint.py $(PAGES)

test: $(TESTED) ## run every check
	@sh tools/setup.sh browser
	@$(BIN)/python tools/test.py $(CHAPTER)

lint: $(TESTED) ## check style and types of the code, and the workflows of CI
	@$(BIN)/ruff check $(CODE)
	@$(BIN)/ruff format --check $(CODE)
	@$(BIN)/ruff check --select E9,F401,F821 chapters
	@$(BIN)/pyrefly check
	@$(BIN)/jactionlint --ignore unpinned-uses --shellcheck= .github/workflows/*.yml

format: $(TESTED) ## put the code into that style
	@$(BIN)/ruff check --fix $(CODE)
	@$(BIN)/ruff format $(CODE)

supported: ## test the wheel with the Python named by PYTHON, as CI does everywhere
	@PYTHON="$(PYTHON)" sh tools/supported.sh

execute: $(READY) ## run the lectures anew and store their outputs
	@$(BIN)/python tools/execute.py $(CHAPTER) --scale $(or $(SCALE),auto)

claims: $(READY) ## print every claim of the book with its verdict
	@$(BIN)/python tools/claims.py $(CHAPTER)

export: $(READY) ## the lectures for Jupyter and Colab, in _build/notebooks
	@$(BIN)/python tools/export.py $(CHAPTER)

student: $(READY) ## notebooks without solutions and outputs, in _build/student
	@$(BIN)/python tools/editions.py student $(CHAPTER)

instructor: $(READY) ## notebooks with both, in _build/instructor
	@$(BIN)/python tools/editions.py instructor $(CHAPTER)

colab: $(READY) ## run the lectures with Colab's versions (VERSIONS=newest)
	@$(BIN)/python tools/colab.py $(CHAPTER) --versions $(or $(VERSIONS),colab)

# ray and dask are among what the tests need
sweep: $(if $(filter ray dask,$(BACKEND)),$(TESTED),$(READY)) ## run a recorded sweep, or go on with it
	@$(BIN)/python tools/sweep.py "$(NAME)" --scale $(or $(SCALE),auto) \
	    --backend $(or $(BACKEND),loky) $(if $(WORKERS),--workers $(WORKERS)) \
	    $(if $(ADDRESS),--address $(ADDRESS)) $(if $(RETRY),--retry)

new-chapter: $(READY) ## begin a lecture from the template
	@$(BIN)/python tools/new_chapter.py "$(NAME)" "$(TITLE)"

address: $(READY) ## write the repository's public address wherever it stands
	@$(BIN)/python tools/address.py $(URL)

bench: $(READY) ## speed against loops without the engine (NAME: quality, sizes, ranks, precision)
	@$(BIN)/python -m benchmarks.$(or $(NAME),loops) $(ARGS)

lock: $(READY) ## lock the versions anew (UPGRADE=--upgrade: the newest)
	@sh tools/lock.sh $(UPGRADE)

clean: ## remove what was built (the environment: rm -r .venv)
	rm -rf _build dist .cache .pytest_cache .ruff_cache .hypothesis
	rm -f chapters/*.partial.ipynb

$(READY): requirements.lock tools/uv.lock.txt pyproject.toml
	@PYTHON="$(PYTHON)" sh tools/setup.sh book

$(TESTED): $(READY) requirements-test.lock
	@sh tools/setup.sh tests
