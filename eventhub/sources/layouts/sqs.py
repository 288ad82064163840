from eventhub.brokers.kinds import GLYPHS, Kind
from eventhub.sources.layout import Ask, Layout, Part

SQS = Layout(
    icon=GLYPHS[Kind.SQS],
    sentence="Queues of Amazon SQS, or of a server that speaks its API; SNS and EventBridge through them.",
    parts=(
        Part(
            title="Where",
            asks=(
                Ask(
                    field="region",
                    label="Region",
                    example="eu-central-1",
                    help="Left empty, the environment's.",
                ),
                Ask(
                    field="endpoint_url",
                    label="Another address",
                    example="http://elasticmq:9324",
                    help="Only for a server other than AWS's own.",
                ),
                Ask(
                    key="credentials",
                    label="Credentials",
                    widget="choice",
                    options={"found": "AWS's usual ways", "key": "an access key", "profile": "a profile"},
                    help="The usual ways: the environment of the workers, their profile, the role of the machine.",
                ),
                Ask(
                    field="access_key_id",
                    label="Access key ID",
                    when={"credentials": ("key",)},
                    required=True,
                    example="AKIA…",
                ),
                Ask(
                    field="secret_access_key",
                    label="Secret access key",
                    widget="secret",
                    when={"credentials": ("key",)},
                    required=True,
                ),
                Ask(
                    field="session_token",
                    label="Session token",
                    widget="secret",
                    when={"credentials": ("key",)},
                    help="Only of temporary credentials.",
                ),
                Ask(field="profile", label="Profile", when={"credentials": ("profile",)}, required=True),
                Ask(
                    field="role_arn",
                    label="Role to assume",
                    example="arn:aws:iam::123456789012:role/eventhub",
                    help="Left empty, none.",
                ),
                Ask(field="external_id", label="External ID", help="Where the role asks for one."),
            ),
        ),
        Part(
            title="What",
            asks=(
                Ask(
                    field="queues",
                    label="Queues",
                    widget="lines",
                    required=True,
                    example="orders\npayments.fifo",
                    help="Names, URLs or ARNs, one a line.",
                ),
            ),
        ),
        Part(
            title="More",
            folded=True,
            asks=(
                Ask(field="receivers", label="Receivers for each queue", widget="number"),
                Ask(field="wait_time_s", label="Seconds to wait for messages", widget="number"),
                Ask(field="visibility_timeout_s", label="Visibility timeout, in seconds", widget="number"),
            ),
        ),
    ),
)
