from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("notebooks", "0008_setup")]

    operations = []
