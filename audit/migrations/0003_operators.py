"""Operators may look at the log and export it."""

from django.db import migrations

OPERATORS = "Operators"


def let_operators_look(apps, _):
    content_types = apps.get_model("contenttypes", "ContentType")
    permissions = apps.get_model("auth", "Permission")
    group = apps.get_model("auth", "Group").objects.filter(name=OPERATORS).first()
    if group is None:
        # A site that has no such group any more is not given it back.
        return
    entries, _ = content_types.objects.get_or_create(app_label="audit", model="auditentry")
    right, _ = permissions.objects.get_or_create(
        content_type=entries,
        codename="view_auditentry",
        defaults={"name": "Can view audit entry"},
    )
    group.permissions.add(right)


class Migration(migrations.Migration):
    dependencies = [("audit", "0002_append_only"), ("accounts", "0003_operators")]

    operations = [migrations.RunPython(let_operators_look, migrations.RunPython.noop)]
