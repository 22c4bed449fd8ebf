"""When an account was disabled."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0005_kept_answers")]

    operations = [
        migrations.AddField(
            model_name="user",
            name="disabled_at",
            field=models.DateTimeField(blank=True, editable=False, null=True),
        ),
    ]
