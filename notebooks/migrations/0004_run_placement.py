from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('notebooks', '0003_phases_and_restarts'),
    ]

    operations = [
        migrations.AddField(
            model_name='run',
            name='placement',
            field=models.JSONField(default=dict),
        ),
    ]
