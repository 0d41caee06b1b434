# Two commands are enough on a fresh machine with Python 3.11+ and make:
#   make run     plays music in the browser
#   make test    runs the tests
#
# The tests of the neural engines need torch. TORCH says which build: for the small CPU build on Linux
#   make test TORCH="torch==2.13.0 --extra-index-url https://download.pytorch.org/whl/cpu"
# and TORCH= (empty) leaves those tests out.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
TORCH ?= torch==2.13.0
comma := ,
EXTRAS := dev,fast,media,cloud,ray$(if $(TORCH),$(comma)ai$(comma)openvino)

.PHONY: run test test-ray check bench native native-sanitize native-arm faults pictures dist-check clean

run: $(VENV)/.run
	$(BIN)/lullwave serve $(ARGS)

# Two processes, each with whole files of tests: more would compete for time with the browser and the players in it.
test: $(VENV)/.dev
	$(BIN)/python -m pytest -n 2 --dist loadfile $(ARGS)

# Ray on this machine: two nodes, engines that die, grow and shrink. Part of `make test`, too.
# `make bench-ray-streams` tells what a stream through Ray costs beside one in this process.
test-ray: $(VENV)/.dev
	$(BIN)/python -m pytest tests/cluster $(ARGS)

check: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# `make bench-synth` runs bench/embedded/synth.py, and so on; `make bench` lists them.
bench:
	@sed -n '1s/"""//p' bench/__init__.py; grep -l '^def main' bench/*/*.py | sed 's,bench/.*/\(.*\)\.py,  make bench-\1,' | tr _ -

bench-%: $(VENV)/.dev
	$(BIN)/python -m $(subst /,.,$(basename $(wildcard bench/*/$(subst -,_,$*).py))) $(ARGS)

# The optional kernels of MusicGen for CPUs: half a minute, with a C++17 compiler (GCC 12, Clang 15).
native: | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet ./native

# Its decoder and layers under AddressSanitizer, UndefinedBehaviorSanitizer and ThreadSanitizer, without Python.
native-sanitize:
	for kind in address,undefined thread; do \
	  cmake -S native -B build/$$kind -DLULLWAVE_CHECK=ON -DLULLWAVE_SANITIZE=$$kind && \
	  cmake --build build/$$kind --parallel 2 && build/$$kind/check || exit 1; \
	done

# The kernels for ARM without such a machine: g++-aarch64-linux-gnu and qemu-user of Debian.
native-arm:
	cmake -S native -B build/arm -DLULLWAVE_CHECK=ON -DCMAKE_SYSTEM_NAME=Linux -DCMAKE_SYSTEM_PROCESSOR=aarch64 \
	  -DCMAKE_CXX_COMPILER=aarch64-linux-gnu-g++ -DCMAKE_EXE_LINKER_FLAGS=-static
	cmake --build build/arm --parallel 2
	qemu-aarch64 -cpu max build/arm/check

# Every fault of the two servers, their network and their disk, while people listen: docs/measured/faults.md.
faults: bench-faults

# The pictures of the pages in docs/pictures, light and dark, at four sizes.
pictures: bench-screenshots

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

# Bytecode is made of the modules that the radio imports, not of all that its libraries bring: 70 MB less on disk.
$(VENV)/.run: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --no-compile --editable .
	$(BIN)/python -c "import lullwave.cli.commands.serve, lullwave.server.app, lullwave.engines.synth.engine"
	touch $@

$(VENV)/.dev: pyproject.toml $(wildcard native/*.toml native/*.txt native/src/*) | $(VENV)/bin/python
	$(if $(TORCH),$(BIN)/python -m pip install --quiet --no-compile $(TORCH))
	$(if $(TORCH),if command -v c++ >/dev/null; then $(BIN)/python -m pip wheel --quiet --no-deps -w build/native ./native & fi;) \
	$(BIN)/python -m pip install --quiet --no-compile --editable '.[$(EXTRAS)]' && wait
	$(if $(TORCH),$(BIN)/python -m pip install --quiet --no-index build/native/*.whl || echo "without lullwave-native; its tests are skipped")
	touch $@ $(VENV)/.run

# Builds the wheel and the source archive into dist/, installs the wheel in a clean environment and uses it.
dist-check: $(VENV)/.dev
	$(BIN)/python tools/check_distribution.py $(ARGS)

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache dist build
