# make demo    install, then the whole way from rendered faces to a served model (a quarter of an hour)
# make test    install, then the tests (a few minutes)
# PYTHON=python3.12 make test    the same on the second supported set

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VERSION := $(shell $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)
VENV ?= .venv-$(VERSION)
RUN := $(VENV)/bin/python
INSTALLED := $(VENV)/.installed
# A file's tests stay together, as they share what was made for them.
SIDE_BY_SIDE := -n auto --maxprocesses 4 --dist loadfile

.PHONY: help demo test test-all lint clean
help:
	@sed -n 's/^# //p' Makefile

demo: $(INSTALLED)
	$(RUN) -m fesr_tf.demo

test: $(INSTALLED)
	$(RUN) -m pytest -q -m "not slow" --durations 20 $(SIDE_BY_SIDE)

test-all: $(INSTALLED)
	$(RUN) -m pytest -q $(SIDE_BY_SIDE)

lint: $(INSTALLED)
	$(RUN) -m ruff check .

$(INSTALLED): setup.py
	@case "$(VERSION)" in 3.11|3.12|3.13) ;; *) \
	  echo "error: FESR-TF needs Python 3.11, 3.12 or 3.13, and '$(PYTHON)' is '$(VERSION)': give one, as in PYTHON=python3.11 make demo" >&2; exit 2;; esac
	$(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install --quiet --upgrade pip
	@echo "installing TensorFlow, Beam and dlib into $(VENV): one to three minutes ..."
	$(RUN) -m pip install --quiet --editable '.[dev]'
	$(RUN) -m pip check
	@touch $@

clean:
	rm -rf .venv-* build *.egg-info .pytest_cache .ruff_cache
