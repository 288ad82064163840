from django.db import migrations

# Without defaults, so that no row is rewritten; what has neither costs nothing.
ADD = "ALTER TABLE events_event ADD COLUMN message_key text, ADD COLUMN headers jsonb;"
REMOVE = "ALTER TABLE events_event DROP COLUMN message_key, DROP COLUMN headers;"


class Migration(migrations.Migration):
    dependencies = [("events", "0001_initial")]

    operations = [migrations.RunSQL(ADD, REMOVE)]
