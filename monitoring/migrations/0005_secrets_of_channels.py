"""Addresses of webhooks and signing keys move to the secrets, encrypted; backwards, they stand in the open again."""

from django.db import migrations, models

from eventhub.brokers.secrets import keys
from monitoring.alerts import keeping

EMAIL = "email"


def move_out(apps, schema_editor):
    for channel in apps.get_model("monitoring", "Channel").objects.all():
        found = {"signing_key": channel.signing_key} if channel.signing_key else {}
        shown = keeping.shown_address(channel.address)
        if channel.kind != EMAIL and shown != channel.address.strip():
            found["address"] = channel.address.strip()
            channel.address = shown
        channel.secrets = keys.encrypt(found)
        channel.save(update_fields=["address", "secrets"])


def move_back(apps, schema_editor):
    for channel in apps.get_model("monitoring", "Channel").objects.exclude(secrets=""):
        found = keys.decrypt(channel.secrets)
        channel.signing_key = found.get("signing_key", "")
        channel.address = found.get("address", channel.address)
        channel.save(update_fields=["address", "signing_key"])


class Migration(migrations.Migration):
    dependencies = [
        ("monitoring", "0004_alerts"),
    ]

    operations = [
        migrations.AddField(
            model_name="channel",
            name="secrets",
            field=models.TextField(
                blank=True,
                default="",
                editable=False,
                help_text="The webhook's address and signing key, encrypted; never shown.",
            ),
            preserve_default=False,
        ),
        migrations.RunPython(move_out, move_back),
        migrations.RemoveField(model_name="channel", name="signing_key"),
        migrations.AlterField(
            model_name="channel",
            name="address",
            field=models.TextField(
                help_text="E-mail addresses with commas between them, or the webhook's host."
            ),
        ),
    ]
