# What people do with EventHub. Every target makes what it needs: a machine with Python 3.11 and make is enough.
#
#   make run                  the whole product: PORT=8000 HOST=127.0.0.1 VAR_DIR=var ADMIN_PASSWORD=… DEMO=0 DEMO_RATE=8
#                             DEMO_BROKERS=kafka,rabbitmq,sqs (the demo shop on real brokers)
#   make test                 every test a clean machine can run   (ARGS="-k trace" for pytest)
#   make bench ONLY=name      one benchmark; without ONLY, all   (ARGS=--check: none worse than the committed ratios)

.DEFAULT_GOAL := help
.PHONY: help run test test-unit fuzz chaos chaos-long soak lint format docs bench vendor services-up services-down services-status compose-up compose-down brokers environment environment-dev

IN := .venv/bin
ARGS ?=
ONLY ?=
SERVICES := postgres redis rabbitmq kafka elasticmq

help: ## what there is
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{printf "  make %-15s %s\n", $$1, $$2}'

run: environment ## run EventHub on this machine; Ctrl-C stops it
	@exec scripts/run

test: environment-dev brokers ## every test a clean machine can run
	@scripts/chromium
	$(IN)/pytest -m "not chaos" -n 2 $(ARGS)

test-unit: environment-dev ## the fast ones, under a minute
	$(IN)/pytest -m "not chaos and not e2e and not product and not slow and not integration" $(ARGS)

chaos: environment-dev brokers ## the whole product under load while everything fails in turn; a quarter of an hour
	$(IN)/pytest tests/chaos/whole/test_whole.py -m chaos $(ARGS)

chaos-long: environment-dev brokers ## a million events of each broker under kills; an hour and more
	$(IN)/pytest -m chaos --ignore tests/chaos/whole $(ARGS)

soak: environment-dev brokers ## half an hour of load: memory stays flat, pages are quick   (SOAK_MINUTES=30)
	$(IN)/pytest tests/chaos/whole/test_soak.py -m chaos -s $(ARGS)

fuzz: environment-dev ## 200,000 inputs and schemathesis; tens of minutes
	scripts/fuzz

lint: environment-dev ## format, lint, types, layers, migrations, configuration
	scripts/lint

format: environment-dev ## format the code, and fix what can be fixed
	$(IN)/ruff format .
	$(IN)/ruff check --fix .

docs: environment-dev ## the site of docs/, under var/site; stops at a link that leads nowhere
	$(IN)/sphinx-build -q -W -n --keep-going -b html docs var/site
	@echo "Open var/site/index.html"

bench: environment-dev ## benchmarks; appends to var/bench.jsonl
	$(IN)/python -m benchmarks $(ONLY) $(ARGS)

vendor: environment ## fetch the browser's assets again (needs npm)
	$(IN)/python scripts/vendor

# Natively, on loopback, on ports of their own, under var/services. What the environment names (KAFKA_BOOTSTRAP_SERVERS,
# RABBITMQ_URL, SQS_ENDPOINT_URL) is used instead. Without this, a test run starts what it needs by itself.
services-up: environment-dev brokers ## start Kafka, RabbitMQ and ElasticMQ for tests and benchmarks; says how to reach them
	@$(IN)/python -m tests.services up

services-status: environment-dev ## which of them run, and how to reach them
	@$(IN)/python -m tests.services status

services-down: environment-dev ## stop them; their data stays under var/services
	@$(IN)/python -m tests.services down

compose-up: ## start PostgreSQL, Redis, RabbitMQ, Kafka and ElasticMQ with Docker
	@scripts/docker-compose up --detach --wait $(SERVICES)
	@echo
	@echo "Use them with:"
	@echo "  DATABASE_URL=postgresql://eventhub:eventhub@127.0.0.1:5432/eventhub REDIS_URL=redis://127.0.0.1:6379/0 make run"
	@echo "RabbitMQ as Celery's broker: CELERY_BROKER_URL=amqp://eventhub:eventhub@127.0.0.1:5672//"
	@echo "For tests: KAFKA_BOOTSTRAP_SERVERS=127.0.0.1:9092 RABBITMQ_URL=amqp://eventhub:eventhub@127.0.0.1:5672/ \"
	@echo "  RABBITMQ_MANAGEMENT_URL=http://eventhub:eventhub@127.0.0.1:15672 SQS_ENDPOINT_URL=http://127.0.0.1:9324 make test"

compose-down: ## stop them; their data stays in Docker's volumes
	@scripts/docker-compose stop $(SERVICES)

brokers:
	@scripts/brokers

environment:
	@scripts/environment base

environment-dev:
	@scripts/environment dev
