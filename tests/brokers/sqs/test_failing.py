"""What goes wrong: requests that SQS refuses or fails, in whole or in part."""

import pytest

from eventhub.brokers.adapter import BrokerError, Refused
from eventhub.events.message import OutgoingMessage
from tests.brokers.sqs.door import refusal
from tests.brokers.sqs.queues import bodies, counts, poll_all, send

pytestmark = pytest.mark.integration


def failing_first(operation, times):
    """The first `times` answers to `operation` say that SQS failed at the second entry, which was not sent on."""
    left = [times]

    def answer(asked, request):
        if asked != operation or left[0] <= 0:
            return None
        left[0] -= 1
        rest = [entry["Id"] for entry in request["Entries"]]
        failed = [{"Id": rest[0], "SenderFault": False, "Code": "InternalError", "Message": "try again"}]
        return 200, {"Successful": [], "Failed": failed + [dict(failed[0], Id=other) for other in rest[1:]]}

    return answer


def test_what_sqs_fails_to_delete_is_deleted_by_trying_again(client, queue, reader, door):
    name = queue()
    send(client, name, "1", "2", "3")
    adapter = reader(name, endpoint_url=door.url)
    messages = poll_all(adapter, 3, acknowledge=False)
    door.answer = failing_first("DeleteMessageBatch", 2)
    adapter.acknowledge(messages)
    assert counts(client, name) == (0, 0)
    assert door.requests["DeleteMessageBatch"] >= 3


def test_what_sqs_keeps_failing_to_delete_is_an_error_that_names_the_queue(client, queue, reader, door):
    name = queue()
    send(client, name, "1", "2")
    adapter = reader(name, endpoint_url=door.url)
    messages = poll_all(adapter, 2, acknowledge=False)
    door.answer = failing_first("DeleteMessageBatch", 99)
    with pytest.raises(BrokerError, match=f"of the queue '{name}' could not be deleted.*try again"):
        adapter.acknowledge(messages)


def test_a_receipt_that_is_over_is_not_an_error(client, queue, reader):
    name = queue()
    send(client, name, "1")
    adapter = reader(name)
    messages = poll_all(adapter, 1, acknowledge=False)
    url = client.get_queue_url(QueueName=name)["QueueUrl"]
    client.purge_queue(QueueUrl=url)
    adapter.acknowledge(messages)
    adapter.acknowledge(messages)


def test_what_sqs_fails_to_take_is_sent_again_and_in_the_end_named_by_its_place(client, queue, reader, door):
    name = queue()
    adapter = reader(name, endpoint_url=door.url)
    door.answer = failing_first("SendMessageBatch", 2)
    adapter.publish([OutgoingMessage(b"%d" % n, name) for n in range(3)])
    assert counts(client, name) == (3, 0)

    def second_fails(operation, request):
        if operation != "SendMessageBatch":
            return None
        bad = [entry["Id"] for entry in request["Entries"] if entry["MessageBody"] == "bad"]
        failed = [
            {"Id": n, "SenderFault": True, "Code": "InvalidMessageContents", "Message": "no"} for n in bad
        ]
        return (200, {"Successful": [], "Failed": failed}) if bad else None

    door.answer = second_fails
    with pytest.raises(Refused) as refused:
        adapter.publish([OutgoingMessage(b"good", queue()), OutgoingMessage(b"bad", name)])
    assert list(refused.value.reasons) == [1]
    assert "InvalidMessageContents" in refused.value.reasons[1]


def test_a_throttled_request_is_made_again(client, queue, reader, door):
    name = queue()
    adapter = reader(name, endpoint_url=door.url)
    left = [4]

    def throttle(operation, request):
        if operation == "SendMessageBatch" and left[0] > 0:
            left[0] -= 1
            return refusal("RequestThrottled", "Rate exceeded", 403)
        return None

    door.answer = throttle
    adapter.publish([OutgoingMessage(b"1", name)])
    assert counts(client, name) == (1, 0)
    assert left == [0]


def test_what_cannot_be_sent_is_refused_by_its_place_and_the_rest_is_out(client, queue, reader):
    name = queue()
    adapter = reader(name)
    messages = [
        OutgoingMessage(b"1", name),
        OutgoingMessage(b"x" * 1_048_577, name),
        OutgoingMessage(b"2", "nowhere-to-be-found"),
        OutgoingMessage(b"3\x00", name),
        OutgoingMessage(b"4", name),
    ]
    with pytest.raises(Refused) as refused:
        adapter.publish(messages)
    assert list(refused.value.reasons) == [1, 2, 3]
    assert "1,048,577 bytes" in refused.value.reasons[1]
    assert "no queue 'nowhere-to-be-found'" in refused.value.reasons[2]
    assert "U+0000" in refused.value.reasons[3]
    assert sorted(bodies(poll_all(adapter, 2))) == ["1", "4"]


def test_a_queue_that_may_not_be_written_to_refuses_its_messages_alone(queue, reader, door):
    name, closed = queue(), queue()
    adapter = reader(name, endpoint_url=door.url)

    def deny(operation, request):
        is_closed = closed in request.get("QueueUrl", "")
        return refusal("AccessDeniedException") if operation == "SendMessageBatch" and is_closed else None

    door.answer = deny
    with pytest.raises(Refused) as refused:
        adapter.publish([OutgoingMessage(b"1", closed), OutgoingMessage(b"2", name)])
    assert list(refused.value.reasons) == [0]
    assert f"denies access to the queue '{closed}'" in refused.value.reasons[0]
    assert bodies(poll_all(adapter, 1)) == ["2"]


def test_a_connection_that_breaks_while_sending_leaves_the_outcome_open(queue, reader, door):
    name = queue()
    adapter = reader(name, endpoint_url=door.url)
    adapter.publish([OutgoingMessage(b"1", name)])
    door.answer = lambda operation, request: (
        refusal("InternalFailure", "oh", 500) if operation == "SendMessageBatch" else None
    )
    with pytest.raises(BrokerError, match="InternalFailure") as error:
        adapter.publish([OutgoingMessage(b"2", name)])
    assert not isinstance(error.value, Refused)
