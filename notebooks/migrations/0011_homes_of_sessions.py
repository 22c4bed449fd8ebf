"""A session had a home of its own until now: that becomes a volume of its owner's."""

from django.db import migrations
from django.db.models import Q
from django.utils import timezone

from submarine_site.core.text import MAX_NAME
from volumes.host import host


def keep_homes(apps, schema_editor):
    # Where a home goes with its run there is nothing to keep.
    if (terms := host().home_terms()) is None:
        return
    sessions = apps.get_model("notebooks", "NotebookSession").objects
    volumes = apps.get_model("volumes", "Volume").objects
    now = timezone.now()
    # Of one that is being deleted the home was to go when it has ended.
    there = sessions.filter(Q(deleted_at=None) | Q(status="stopping"))
    for session in there.order_by("created_at").iterator():
        volumes.get_or_create(
            pk=session.pk,
            defaults={
                "owner_id": session.owner_id,
                "name": _free_name(volumes, session),
                "size_mib": terms.size_mib,
                "storage_class": terms.storage_class,
                "access_mode": terms.access_mode.value,
                "created_at": session.created_at,
                **({"state": "trashed", "trashed_at": now} if session.deleted_at else {}),
            },
        )
        sessions.filter(pk=session.pk).update(home_id=session.pk)


def _free_name(volumes, session):
    name = f"home of {session.name}"[:MAX_NAME]
    taken = volumes.filter(owner_id=session.owner_id, name=name).exclude(state="trashed")
    if not taken.exists():
        return name
    short = f" {session.pk.hex[:8]}"
    return name[: MAX_NAME - len(short)] + short


class Migration(migrations.Migration):
    dependencies = [("notebooks", "0010_volumes")]

    operations = [migrations.RunPython(keep_homes, migrations.RunPython.noop)]
