"""A number for each, in no particular order for those that are there: the table is written anew."""

from django.db import migrations, models

from submarine_site.core.numbers import NextNumber


class Migration(migrations.Migration):
    dependencies = [("environments", "0006_site_first")]

    operations = [
        migrations.RunSQL("CREATE SEQUENCE environments_environment_number", "DROP SEQUENCE environments_environment_number"),
        migrations.AddField(
            model_name="environment",
            name="number",
            field=models.BigIntegerField(
                db_default=NextNumber("environments_environment_number"), editable=False, unique=True
            ),
        ),
    ]
