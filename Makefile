# The list of commands. Each installs the environment first if it is missing or out of date.
# Pass options to a command by ARGS, for example: make demo ARGS=--once

VENV := $(or $(UV_PROJECT_ENVIRONMENT),.venv)
READY := $(VENV)/.ready
RUN := PATH="$(abspath $(VENV))/bin:$$PATH"
PYTEST := $(RUN) pytest
PARALLEL := $(PYTEST) -n logical --dist loadfile
# Tests on servers wait more than they compute.
ON_SERVERS := $(PYTEST) -n $(shell expr 2 '*' $$(getconf _NPROCESSORS_ONLN)) --dist worksteal
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help demo up down test check unit simulate mutants integration browser on-servers pictures e2e bench due optimum day chaos calendars fuzz accuracy docs docs-site format images release

help: ## this list
	@sed -n 's/^\([a-z0-9-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 14

demo: $(READY) ## a realistic day of premium requests through the real system, live (ARGS=--once ends by itself)
	@$(RUN) premium demo $(ARGS)

up: $(READY) ## start PostgreSQL, Kafka and the four services
	@$(RUN) premium up $(ARGS)

down: $(READY) ## stop them
	@$(RUN) premium down $(ARGS)

test: check unit on-servers e2e ## everything that must be green before a change is merged

check: $(READY) ## style, types, and import contracts
	@$(RUN) ruff format --check .
	@$(RUN) ruff check .
	@$(RUN) mypy
	@$(RUN) lint-imports

unit: $(READY) ## tests that need no server: rules, contracts, tidiness
	@$(PARALLEL) tests/unit tests/simulation tests/matching tests/contracts tests/tidy tests/accuracy $(ARGS)

simulate: $(READY) ## many random histories through the clock engine, compared with a simple oracle
	@$(RUN) python -m tests.simulation $(ARGS)

mutants: $(READY) ## small faults in the rules of the domain packages: how many do the unit tests detect
	@$(RUN) python -m tests.mutants $(ARGS)

integration: $(READY) ## tests on a real PostgreSQL, Kafka and PgBouncer (installed by apt if root, else: install it)
	@deploy/pgbouncer
	@$(ON_SERVERS) tests/integration $(ARGS)

browser: $(READY) ## tests of the pages in Chromium (installed by apt if root, else: install it)
	@deploy/chromium
	@$(ON_SERVERS) tests/browser $(ARGS)

on-servers: $(READY) ## integration and browser tests in one run
	@deploy/pgbouncer
	@deploy/chromium
	@$(ON_SERVERS) tests/integration tests/browser $(ARGS)

pictures: $(READY) ## write the pictures of all pages to docs/pictures, light and dark: look at them before you commit
	@deploy/chromium
	@$(PYTEST) tests/browser -k states --pictures docs/pictures $(ARGS)

e2e: $(READY) ## tests of the four services as processes, also under kill -9
	@deploy/pgbouncer
	@deploy/chromium
	@$(PYTEST) tests/e2e tests/chaos $(ARGS)

bench: $(READY) ## throughput and latency beside a minimal hand-written program
	@$(RUN) premium bench $(ARGS)

due: $(READY) ## how late due clocks are published, beside other schedulers, with millions open, under kill -9
	@$(RUN) premium bench-due $(ARGS)

optimum: $(READY) ## promises kept on small random days, beside the maximum
	@$(RUN) python -m tests.matching $(ARGS)

day: $(READY) ## a day of the demo worked in Chromium by two specialists and their lead: four minutes
	@deploy/chromium
	@$(PYTEST) tests/e2e/day_in_the_inbox.py $(ARGS)

chaos: $(READY) ## the same result with and without kill -9, over many seeds
	@$(PYTEST) tests/chaos --seeds 10 $(ARGS)

calendars: $(READY) ## business time compared with a minute-by-minute oracle, over a million random cases
	@$(PYTEST) tests/unit/shared/test_calendar_oracle.py --seeds 40 $(ARGS)

fuzz: $(READY) ## intake's HTTP API against its OpenAPI document, and ten million malformed Kafka records
	@$(RUN) python -m tests.fuzz.api
	@$(RUN) python -m tests.fuzz.decoder --inputs 10000000 --seed 1 --processes 2

accuracy: $(READY) ## accuracy of language detection and of checks of business-critical claims, on real text
	@$(PYTEST) tests/accuracy -s $(ARGS)
	@$(RUN) uv run --frozen --inexact --group accuracy python -m tests.accuracy

docs: $(READY) ## generate from code: README's table, docs/api, docs/reference
	@$(RUN) python -m docs $(ARGS)

docs-site: $(READY) ## build the docs site into site/, which loads nothing from other hosts
	@$(RUN) python -m docs.site gather
	@$(RUN) NO_MKDOCS_2_WARNING=1 uv run --frozen --inexact --group docs mkdocs build --quiet --strict
	@$(RUN) python -m docs.site check

format: $(READY) ## format the code, and fix what can be fixed automatically
	@$(RUN) ruff format .
	@$(RUN) ruff check --fix .

images: $(READY) ## container images of PostgreSQL and Kafka without an image registry (root, Debian)
	@$(RUN) deploy/test-images/build $(ARGS)

release: $(READY) ## make a release in this clone, without pushing it: make release VERSION=x.y.z
	@$(RUN) python deploy/release.py "$(VERSION)" "$$(date -u +%F)"

$(READY): uv.lock pyproject.toml .python-version $(wildcard */pyproject.toml */*/pyproject.toml) deploy/setup
	@deploy/setup
	@touch $@
