from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("sagas", "0001_initial"),
    ]

    operations = [
        migrations.AddField(
            model_name="instance",
            name="tries",
            field=models.SmallIntegerField(
                default=0,
                help_text="Times that a worker took it in hand since one last came through with it.",
            ),
        ),
    ]
