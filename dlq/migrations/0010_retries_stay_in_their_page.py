from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("dlq", "0009_lanes"),
    ]

    operations = [
        migrations.RemoveConstraint(model_name="retry", name="one_retry_at_a_time"),
        migrations.RemoveIndex(model_name="retry", name="retry_to_send"),
        migrations.AlterField(
            model_name="retry",
            name="finished_at",
            field=models.DateTimeField(help_text="Empty as long as it is alive.", null=True),
        ),
        migrations.AddConstraint(
            model_name="retry",
            constraint=models.UniqueConstraint(
                condition=models.Q(("finished_at__isnull", True)),
                fields=("letter",),
                name="one_retry_at_a_time",
            ),
        ),
        # Room in each page for the row that a published retry becomes.
        migrations.RunSQL(
            "ALTER TABLE dlq_retry SET (fillfactor = 40)", "ALTER TABLE dlq_retry RESET (fillfactor)"
        ),
    ]
