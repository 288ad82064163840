import pytest

from eventhub.brokers.models import Kind, Source
from eventhub.brokers.secrets import keeping
from eventhub.demo.elsewhere import BadBrokers, Elsewhere, read_brokers
from eventhub.demo.setup import STREAMS, set_up

WHERE = {
    "KAFKA_BOOTSTRAP_SERVERS": "kafka:9092",
    "RABBITMQ_URL": "amqp://shop:secret@rabbitmq/",
    "SQS_ENDPOINT_URL": "http://elasticmq:9324",
}


def test_brokers_are_named_by_a_list():
    brokers = read_brokers(" kafka, SQS,kafka", WHERE)
    assert [(broker.name, broker.address) for broker in brokers] == [
        ("kafka", "kafka:9092"),
        ("sqs", "http://elasticmq:9324"),
    ]
    assert read_brokers("", {}) == ()


def test_an_unknown_broker_and_one_without_address_are_refused_with_what_to_do():
    with pytest.raises(BadBrokers, match="kafka, rabbitmq, sqs"):
        read_brokers("nats", WHERE)
    with pytest.raises(BadBrokers, match="RABBITMQ_URL"):
        read_brokers("rabbitmq", {})


@pytest.mark.django_db
def test_what_lives_elsewhere_is_tapped_there_and_not_on_redis():
    set_up(read_brokers("kafka,rabbitmq,sqs", WHERE))
    streams = Source.objects.get(name="shop").config["streams"]
    assert streams == ["shop.receipts"]
    assert Source.objects.get(name="shop-kafka").config["topics"] == ["shop.orders", "shop.payments"]
    rabbitmq = Source.objects.get(name="shop-rabbitmq")
    assert (rabbitmq.kind, rabbitmq.config["exchange"]) == (Kind.RABBITMQ, "shop")
    assert "secret" not in str(rabbitmq.config)
    assert Source.objects.get(name="shop-sqs").config["queues"] == ["shop-email", "shop-customers"]


@pytest.mark.django_db
def test_the_sources_follow_when_the_brokers_change_at_the_next_start():
    set_up(read_brokers("kafka,sqs", WHERE))
    set_up([Elsewhere("kafka", "elsewhere:9092")])
    assert Source.objects.get(name="shop-kafka").config["bootstrap_servers"] == "elsewhere:9092"
    assert not Source.objects.get(name="shop-sqs").enabled
    assert "shop.email" in Source.objects.get(name="shop").config["streams"]
    set_up()
    assert Source.objects.get(name="shop").config["streams"] == list(STREAMS)
    assert not Source.objects.get(name="shop-kafka").enabled
    set_up(read_brokers("rabbitmq", WHERE))
    set_up([Elsewhere("rabbitmq", "amqp://shop:other@rabbitmq/")])
    assert keeping.whole_config(Source.objects.get(name="shop-rabbitmq"))["password"] == "other"


@pytest.mark.django_db
def test_what_a_person_changed_stays():
    set_up()
    source = Source.objects.get(name="shop")
    source.config["streams"] = ["shop.orders", "my.own"]
    source.save()
    set_up(read_brokers("kafka", WHERE))
    assert Source.objects.get(name="shop").config["streams"] == ["shop.orders", "my.own"]
