from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):

    atomic = False

    dependencies = [
        ('notebooks', '0005_oom_kills'),
    ]

    operations = [
        AddIndexConcurrently(
            model_name='sessionevent',
            index=models.Index(condition=models.Q(('to_status', 'failed')), fields=['created_at'], name='event_failed'),
        ),
    ]
