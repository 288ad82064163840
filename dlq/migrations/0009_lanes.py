import django.db.models.deletion
from django.db import migrations, models

import dlq.models.letters

LANES_OF_LETTERS = """
    INSERT INTO dlq_lane (key, group_id, source_id, topic, read_from)
    SELECT DISTINCT lane, group_id, source_id, topic, read_from FROM dlq_deadletter
"""


class Migration(migrations.Migration):
    dependencies = [
        ("brokers", "0005_read_position"),
        ("dlq", "0008_retries_without_constraints"),
    ]

    operations = [
        migrations.RemoveIndex(model_name="deadletter", name="dead_letter_source"),
        migrations.RemoveIndex(model_name="deadletter", name="dead_letter_topic"),
        migrations.RemoveIndex(model_name="deadletter", name="dead_letter_read_from"),
        migrations.AddField(
            model_name="deadletter",
            name="lane",
            field=models.GeneratedField(
                db_persist=True,
                expression=dlq.models.letters.LaneKey(),
                help_text="The key of its `Lane`.",
                output_field=models.BigIntegerField(),
            ),
        ),
        migrations.AddIndex(
            model_name="deadletter",
            index=models.Index(fields=["lane", "status", "-id"], name="dead_letter_lane"),
        ),
        migrations.CreateModel(
            name="Lane",
            fields=[
                ("key", models.BigIntegerField(primary_key=True, serialize=False)),
                ("topic", models.TextField()),
                ("read_from", models.TextField()),
                (
                    "group",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="lanes",
                        to="dlq.deadlettergroup",
                    ),
                ),
                (
                    "source",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="dead_letter_lanes",
                        to="brokers.source",
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(fields=["topic"], name="lane_topic"),
                    models.Index(fields=["read_from"], name="lane_read_from"),
                ],
            },
        ),
        migrations.RunSQL(LANES_OF_LETTERS, migrations.RunSQL.noop),
    ]
