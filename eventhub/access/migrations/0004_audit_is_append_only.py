from django.db import migrations

# A row of the audit log is written once. Retention says in its own transaction that it is retention; whoever
# can set that could as well drop the trigger: it keeps out mistakes and SQL injection, not a superuser.
FORWARDS = """
CREATE FUNCTION access_auditentry_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' AND current_setting('eventhub.retention', true) = 'on' THEN
        RETURN OLD;
    END IF;
    -- A deleted account leaves its name in `actor`; only the link to it goes.
    IF TG_OP = 'UPDATE' AND NEW.user_id IS NULL
        AND (NEW.id, NEW.at, NEW.actor, NEW.action, NEW.target, NEW.detail)
            = (OLD.id, OLD.at, OLD.actor, OLD.action, OLD.target, OLD.detail) THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'The audit log is append-only: % is refused.', TG_OP USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON access_auditentry
    FOR EACH ROW EXECUTE FUNCTION access_auditentry_is_append_only();
"""
BACKWARDS = """
DROP TRIGGER IF EXISTS append_only ON access_auditentry;
DROP FUNCTION access_auditentry_is_append_only();
"""


class Migration(migrations.Migration):
    dependencies = [("access", "0003_roles_and_limits")]
    operations = [migrations.RunSQL(FORWARDS, BACKWARDS)]
