"""A queue as the tests fill it, look at it and empty it."""

import time


def send(client, queue, *bodies, **more):
    url = client.get_queue_url(QueueName=queue)["QueueUrl"]
    for body in bodies:
        client.send_message(QueueUrl=url, MessageBody=body, **more)


def counts(client, queue):
    url = client.get_queue_url(QueueName=queue)["QueueUrl"]
    attributes = client.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    return (
        int(attributes["ApproximateNumberOfMessages"]),
        int(attributes["ApproximateNumberOfMessagesNotVisible"]),
    )


def poll_all(adapter, count, timeout_s=10.0, acknowledge=True):
    messages = []
    deadline = time.monotonic() + timeout_s
    while len(messages) < count and time.monotonic() < deadline:
        batch = adapter.poll(5000, 0.2)
        if acknowledge:
            adapter.acknowledge(batch)
        messages += batch
    return messages


def bodies(messages):
    return [message.body.decode() for message in messages]


def wait_for(condition, timeout_s=10.0):
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "in vain"
        time.sleep(0.02)
