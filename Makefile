# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
#
# For machines without a ROS distribution. If a distribution is sourced, use colcon and ros2 launch
# (README.md).
#
#   make demo      street video -> player -> perception node -> recorder -> demo_output/
#   make replay BAG=…  bag with ground truth -> perception node -> evaluation/report.html
#   make test      linters, type checks and tests
#   make test-all  make test, and the slow tests and those that need data
#   make tables    write the tables of the documentation, and config/hydranet.yaml, from the code
#   make env       make only the virtual environment: node, models, bags, reports
#   make env-training   also training and distillation
#   make env-all        everything: also export, the viewer, tests and linters

PYTHON ?= $(firstword $(shell command -v python3.11 python3))
VENV ?= .venv
BIN := $(VENV)/bin
RUNTIME := $(VENV)/.runtime-installed
DEVELOPMENT := $(VENV)/.development-installed
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

# The demo on a video or bag of your own: make demo VIDEO=drive.mp4 MODEL=mine.safetensors, or
# make demo VIDEO=my_bag IMAGE_TOPIC=/camera/image_raw.
VIDEO ?=
MODEL ?=
IMAGE_TOPIC ?=
DEMO_OUTPUT ?= demo_output
# What make replay plays, with the same MODEL and IMAGE_TOPIC; see docs/guides/replay.md.
BAG ?=

# Tests talk over DDS on this machine alone.
export ROS_AUTOMATIC_DISCOVERY_RANGE ?= LOCALHOST
export ROS_LOG_DIR ?= $(CURDIR)/log

.PHONY: env env-training env-all demo replay test test-all check tables pin clean

env: $(RUNTIME)

env-training: $(RUNTIME)
	$(PIP) install -c .ci/requirements.txt -c .ci/requirements-dev.txt \
	  lightning-fabric tensorboard h5py ai-edge-litert onnxruntime

env-all: $(DEVELOPMENT)

# ROS 2 wheels beside a sourced distribution would shadow its rclpy.
$(VENV)/bin/python:
	@test -z "$$ROS_DISTRO" || { echo "ROS 2 $$ROS_DISTRO is sourced: use colcon build and" \
	  "ros2 launch as README.md says, or start a shell without it." >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(RUNTIME): .ci/requirements.txt setup.py | $(VENV)/bin/python
	$(PIP) install -r .ci/requirements.txt
	$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(DEVELOPMENT): .ci/requirements-dev.txt $(RUNTIME)
	$(PIP) install -r .ci/requirements-dev.txt
	@touch $@

demo: $(RUNTIME)
	$(BIN)/hydranet demo --output $(DEMO_OUTPUT) $(if $(VIDEO),--video $(VIDEO)) \
	  $(if $(MODEL),--model $(MODEL)) $(if $(IMAGE_TOPIC),--image $(IMAGE_TOPIC))

replay: $(RUNTIME)
	$(BIN)/hydranet replay $(BAG) $(if $(MODEL),--model $(MODEL)) \
	  $(if $(IMAGE_TOPIC),--image $(IMAGE_TOPIC))

check: $(DEVELOPMENT)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/ament_flake8 --config .ci/ament_flake8.ini hydranet_ros launch test setup.py > $(VENV)/flake8.log || { cat $(VENV)/flake8.log; exit 1; }
	# D417 is off: parameters that their name and type explain are not described.
	$(BIN)/ament_pep257 hydranet_ros launch setup.py --add-ignore D417 > $(VENV)/pep257.log 2>&1 || { cat $(VENV)/pep257.log; exit 1; }
	$(BIN)/mypy
	$(BIN)/hadolint docker/Dockerfile

# The tests run in four processes, divided by the marks that test/conftest.py sets and explains.
PYTEST = $(BIN)/python -m pytest --cov

define run-tests
	$(PYTEST) --cov-report= -m "training and ($(1))"
	$(PYTEST) --cov-append --cov-report= -m "ros and ($(1))"
	$(PYTEST) --cov-append --cov-report= -m "system and ($(1))"
	$(PYTEST) --cov-append --cov-report=term -m "not (training or ros or system) and ($(1))"
endef

test: check
	$(call run-tests,not slow)

test-all: check
	$(call run-tests,slow or not slow)

tables: $(RUNTIME)
	$(BIN)/python docs/tools/write_tables.py

pin: | $(VENV)/bin/python
	$(BIN)/python .ci/pin.py

clean:
	rm -rf $(VENV) .cache build install log demo_output
