"""A permission for what ends as code in the sessions of others."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("accounts", "0008_view_task_monitor")]

    operations = [
        migrations.AlterModelOptions(
            name="user",
            options={
                "permissions": [
                    ("view_task_monitor", "Can view the task monitor"),
                    ("configure_workloads", "Can configure what everybody's sessions run"),
                ],
                "verbose_name": "user",
                "verbose_name_plural": "users",
            },
        ),
    ]
