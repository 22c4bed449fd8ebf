"""A permission for the task monitor, which all staff could see before."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("accounts", "0007_disabled_at_trigger")]

    operations = [
        migrations.AlterModelOptions(
            name="user",
            options={
                "permissions": [("view_task_monitor", "Can view the task monitor")],
                "verbose_name": "user",
                "verbose_name_plural": "users",
            },
        ),
    ]
