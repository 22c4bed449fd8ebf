from collections import defaultdict

from django.db import migrations, models


def keep_on_runs(apps, _schema_editor):
    kept = defaultdict(dict)
    for phase in apps.get_model("notebooks", "RunPhase").objects.exclude(phase="queued"):
        times = {"started_at": phase.started_at.isoformat()}
        if phase.finished_at:
            times["finished_at"] = phase.finished_at.isoformat()
        if phase.detail:
            times["detail"] = phase.detail
        kept[phase.run_id][phase.phase] = times
    runs = apps.get_model("notebooks", "Run").objects
    for run_id, phases in kept.items():
        runs.filter(pk=run_id).update(phases=phases)


class Migration(migrations.Migration):
    dependencies = [("notebooks", "0008_setup")]

    operations = [
        migrations.AddField("run", "held_up", models.CharField(blank=True, max_length=200)),
        # The name is that of the other model's way back.
        migrations.AlterField(
            "runphase",
            "run",
            models.ForeignKey("notebooks.run", models.CASCADE, related_name="+"),
        ),
        migrations.AddField("run", "phases", models.JSONField(default=dict)),
        migrations.RunPython(keep_on_runs, migrations.RunPython.noop),
        migrations.DeleteModel("RunPhase"),
    ]
