"""Secrets move out of the configs, encrypted; backwards, they move into them again."""

from django.db import migrations

from eventhub.brokers.secrets import keys, parts


def move_out(apps, schema_editor):
    for source in apps.get_model("brokers", "Source").objects.all():
        plain, found = parts.take_out(source.kind, source.config)
        if found:
            source.config = plain
            source.secrets = keys.encrypt(keys.decrypt(source.secrets) | found)
            source.save(update_fields=["config", "secrets"])


def move_back(apps, schema_editor):
    for source in apps.get_model("brokers", "Source").objects.exclude(secrets=""):
        found = keys.decrypt(source.secrets)
        if source.kind == "redis" and "password" in found:  # which had no field for it
            source.config["url"] = parts.with_password(source.config["url"], found.pop("password"))
        source.config = parts.put_back(source.config, found)
        source.secrets = ""
        source.save(update_fields=["config", "secrets"])


class Migration(migrations.Migration):
    dependencies = [
        ("brokers", "0002_kafka_rabbitmq_sqs"),
    ]

    operations = [migrations.RunPython(move_out, move_back)]
