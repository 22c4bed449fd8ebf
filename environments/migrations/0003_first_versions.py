import django.db.models.deletion
from django.db import migrations, models


def make_first_versions(apps, schema_editor):
    Environment = apps.get_model("environments", "Environment")
    EnvironmentVersion = apps.get_model("environments", "EnvironmentVersion")
    for environment in Environment.objects.all():
        environment.newest = EnvironmentVersion.objects.create(
            environment=environment,
            number=1,
            image=environment.image,
            created_at=environment.created_at,
        )
        environment.save(update_fields=["newest"])
    # Else the table cannot be altered: its checks wait for the end of the transaction.
    schema_editor.execute("SET CONSTRAINTS ALL IMMEDIATE")


def keep_newest_images(apps, schema_editor):
    Environment = apps.get_model("environments", "Environment")
    for environment in Environment.objects.exclude(newest=None).select_related("newest"):
        environment.image = environment.newest.image
        environment.newest = None
        environment.save(update_fields=["image", "newest"])
    apps.get_model("environments", "EnvironmentVersion").objects.all().delete()
    schema_editor.execute("SET CONSTRAINTS ALL IMMEDIATE")


class Migration(migrations.Migration):

    dependencies = [
        ('environments', '0002_versions'),
    ]

    operations = [
        migrations.AddField(
            model_name='environment',
            name='newest',
            field=models.OneToOneField(editable=False, null=True, on_delete=django.db.models.deletion.RESTRICT, related_name='+', to='environments.environmentversion'),
        ),
        migrations.AlterField(
            model_name='environment',
            name='image',
            field=models.CharField(default='', max_length=255),
        ),
        migrations.RunPython(make_first_versions, keep_newest_images),
        migrations.RemoveField(
            model_name='environment',
            name='image',
        ),
    ]
