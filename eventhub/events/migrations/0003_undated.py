from django.db import migrations

# Without a default, so that no row is rewritten; what its producer dated costs two bytes on the way in and none on disk.
ADD = "ALTER TABLE events_event ADD COLUMN is_undated boolean;"
REMOVE = "ALTER TABLE events_event DROP COLUMN is_undated;"


class Migration(migrations.Migration):
    dependencies = [("events", "0002_key_and_headers")]

    operations = [migrations.RunSQL(ADD, REMOVE)]
