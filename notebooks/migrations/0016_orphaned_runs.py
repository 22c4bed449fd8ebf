"""Runs that the backend has and the database lacks are recorded, and left alone in doubt."""

import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('notebooks', '0015_no_index_twice'),
    ]

    operations = [
        migrations.CreateModel(
            name='OrphanedRun',
            fields=[
                ('run_id', models.UUIDField(editable=False, primary_key=True, serialize=False)),
                ('session_id', models.UUIDField(editable=False)),
                ('began_at', models.DateTimeField(null=True)),
                ('owner_name', models.CharField(blank=True, max_length=200)),
                ('name', models.CharField(blank=True, max_length=200)),
                ('record', models.JSONField(default=dict)),
                ('first_seen_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('hold', models.CharField(blank=True, choices=[('newer', 'newer than the database'), ('many', 'one of many')], max_length=8)),
                ('removal_requested_at', models.DateTimeField(null=True)),
                ('removal_began_at', models.DateTimeField(null=True)),
            ],
            options={
                'verbose_name': 'orphaned run',
                'ordering': ['-began_at', 'pk'],
            },
        ),
        migrations.CreateModel(
            name='RunBaseline',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('newest_run_at', models.DateTimeField(null=True)),
                ('noted_at', models.DateTimeField(default=django.utils.timezone.now)),
            ],
        ),
    ]
