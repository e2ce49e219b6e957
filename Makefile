# make run        the debugger, on the page fault scenario
# make test       everything that must hold: style, types, floors, the kernels' bytes, the tests
#
# VENV=folder  where the Python environment is made;  PYTHON=python3.12  what it is made with

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin

export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_ROOT_USER_ACTION := ignore
export NO_MKDOCS_2_WARNING := 1

help:
	@echo "make run        open the debugger on the page fault scenario"
	@echo "make test       linters, types, import floors, the kernels' bytes, and the tests"
	@echo "make conformance CASES=20000"
	@echo "                random cases against the Bochs CPU, and some against QEMU"
	@echo "make walk COMMANDS=10000"
	@echo "                commands at random over every scenario: no moment may have changed when it is seen again"
	@echo "make bugs       every class of bugs: found in the kernel that has it, silent on the one in which it is fixed"
	@echo "make class COUNT=1000"
	@echo "                a class hands in: right, wrong in every way, empty, looping, hostile; each must be judged as it is"
	@echo "make bench      how fast it is, as ratios measured in one run"
	@echo "make docs       build the book, from docs/ and from the code"
	@echo "make shots      draw the pictures in screenshots/ anew"
	@echo "make scenarios  build the kernels in scenarios/ anew"
	@echo "make clean      remove the environment and what the tools leave behind"

run: $(VENV)/.installed
	$(BIN)/idtviz run page_fault

# pytest comes last: its summary is the last line.
test: $(VENV)/.tested test_tools
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	@$(MAKE) --no-print-directory -C scenarios check
	@$(MAKE) --no-print-directory -C scenarios/bugs check
	@$(MAKE) --no-print-directory -C scenarios/course check
	@$(MAKE) --no-print-directory -C idtviz/lab/skeletons check
	@$(MAKE) --no-print-directory -C idtviz/machine/firmware check
	@$(MAKE) --no-print-directory -C tests/handlers check
	$(BIN)/mkdocs build --strict --quiet
	$(BIN)/pytest -n 2 -q

docs: $(VENV)/.tested
	$(BIN)/mkdocs build --strict

bench: $(VENV)/.tested
	$(BIN)/python -m benchmarks

# Random cases through idtviz, the real Bochs CPU and, where it is installed, QEMU: how many agree, by mode and row.
CASES ?= 20000
SEED  ?= 1
QEMU  ?= 200

conformance: $(VENV)/.tested
	$(BIN)/python -m tests.conformance --cases $(CASES) --seed $(SEED) --qemu $(QEMU)

# Forward and backward, edits, undo, branches, searches: each moment that is visited again must have the same digest.
COMMANDS ?= 10000

walk: $(VENV)/.tested
	$(BIN)/python -m tests.debugger.walk --commands $(COMMANDS) --seed $(SEED)

bugs: $(VENV)/.tested
	$(BIN)/python -m tests.checks.bugs

# On a Dask cluster of this computer, with a worker killed in the middle: make class DASK=--dask
COUNT ?= 1000
DASK  ?=

class: $(VENV)/.tested
	$(BIN)/python -m tests.lab.grading.thousand --count $(COUNT) $(DASK)

shots: $(VENV)/.installed
	$(BIN)/idtviz shot page_fault   --at '#PF+15'     -o screenshots/page_fault.svg
	$(BIN)/idtviz shot breakpoint   --at '#BP:2+14'   -o screenshots/breakpoint.svg
	$(BIN)/idtviz shot double_fault --at '#DF+13'     -o screenshots/double_fault.svg
	$(BIN)/idtviz shot keyboard     --at 'irq1:9+17'  -o screenshots/keyboard.svg
	$(BIN)/idtviz shot real_mode_ivt          --at '#DE+6'  -o screenshots/real_mode_ivt.svg
	$(BIN)/idtviz shot task_gate_double_fault --at '#DF+13' -o screenshots/task_gate_double_fault.svg
	$(BIN)/idtviz shot lapic_timer            --at 'delivery:0+17' -o screenshots/lapic_timer.svg
	$(BIN)/idtviz shot boot_sector            --at 'irq1+7'  -o screenshots/boot_sector.svg
	$(BIN)/idtviz shot multiboot_stale_gdt    --at '#BP+9'   -o screenshots/multiboot_stale_gdt.svg
	$(BIN)/idtviz shot course/02_frame        --at bad_load  -o screenshots/lesson.svg
	$(BIN)/idtviz shot bugs/error_code_not_popped --at handler_return -o screenshots/finding.svg
	$(BIN)/python -c "$$BRANCH"
	$(BIN)/idtviz shot $(VENV)/branch.idtviz --at '#DF+6' -o screenshots/branch.svg

# The page fault whose gate is taken away, beside the run in which it is there.
define BRANCH
from idtviz import Session
session = Session.open("page_fault")
session.run("end")
session.seek("#PF")
session.edit("idt[14].p", 0)
session.run("end")
session.save("$(VENV)/branch.idtviz")
endef
export BRANCH

scenarios: tools
	$(MAKE) -C scenarios
	$(MAKE) -C scenarios/bugs
	$(MAKE) -C scenarios/course
	$(MAKE) -C idtviz/lab/skeletons
	$(MAKE) -C idtviz/machine/firmware

clean:
	rm -rf $(VENV) .hypothesis .mypy_cache .ruff_cache .pytest_cache .import_linter_cache dist build

# The environment. For the tests its pip is brought up to date: dependency groups need pip 25.1, Debian 12 has 23.0.

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "idtviz needs Python 3.11 or later; '$(PYTHON)' is: $$($(PYTHON) --version 2>&1)." \
	    "Name another with 'make PYTHON=python3.11 ...'." >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "$(PYTHON) cannot make virtual environments: install its venv module" \
	    "(Debian, Ubuntu: apt-get install python3-venv)." >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --editable .
	@touch $@

$(VENV)/.tested: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1'
	$(BIN)/python -m pip install --quiet --editable '.[cluster,serve]' --group test --group lint --group docs
	@touch $@ $(VENV)/.installed

tools:
	@for tool in gcc ld; do command -v $$tool >/dev/null || { \
	  echo "$$tool is missing: the kernels in scenarios/ are built with gcc and binutils" \
	    "(Debian, Ubuntu: apt-get install gcc)." >&2; exit 1; }; done

test_tools: tools
	@for tool in nasm chromium; do command -v $$tool >/dev/null || { \
	  echo "$$tool is missing: the tests assemble labs with nasm, and look at the debugger in a browser" \
	    "(Debian, Ubuntu: apt-get install nasm chromium)." >&2; exit 1; }; done

.PHONY: help run test docs bench conformance walk bugs class shots scenarios clean tools test_tools
