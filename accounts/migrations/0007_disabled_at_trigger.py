"""The database notes when an account is disabled, whichever form, command or query does it.

Accounts that are disabled already count from this migration on.
"""

from django.db import migrations

NOTE = """
CREATE FUNCTION accounts_note_disabled() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.is_active THEN
        NEW.disabled_at := NULL;
    ELSIF TG_OP = 'UPDATE' AND NOT OLD.is_active THEN
        NEW.disabled_at := COALESCE(NEW.disabled_at, OLD.disabled_at, now());
    ELSE
        NEW.disabled_at := now();
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER accounts_note_disabled BEFORE INSERT OR UPDATE ON accounts_user
    FOR EACH ROW EXECUTE FUNCTION accounts_note_disabled();
UPDATE accounts_user SET disabled_at = now() WHERE NOT is_active;
"""
FORGET = """
DROP TRIGGER accounts_note_disabled ON accounts_user;
DROP FUNCTION accounts_note_disabled();
"""


class Migration(migrations.Migration):
    dependencies = [("accounts", "0006_disabled_at")]

    operations = [migrations.RunSQL(NOTE, FORGET)]
