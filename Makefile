# Two commands: `make run` and `make test`. Needs Python >= 3.11, git and make; installs everything else into .venv.
PYTHON ?= python3
# Processes that share the tests, and threads of each: make test JOBS=1 THREADS=2
JOBS ?= 2
THREADS ?= 1
# What is typed is passed on as it stands, in the environment: neither make nor a shell looks for
# commands in it. The course's tool refuses what is no address, no notebook, no number.
override PYTHON := $(value PYTHON)
override REPO := $(value REPO)
override NAMES := $(value NAMES)
override ROOMS := $(value ROOMS)
override CHILDREN := $(value CHILDREN)
override SAMPLE := $(value SAMPLE)
override DRAW := $(value DRAW)
override JOBS := $(value JOBS)
override THREADS := $(value THREADS)
export PYTHON REPO NAMES ROOMS CHILDREN SAMPLE DRAW JOBS THREADS
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
COURSE := $(BIN)/python notebooks/course.py
export PYTHONHASHSEED ?= 0
export PIP_DISABLE_PIP_VERSION_CHECK := 1

# uv installs faster, where it is there (INSTALLER=pip asks for pip all the same).
# CPU=1 leaves the GPU's libraries out, several GB; pip must be told where, see TORCH below.
ifeq ($(origin INSTALLER),undefined)
INSTALLER := $(if $(shell command -v uv 2>/dev/null),uv,pip)
endif
override INSTALLER := $(value INSTALLER)
override CPU := $(value CPU)
override TORCH_INDEX := $(value TORCH_INDEX)
export TORCH_INDEX
ifeq ($(INSTALLER),uv)
INSTALL := uv pip install --quiet --python $(BIN)/python $(if $(filter 1,$(CPU)),--torch-backend cpu)
SETUP := true
WORKS := $(BIN)/python -c ''
TORCH := true
else
INSTALL := $(BIN)/python -m pip install --quiet
SETUP := $(INSTALL) --upgrade pip
WORKS := $(BIN)/python -m pip --version
TORCH := $(if $(filter 1,$(CPU)),test -n "$$TORCH_INDEX" || { echo "pip needs the address that pytorch.org (Get Started; Pip; CPU) shows: make install CPU=1 TORCH_INDEX=address; uv needs none"; exit 1; }; $(INSTALL) torch torchvision --index-url "$$TORCH_INDEX" -c tests/constraints.txt,true)
endif

.DEFAULT_GOAL := help
.PHONY: help install run test faults pretend-gpu notebooks bench device-snapshot mutants student book slides book-test spelling assignment assignment-test retarget lint clean

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(STAMP): requirements.txt pyproject.toml tests/constraints.txt
	@"$$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: make PYTHON=/path/to/python3.12 ..."; exit 1; }
	@($(WORKS)) > /dev/null 2>&1 || "$$PYTHON" -m venv $(VENV) || { echo "no virtual environment could be made: install Python's venv package (Debian: python3-venv)"; exit 1; }
	@($(WORKS)) > /dev/null 2>&1 || { echo "$(VENV) is half made, its installation was interrupted: rm -rf $(VENV), then run this again"; exit 1; }
	@echo "installing into $(VENV): once, a few minutes, several GB (torch)"
	@$(SETUP)
	@$(TORCH)
	@$(INSTALL) -r requirements.txt -c tests/constraints.txt
	@$(INSTALL) --no-deps -e . > $(VENV)/install.log 2>&1 || { cat $(VENV)/install.log; exit 1; }
	@touch $@

install: $(STAMP)  ## the environment (the other commands call this)

run: $(STAMP)  ## notebook 00 on the real data if it can be had: result table and an HTML page
	@$(COURSE) run 00_start_here --profile laptop

test: $(STAMP)  ## lint, rooms, unit tests, every notebook: contract, papermill smoke, nbval
	@$(BIN)/ruff check hqnn_utils tests notebooks
	@$(BIN)/ruff format --check hqnn_utils tests notebooks
	@d=$$(mktemp -d) && trap 'rm -rf "$$d"' EXIT && \
	HQNN_PROFILE=smoke HQNN_STATIC=1 HQNN_FRAMES=3 HQNN_RESULTS=$$d OMP_NUM_THREADS="$$THREADS" \
	$(BIN)/python -m pytest tests notebooks -n "$$JOBS" --nbval-lax --nbval-cell-timeout=300

faults: $(STAMP)  ## all faults of tests/faults, the long ones too: killed processes, full disks, stalled servers
	@OMP_NUM_THREADS="$$THREADS" $(BIN)/python -m pytest tests/faults -m "long or not long"

pretend-gpu: $(STAMP)  ## every notebook with a GPU that is only pretended: finds what mixes devices; minutes
	@OMP_NUM_THREADS="$$THREADS" $(BIN)/python -m pytest tests/gpu -m "long or not long" -n "$$JOBS"

notebooks: $(STAMP)  ## run every notebook in the laptop profile and store outputs, records and timings (NAMES="00 04")
	@set -f; $(COURSE) execute -- $$NAMES

build/peers/.installed: tests/benchmarks/peers.txt tests/constraints.txt
	@"$$PYTHON" -m venv build/peers
	@build/peers/bin/python -m pip install --quiet --upgrade pip
	@build/peers/bin/python -m pip install --quiet -r tests/benchmarks/peers.txt -c tests/constraints.txt
	@touch $@

bench: build/peers/.installed $(STAMP)  ## quantum layer beside its peers, qubits, BreakHis loading (quiet machine!): tables, records
	@build/peers/bin/python tests/benchmarks/quantum_layer.py --out notebooks/results/benchmarks
	@$(BIN)/python tests/benchmarks/qubit_scaling.py --out notebooks/results/benchmarks
	@$(BIN)/python tests/benchmarks/breakhis_loading.py --out notebooks/results/benchmarks
	@$(BIN)/python tests/benchmarks/breakhis_end_to_end.py --out notebooks/results/benchmarks

DEVICE := notebooks/results/12_shots_noise_hardware/device
build/device-env/.installed: notebooks/device/requirements.txt
	@"$$PYTHON" -m venv build/device-env
	@build/device-env/bin/python -m pip install --quiet --upgrade pip
	@build/device-env/bin/python -m pip install --quiet -r notebooks/device/requirements.txt
	@touch $@

device-snapshot: build/device-env/.installed  ## notebook 12's circuit on Qiskit Aer with a published device's noise: its record
	@build/device-env/bin/python notebooks/device/snapshot.py --circuit $(DEVICE)/circuit.json --out $(DEVICE)/snapshot.json

mutants: $(STAMP)  ## how many changes of behaviour the tests notice, room by room (ROOMS="training" CHILDREN=1 SAMPLE=300); takes long
	@$(BIN)/python -m pip install --quiet "mutmut>=3.8" -c tests/constraints.txt
	@set -f; $(BIN)/python tests/mutation/measure.py --children "$$CHILDREN" --sample "$$SAMPLE" --draw "$$DRAW" -- $$ROOMS

student: $(STAMP)  ## versions without solutions and outputs, in build/student
	@$(COURSE) student

build/book-env/.installed: notebooks/book/requirements.txt tests/constraints.txt
	@"$$PYTHON" -m venv build/book-env
	@build/book-env/bin/python -m pip install --quiet --upgrade pip
	@build/book-env/bin/python -m pip install --quiet -r notebooks/book/requirements.txt -c tests/constraints.txt
	@touch $@

book: build/book-env/.installed  ## the website of the stored notebooks, in build/book; nothing is executed
	@build/book-env/bin/python notebooks/course.py book

slides: build/book-env/.installed  ## a deck for each notebook with tagged cells, in build/slides
	@build/book-env/bin/python notebooks/course.py slides

spelling: build/book-env/.installed  ## misspelt words everywhere, American ones in what is read
	@build/book-env/bin/python notebooks/course.py spelling

# Otter-Grader stands in an environment of its own, which looks into .venv for all that the course needs.
# It wants an older wrapt than the course has: that one pin stands in otter.txt.
build/otter-env/.installed: notebooks/book/otter.txt tests/constraints.txt $(STAMP)
	@$(BIN)/python -m venv build/otter-env
	@build/otter-env/bin/python -m pip install --quiet --upgrade pip
	@grep -v '^wrapt==' tests/constraints.txt > build/otter-constraints.txt
	@build/otter-env/bin/python -m pip install --quiet -r notebooks/book/otter.txt -c build/otter-constraints.txt
	@$(BIN)/python -c 'import sysconfig as s; print("import site; site.addsitedir({!r})".format(s.get_path("purelib")))' > "$$(build/otter-env/bin/python -c 'import sysconfig as s; print(s.get_path("purelib"))')/course.pth"
	@touch $@

assignment: build/otter-env/.installed  ## exercises as Otter-Grader assignments, in build/assignment (NAMES="04")
	@set -f; build/otter-env/bin/python notebooks/course.py assignment -- $$NAMES

assignment-test: build/otter-env/.installed  ## an assignment with a right, a wrong and an empty submission
	@HQNN_PROFILE=smoke HQNN_STATIC=1 HQNN_FRAMES=3 PYTHONPATH=.:notebooks build/otter-env/bin/python -m pytest tests/assignment --confcutdir=tests/assignment

book-test: book  ## the book in a real browser (Debian: apt install chromium chromium-driver)
	@HQNN_BOOK=build/book PYTHONPATH=notebooks build/book-env/bin/python -m pytest tests/book --confcutdir=tests/book

retarget: $(STAMP)  ## point badges and install cells at your fork: make retarget REPO=owner/name
	@$(COURSE) retarget -- "$$REPO"

lint: $(STAMP)  ## format and lint in place
	@$(BIN)/ruff check --fix hqnn_utils tests notebooks
	@$(BIN)/ruff format hqnn_utils tests notebooks

clean:  ## remove what was built; the environment stays (rm -rf .venv removes that too)
	@rm -rf build *.egg-info .ruff_cache .hypothesis notebooks/my_results
	@find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +
