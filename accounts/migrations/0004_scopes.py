"""Tokens get scopes: those that there are, all that they could do before."""

import django.contrib.postgres.fields
from django.db import migrations, models

SCOPES = [
    ("read", "Read"),
    ("launch", "Launch"),
    ("access", "Access sessions"),
    ("manage", "Manage"),
    ("admin", "Administer"),
]
OF_USERS = ["read", "launch", "access", "manage"]


def let_operators_go_on(apps, _):
    tokens = apps.get_model("accounts", "ApiToken")
    tokens.objects.filter(user__is_staff=True).update(scopes=[*OF_USERS, "admin"])


class Migration(migrations.Migration):
    dependencies = [("accounts", "0003_operators")]

    operations = [
        migrations.AddField(
            model_name="apitoken",
            name="scopes",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.CharField(choices=SCOPES, max_length=16),
                default=list(OF_USERS),
                editable=False,
                size=None,
            ),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name="apitoken",
            name="last_used_from",
            field=models.GenericIPAddressField(editable=False, null=True),
        ),
        migrations.RunPython(let_operators_go_on, migrations.RunPython.noop),
    ]
