from django.db import migrations

from eventhub.outbox.sql import EXTRAS, NO_EXTRAS


class Migration(migrations.Migration):
    dependencies = [("outbox", "0002_relay_and_inbox")]

    operations = [migrations.RunSQL(EXTRAS, NO_EXTRAS)]
