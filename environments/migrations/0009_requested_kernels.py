from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("environments", "0008_hidden_words")]

    operations = [
        migrations.AddField(
            model_name="environmentversion",
            name="requested_kernels",
            field=models.JSONField(default=list),
        ),
    ]
