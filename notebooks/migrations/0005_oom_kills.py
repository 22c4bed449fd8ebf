from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("notebooks", "0004_run_placement"),
    ]

    operations = [
        migrations.AddField(
            model_name="run",
            name="oom_kills",
            field=models.PositiveIntegerField(default=0),
        ),
    ]
