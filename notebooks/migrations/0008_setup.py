from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("notebooks", "0007_environment_versions")]

    operations = []
