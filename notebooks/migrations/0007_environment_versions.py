import django.db.models.deletion
from django.db import migrations, models


def pin(apps, schema_editor):
    NotebookSession = apps.get_model("notebooks", "NotebookSession")
    Environment = apps.get_model("environments", "Environment")
    for environment in Environment.objects.all():
        NotebookSession.objects.filter(environment=environment).update(
            environment_version=environment.newest
        )
    # Else the table cannot be altered: its checks wait for the end of the transaction.
    schema_editor.execute("SET CONSTRAINTS ALL IMMEDIATE")


def unpin(apps, schema_editor):
    NotebookSession = apps.get_model("notebooks", "NotebookSession")
    for version in apps.get_model("environments", "EnvironmentVersion").objects.all():
        NotebookSession.objects.filter(environment_version=version).update(
            environment=version.environment_id, environment_version=None
        )
    schema_editor.execute("SET CONSTRAINTS ALL IMMEDIATE")


class Migration(migrations.Migration):

    dependencies = [
        ('environments', '0003_first_versions'),
        ('notebooks', '0006_recent_failures'),
    ]

    operations = [
        migrations.AddField(
            model_name='run',
            name='environment_number',
            field=models.PositiveIntegerField(default=1),
        ),
        migrations.AddField(
            model_name='run',
            name='kernels',
            field=models.JSONField(default=list),
        ),
        migrations.AddField(
            model_name='run',
            name='builds',
            field=models.ManyToManyField(related_name='runs', to='environments.build'),
        ),
        migrations.AddField(
            model_name='notebooksession',
            name='environment_version',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='sessions', to='environments.environmentversion'),
        ),
        migrations.AlterField(
            model_name='notebooksession',
            name='environment',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='sessions', to='environments.environment'),
        ),
        migrations.RunPython(pin, unpin),
        migrations.AlterField(
            model_name='notebooksession',
            name='environment_version',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='sessions', to='environments.environmentversion'),
        ),
        migrations.RemoveField(
            model_name='notebooksession',
            name='environment',
        ),
    ]
