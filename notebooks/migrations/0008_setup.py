from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("notebooks", "0007_environment_versions")]

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
    ]
