"""What is seen of the end of a run while it lasts is kept: afterwards nothing may tell it."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('notebooks', '0016_orphaned_runs'),
    ]

    operations = [
        migrations.AddField(
            model_name='run',
            name='ending',
            field=models.CharField(blank=True, max_length=500),
        ),
        migrations.AddField(
            model_name='run',
            name='ending_code',
            field=models.CharField(blank=True, max_length=40),
        ),
    ]
