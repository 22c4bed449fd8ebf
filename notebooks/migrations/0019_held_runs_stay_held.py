"""A held run stays held while the backend does not list it, and so does what it is compared with."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('notebooks', '0018_unproven_images'),
    ]

    operations = [
        migrations.AddField(
            model_name='orphanedrun',
            name='gone_at',
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name='runbaseline',
            name='is_applied',
            field=models.BooleanField(default=False),
        ),
    ]
