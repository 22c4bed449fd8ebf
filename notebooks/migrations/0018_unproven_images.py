"""Whether an image had ever started a session is kept of a run that failed at its start."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('notebooks', '0017_why_runs_are_ended'),
    ]

    operations = [
        migrations.AddField(
            model_name='run',
            name='is_unproven',
            field=models.BooleanField(default=False),
        ),
    ]
