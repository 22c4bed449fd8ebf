from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("notebooks", "0006_recent_failures")]

    operations = []
