# Each target sets up what it needs in .venv; nothing but Python 3.11 or newer has to be there.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
WORKERS ?= auto
READY := $(VENV)/.ready
# The driver manager of ODBC, where the system has none; see the script.
UNIXODBC := $(abspath $(VENV))/unixodbc
ODBC_READY := $(VENV)/.odbc-ready
ETCD_READY := $(VENV)/.etcd-ready

.PHONY: demo cluster cluster-stop test check soak bench clean

$(READY): pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit("custctl needs Python 3.11 or newer" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $(READY)

$(ODBC_READY): $(READY) tests/servers/unixodbc.sh tests/servers/unpack.sh
	sh tests/servers/unixodbc.sh $(abspath $(BIN))/python $(UNIXODBC)
	touch $(ODBC_READY)

$(ETCD_READY): $(READY) tests/servers/etcd.sh tests/servers/unpack.sh
	sh tests/servers/etcd.sh $(abspath $(BIN))
	touch $(ETCD_READY)

test soak: export LD_LIBRARY_PATH := $(UNIXODBC)$(if $(LD_LIBRARY_PATH),:$(LD_LIBRARY_PATH))

demo: $(READY) ## the main job on the embedded default, shown
	PATH="$(abspath $(BIN)):$$PATH" sh examples/demo.sh

cluster: $(READY) ## a PostgreSQL primary, two standbys and a Valkey, with a profile to try failover on
	$(BIN)/python examples/cluster.py start

cluster-stop: ## end and remove them
	if [ -d .cluster ]; then $(BIN)/python examples/cluster.py stop; fi

test: $(ODBC_READY) $(ETCD_READY) ## all tests
	$(BIN)/python -m pytest --numprocesses $(WORKERS)

check: $(READY) ## lint, types, import rules, docs
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest --quiet tests/docs tests/architecture

soak: $(ODBC_READY) $(ETCD_READY) ## the long runs of the killed and racing processes, and of changes of the primary
	CUSTCTL_TEST_KILLS=200 $(BIN)/python -m pytest --ignore=tests/replicas -k "kill or race or concurren"
	CUSTCTL_TEST_KILLS=50 CUSTCTL_TEST_SWITCHOVERS=20 CUSTCTL_TEST_STATES=100 CUSTCTL_TEST_STEPS=14 \
		$(BIN)/python -m pytest tests/replicas -k "kill or acknowledged"

bench: $(READY) $(ETCD_READY) ## side by side with peers; prints ratios
	$(BIN)/python -m benchmarks

clean: cluster-stop
	rm -rf $(VENV) .demo build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
