# Needs Python 3.10 or newer with venv and pip, and make.
PYTHON ?= python3
VENV := .venv
BENCH := .venv-bench
BIN := $(VENV)/bin

.PHONY: demo train-demo test test-fast test-gpu lint bench bench-train bench-memory bench-gpu clean

# Segments the shipped street photo; the pictures land in demo_out/.
demo: $(VENV)/.installed
	$(BIN)/python examples/demo.py

# Trains the small net for a few minutes on a VOC-style folder; net and report land in train_out/.
train-demo: $(VENV)/.installed-train
	$(BIN)/python examples/camvid_train.py $(if $(DATA),--data $(DATA)) $(if $(MINUTES),--minutes $(MINUTES))

test: $(VENV)/.installed-test
	$(BIN)/python -m pytest

test-fast: $(VENV)/.installed-test
	$(BIN)/python -m pytest -m "not slow"

# The tests on a card; they need the extra `gpu` in the environment.
test-gpu: $(VENV)/.installed-test
	$(BIN)/python -m pytest -m gpu

lint: $(VENV)/.installed-test
	$(BIN)/ruff check .
	$(BIN)/mypy

# Forward passes next to OpenVINO, ONNX Runtime, OpenCV and PyTorch; results land in benchmarks/results/.
bench: $(BENCH)/.installed
	$(BENCH)/bin/python benchmarks/forward.py

# An iteration of training next to PyTorch.
bench-train: $(BENCH)/.installed
	$(BENCH)/bin/python benchmarks/training.py

# Loading, peak memory, the first pass, and how time and memory grow with the image.
bench-memory: $(BENCH)/.installed
	$(BENCH)/bin/python benchmarks/loading.py
	$(BENCH)/bin/python benchmarks/memory.py

# FCN-8s on a card next to PyTorch; CUDA=13 for CUDA 13.
bench-gpu: $(BENCH)/.installed
	$(BENCH)/bin/python -m pip install --quiet -e ".[gpu$(if $(filter 13,$(CUDA)),-cuda13)]"
	$(BENCH)/bin/python benchmarks/gpu_fcn8s.py

# The stamps make pip run again only after a change of the packaging.
$(VENV)/.installed: setup.py pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet -e .
	touch $@

$(VENV)/.installed-train: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet -e ".[plot]"
	touch $@

$(VENV)/.installed-test: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet -e ".[test]"
	touch $@

$(BENCH)/.installed: setup.py pyproject.toml benchmarks/requirements.txt
	test -x $(BENCH)/bin/python || $(PYTHON) -m venv $(BENCH)
	$(BENCH)/bin/python -m pip install --quiet -r benchmarks/requirements.txt
	touch $@

clean:
	rm -rf $(VENV) $(BENCH) build dist demo_out train_out *.egg-info .pytest_cache .mypy_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
