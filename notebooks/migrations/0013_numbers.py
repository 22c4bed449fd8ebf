"""A number for each, in no particular order for those that are there: the table is written anew."""

from django.db import migrations, models

from submarine_site.core.numbers import NextNumber


class Migration(migrations.Migration):
    dependencies = [("notebooks", "0012_charged_to")]

    operations = [
        migrations.RunSQL("CREATE SEQUENCE notebooks_session_number", "DROP SEQUENCE notebooks_session_number"),
        migrations.AddField(
            model_name="notebooksession",
            name="number",
            field=models.BigIntegerField(
                db_default=NextNumber("notebooks_session_number"), editable=False, unique=True
            ),
        ),
    ]
