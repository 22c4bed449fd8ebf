"""The group of those who run the service day by day, without being superusers.

Made once: what the site makes of it since stays. Django makes rights after all migrations, so that
those that the group needs may have to be made here.
"""

from django.db import migrations

OPERATORS = "Operators"

RIGHTS = {
    ("quotas", "limit", "limit"): ("add", "change", "delete", "view"),
    ("quotas", "quotarequest", "quota request"): ("change", "view"),
    ("quotas", "reservation", "reservation"): ("view",),
    ("quotas", "resourceprofile", "resource profile"): ("add", "change", "delete", "view"),
    ("accounts", "user", "user"): ("view",),
    ("auth", "group", "group"): ("change", "view"),
    ("notebooks", "notebooksession", "session"): ("delete", "view"),
    ("notebooks", "run", "run"): ("view",),
    ("notebooks", "sessionevent", "event"): ("view",),
    ("volumes", "volume", "volume"): ("view",),
    ("volumes", "volumeclass", "volume class"): ("view",),
}


def make_operators(apps, _):
    content_types = apps.get_model("contenttypes", "ContentType")
    permissions = apps.get_model("auth", "Permission")
    group, is_new = apps.get_model("auth", "Group").objects.get_or_create(name=OPERATORS)
    if not is_new:
        return
    for (app_label, model, called), actions in RIGHTS.items():
        of, _ = content_types.objects.get_or_create(app_label=app_label, model=model)
        for action in actions:
            right, _ = permissions.objects.get_or_create(
                content_type=of,
                codename=f"{action}_{model}",
                defaults={"name": f"Can {action} {called}"},
            )
            group.permissions.add(right)


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0002_vault"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
    ]

    operations = [migrations.RunPython(make_operators, migrations.RunPython.noop)]
