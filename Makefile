# What people do with EventHub. Every target makes what it needs: a machine with Python 3.11 and make is enough.
#
#   make run                  the whole product: PORT=8000 HOST=127.0.0.1 VAR_DIR=var ADMIN_PASSWORD=… DEMO=0 DEMO_RATE=8
#   make test                 every test a clean machine can run   (ARGS="-k trace" for pytest)
#   make bench ONLY=name      one benchmark; without ONLY, all

.DEFAULT_GOAL := help
.PHONY: help run test test-unit chaos lint format bench vendor services-up services-down environment environment-dev

IN := .venv/bin
ARGS ?=
ONLY ?=
SERVICES := postgres redis rabbitmq kafka elasticmq

help: ## what there is
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{printf "  make %-15s %s\n", $$1, $$2}'

run: environment ## run EventHub on this machine; Ctrl-C stops it
	@exec $(IN)/python manage.py up --end-with-parent

test: environment-dev ## every test a clean machine can run
	@scripts/chromium
	$(IN)/pytest -m "not chaos" $(ARGS)

test-unit: environment-dev ## the fast ones, under a minute
	$(IN)/pytest -m "not chaos and not e2e and not product and not slow and not integration" $(ARGS)

chaos: environment-dev ## the long ones, which kill processes
	$(IN)/pytest -m chaos $(ARGS)

lint: environment-dev ## format, lint, types, layers, migrations, configuration
	scripts/lint

format: environment-dev ## format the code, and fix what can be fixed
	$(IN)/ruff format .
	$(IN)/ruff check --fix .

bench: environment-dev ## benchmarks; appends to var/bench.jsonl
	$(IN)/python -m benchmarks $(ONLY)

vendor: environment ## fetch the browser's assets again (needs npm)
	$(IN)/python scripts/vendor

services-up: ## start PostgreSQL, Redis, RabbitMQ, Kafka and ElasticMQ with Docker
	@scripts/docker-compose up --detach --wait $(SERVICES)
	@echo
	@echo "Use them with:"
	@echo "  DATABASE_URL=postgresql://eventhub:eventhub@127.0.0.1:5432/eventhub REDIS_URL=redis://127.0.0.1:6379/0 make run"
	@echo "RabbitMQ as Celery's broker: CELERY_BROKER_URL=amqp://eventhub:eventhub@127.0.0.1:5672//"

services-down: ## stop them; their data stays in Docker's volumes
	@scripts/docker-compose stop $(SERVICES)

environment:
	@scripts/environment base

environment-dev:
	@scripts/environment dev
