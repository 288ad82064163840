"""Rows name the broker that they came over; those from before get that of their source, where it is still there."""

from django.db import migrations, models

FILL = """
UPDATE rollups_rollup SET broker = brokers_source.kind
FROM brokers_source WHERE brokers_source.id = rollups_rollup.origin_id
"""


class Migration(migrations.Migration):
    dependencies = [
        ("brokers", "0001_initial"),
        ("rollups", "0001_initial"),
    ]

    operations = [
        migrations.AddField(
            model_name="rollup",
            name="broker",
            field=models.CharField(
                blank=True,
                default="",
                help_text="The kind of the Source, which may be deleted; empty for what came through none.",
                max_length=20,
            ),
            preserve_default=False,
        ),
        migrations.RunSQL(FILL, migrations.RunSQL.noop),
    ]
