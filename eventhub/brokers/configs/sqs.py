from typing import Annotated

from msgspec import Meta

from eventhub.brokers.configs.fields import BrokerConfig, NonEmpty, Secret, described


class SqsConfig(BrokerConfig, frozen=True, forbid_unknown_fields=True):
    """Queues of Amazon SQS or of a server that speaks its API."""

    queues: Annotated[
        list[NonEmpty],
        described('a list of queue names, URLs or ARNs, e.g. ["orders", "payments.fifo"]', min_length=1),
    ]
    region: Annotated[
        NonEmpty | None, described('the AWS region, e.g. "eu-central-1"; left out, the environment\'s')
    ] = None
    endpoint_url: Annotated[
        Annotated[str, Meta(pattern=r"^https?://")] | None,
        described('another address than AWS\'s own, e.g. "http://elasticmq:9324"'),
    ] = None
    access_key_id: Annotated[
        NonEmpty | None,
        described(
            "an access key; left out, credentials are found in AWS's usual ways (environment, profile, role)"
        ),
    ] = None
    secret_access_key: Annotated[Secret | None, described("the secret of the access key")] = None
    session_token: Annotated[Secret | None, described("the session token of temporary credentials")] = None
    profile: Annotated[NonEmpty | None, described("a profile of the worker's AWS configuration")] = None
    role_arn: Annotated[
        NonEmpty | None, described('a role to assume, e.g. "arn:aws:iam::123456789012:role/eventhub"')
    ] = None
    external_id: Annotated[
        NonEmpty | None, described("the external id that the role asks for, where it asks for one")
    ] = None
    receivers: Annotated[
        Annotated[int, Meta(ge=1, le=64)],
        described(
            "how many requests for messages a worker has under way for each queue, 1 to 64 (8 by default)"
        ),
    ] = 8
    wait_time_s: Annotated[
        Annotated[int, Meta(ge=0, le=20)],
        described("how long a request waits for messages, 0 to 20 seconds (20 by default: long polling)"),
    ] = 20
    visibility_timeout_s: Annotated[
        Annotated[int, Meta(ge=10, le=43_200)],
        described(
            "how long a message stays hidden from other readers before it comes again, 10 to 43,200 seconds (60 by "
            "default); it is extended while a batch is in work"
        ),
    ] = 60

    def reads(self) -> list[str]:
        """Queues."""
        return self.queues
