import uuid

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
        ("notebooks", "0007_environment_versions"),
    ]

    operations = [
        migrations.AddField(
            model_name="notebooksession",
            name="setup",
            field=models.JSONField(default=dict),
        ),
        migrations.AddField(
            model_name="run",
            name="setup",
            field=models.JSONField(default=dict),
        ),
        migrations.AddField(
            model_name="run",
            name="code_outcomes",
            field=models.JSONField(default=list),
        ),
        migrations.CreateModel(
            name="Bookmark",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid.uuid4, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("name", models.CharField(max_length=80)),
                ("profile", models.CharField(max_length=63)),
                ("environment", models.CharField(max_length=63)),
                ("setup", models.JSONField(default=dict)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "owner",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="bookmarks",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "ordering": ["name"],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("owner", "name"), name="bookmark_name_unique"
                    )
                ],
            },
        ),
    ]
