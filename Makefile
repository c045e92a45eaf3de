# `make` alone lists what there is. Everything is installed into .venv, nothing outside the clone.

PYTHON ?= $(shell for p in python3.14 python3.13 python3.12 python3.11 python3; do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$p" && break; \
	done)
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
CODE := queue worker cli plugins tests bench examples
OF_A_PACKAGE := tests/mlq tests/mlq_worker tests/mlq_cli
# Every test has folders, servers and names of its own, so files run side by side.
# But for those marked `alone`, which are in these.
WITH_ALONE := tests/end_to_end tests/lab
AT_ONCE := -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

.DEFAULT_GOAL := help
.PHONY: help venv demo test quick simulate chaos lab desk lint bench docs clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' Makefile

venv: $(READY) ## install mlq and what its development needs into .venv

$(READY): pyproject.toml
	@test -n "$(PYTHON)" || { echo "mlq needs Python 3.11 or newer, and none is in your PATH:" \
		"install one, or say which: make PYTHON=/path/to/python3.11"; exit 1; }
	@"$(PYTHON)" -c 'import ensurepip, venv' 2>/dev/null || { echo "$(PYTHON) cannot make virtual" \
		"environments: on Debian and Ubuntu, 'apt install python3-venv' adds that;" \
		"without root, name another Python: make PYTHON=/path/to/python3.11"; exit 1; }
	"$(PYTHON)" -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[demo,test,lint]'
	@touch $@

demo: venv ## watch an experiment survive a power cut (about half a minute)
	@$(BIN)/python examples/demo.py

test: venv ## run all tests
	@failed=0; \
	$(BIN)/python -m pytest $(AT_ONCE) -m 'not alone and not lab and not desk' || failed=1; \
	$(BIN)/python -m pytest -m 'alone and not lab and not desk' $(WITH_ALONE) || failed=1; \
	exit $$failed

quick: venv ## run the tests that take no two minutes together
	$(BIN)/python -m pytest -q $(AT_ONCE) --one-server -m 'not slow' $(OF_A_PACKAGE)

simulate: venv ## simulate faults under SEEDS=200 seeds; SEED=7 tells one story, PLANTED=1 hunts bugs
	PYTHONPATH=tests:tests/support $(BIN)/python -m simulation --seeds $(or $(SEEDS),200) \
		$(if $(SEED),--seed $(SEED)) $(if $(PLANTED),--planted)

chaos: venv ## kill and stop every daemon while JOBS=10000 short jobs run; SEED=7 MACHINES=6
	PYTHONPATH=tests:tests/support:tests/lab $(BIN)/python -m chaos --jobs $(or $(JOBS),10000) \
		--seed $(or $(SEED),0) --machines $(or $(MACHINES),6)

lab: venv ## as root: machines that lose power, network and NFS; SOAK_S=300 SEED=7 ONLY=soak
	$(BIN)/python -m pytest tests/lab -m 'lab or not lab' --soak-s=$(or $(SOAK_S),300) \
		$(if $(SEED),--seed=$(SEED)) $(if $(ONLY),-k '$(ONLY)')

desk: venv ## as root: a virtual machine with keyboard, login screen and cgroups; STILL_S=3600 ONLY=key
	$(BIN)/python -m pytest tests/desk -m desk --still-s=$(or $(STILL_S),60) \
		$(if $(ONLY),-k '$(ONLY)')

lint: venv ## check style, types and import layers
	$(BIN)/ruff check $(CODE)
	$(BIN)/ruff format --check $(CODE)
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: venv ## measure, beside other job queues
	$(BIN)/python -m bench

docs: venv ## write anew what docs/ takes from the code
	$(BIN)/python -m mlq.jobs.lifecycle_diagram
	$(BIN)/python -m mlq.settings.reference
	$(BIN)/python -m mlq_cli.reference > docs/.commands.md && mv docs/.commands.md docs/commands.md

clean: ## remove .venv and everything else that was made here
	rm -rf $(VENV) .demo .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	rm -rf bench/.venv bench/results
	rm -rf --one-file-system .lab
	find queue worker cli tests bench examples -name __pycache__ -prune -exec rm -rf {} +
