from django.db import migrations

FORWARDS = """
-- Only events appended to streams here (they come from no source) pay for these two.
CREATE INDEX events_event_stream ON events_event (stream, stream_version)
    WHERE stream IS NOT NULL AND origin_id IS NULL;
CREATE INDEX events_event_category ON events_event (split_part(stream, '-', 1), txid, position)
    WHERE stream IS NOT NULL AND origin_id IS NULL;

-- The row changes with every append, and no index has a column of what changes.
ALTER TABLE sourcing_stream SET (fillfactor = 60);

-- Append events to a stream, if it is at version `expected` (0: new, -1: whatever it is at). Everything in one call, as
-- most of the time of an append goes into the way to the server and back. A conflict is an answer and no error, so that
-- the caller's transaction lives on.
CREATE FUNCTION sourcing_append(
    a_stream text, expected bigint, events json, earliest timestamptz, latest timestamptz, a_source text,
    a_correlation_id text, a_causation_id text,
    OUT outcome text, OUT version bigint, OUT positions bigint[], OUT recorded timestamptz
) LANGUAGE plpgsql AS $$
DECLARE
    own CONSTANT xid8 := pg_current_xact_id();
    there record;
    logged xid8;
    place bigint;
    many CONSTANT int := json_array_length(events);
BEGIN
    SELECT s.version, s.ended_at, s.label, s.last_position INTO there
        FROM sourcing_stream s WHERE s.name = a_stream FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        IF expected > 0 THEN
            outcome := 'conflict'; version := 0;
            RETURN;
        END IF;
        INSERT INTO sourcing_stream (name, category, version, first_at, last_at, label, last_position)
            VALUES (a_stream, split_part(a_stream, '-', 1), 0, earliest, latest, 0, 0)
            ON CONFLICT (name) DO NOTHING;
        SELECT s.version, s.ended_at, s.label, s.last_position INTO there
            FROM sourcing_stream s WHERE s.name = a_stream FOR NO KEY UPDATE;
    END IF;
    version := there.version;
    IF there.ended_at IS NOT NULL THEN
        outcome := 'ended';
        RETURN;
    ELSIF expected >= 0 AND expected <> there.version THEN
        outcome := 'conflict';
        RETURN;
    END IF;
    -- A transaction can be older than one that appended before it. Its events must come after those all the same for
    -- whoever reads the log, so they are logged under the younger of the two (docs/decisions/0019).
    logged := greatest(own, there.label::text::xid8);
    FOR i IN 1 .. many LOOP
        place := nextval('events_position_seq');
        WHILE logged::text::bigint = there.label AND place <= there.last_position LOOP
            place := nextval('events_position_seq');
        END LOOP;
        positions[i] := place;
    END LOOP;
    recorded := clock_timestamp();
    INSERT INTO events_event (position, txid, event_id, event_type, event_version, occurred_at, recorded_at, source,
                              correlation_id, causation_id, stream, stream_version, data, metadata)
        SELECT positions[n], logged, e.id, e.type, e.ver, e.at, recorded, a_source, a_correlation_id, a_causation_id,
               a_stream, there.version + n, coalesce(e.data, 'null'), e.metadata
        FROM ROWS FROM (json_to_recordset(events)
                        AS (id text, type text, ver text, at timestamptz, data jsonb, metadata jsonb))
             WITH ORDINALITY AS e (id, type, ver, at, data, metadata, n);
    UPDATE sourcing_stream s
        SET version = there.version + many, label = logged::text::bigint, last_position = place,
            first_at = least(s.first_at, earliest), last_at = greatest(s.last_at, latest)
        WHERE s.name = a_stream;
    outcome := 'appended';
    version := there.version + many;
END $$;
"""

BACKWARDS = """
DROP FUNCTION sourcing_append;
DROP INDEX events_event_stream, events_event_category;
"""


class Migration(migrations.Migration):
    dependencies = [("sourcing", "0001_initial"), ("events", "0002_key_and_headers")]

    operations = [migrations.RunSQL(FORWARDS, BACKWARDS)]
