"""Accounts are made with what they are for, so that whoever comes through the gate finds them.

Made by the first who is counted, two who make one for each other could wait for each other, and
each start would have to look whether it is the first.
"""

from django.db import migrations

OPEN = """
CREATE FUNCTION quotas_open_account() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_TABLE_NAME = 'accounts_user' THEN
        INSERT INTO quotas_account (kind, subject) VALUES (1, NEW.id) ON CONFLICT DO NOTHING;
    ELSIF NEW.scope = 'pool' THEN
        INSERT INTO quotas_account (kind, subject) VALUES (2, NEW.group_id) ON CONFLICT DO NOTHING;
    ELSIF NEW.scope = 'site' THEN
        INSERT INTO quotas_account (kind, subject) VALUES (3, 0) ON CONFLICT DO NOTHING;
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER quotas_account_of_user AFTER INSERT ON accounts_user
    FOR EACH ROW EXECUTE FUNCTION quotas_open_account();
CREATE TRIGGER quotas_account_of_limit AFTER INSERT OR UPDATE OF scope, group_id ON quotas_limit
    FOR EACH ROW EXECUTE FUNCTION quotas_open_account();
INSERT INTO quotas_account (kind, subject)
    SELECT 1, id FROM accounts_user
    UNION SELECT 2, group_id FROM quotas_limit WHERE scope = 'pool'
    UNION SELECT 3, 0 FROM quotas_limit WHERE scope = 'site'
    ON CONFLICT DO NOTHING;
"""
LEAVE = """
DROP TRIGGER quotas_account_of_limit ON quotas_limit;
DROP TRIGGER quotas_account_of_user ON accounts_user;
DROP FUNCTION quotas_open_account();
"""


class Migration(migrations.Migration):
    dependencies = [("quotas", "0004_bounds_of_times"), ("accounts", "0001_initial")]

    operations = [migrations.RunSQL(OPEN, LEAVE)]
