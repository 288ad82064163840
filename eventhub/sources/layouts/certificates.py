"""Questions about TLS that several brokers share."""

from eventhub.sources.layout import Ask

CERTIFICATES = (
    Ask(
        field="ca_certificate",
        label="Certificate authority",
        widget="pem",
        help="Whom to trust, in PEM. Left empty, those the system trusts.",
    ),
    Ask(
        field="client_certificate",
        label="Client certificate",
        widget="pem",
        help="Only for mutual TLS, in PEM.",
    ),
    Ask(field="client_key", label="Client key", widget="secret-pem", help="Its private key, in PEM."),
)
