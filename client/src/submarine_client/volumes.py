"""Volumes: storage that outlives sessions."""

from __future__ import annotations

from typing import Any

from submarine_client.errors import NotFound
from submarine_client.models import Volume, VolumeClass
from submarine_client.requests import Site, ask, create, pages
from submarine_client.steps import Bound, Call, Flow, Items, M, Runner, Steps, through


class Volumes(Bound[M]):
    """Your volumes: those you have, and those in your trash."""

    def __init__(self, runner: Runner, site: Site) -> None:
        super().__init__(runner)
        self._site = site

    @Flow
    def list(self, *, state: str = "", kind: str = "") -> Items[Volume]:
        """Those that are `live` or in the `trash`, and `home` or `data`."""
        asked = [(key, value) for key, value in (("state", state), ("kind", kind)) if value]
        return pages(self._site, "volumes/", Volume.of, asked)

    @Call
    def get(self, volume: str) -> Steps[Volume]:
        """The volume with this id or name. Raises `NotFound`."""
        found: list[Volume] = []
        yield from through(pages(self._site, "volumes/", Volume.of), found.append)
        named = [each for each in found if volume == each.id] or [
            each for each in found if volume == each.name
        ]
        # One that one has comes before those of its name in the trash.
        here = [each for each in named if each.trashed_at is None] or named
        if len(here) == 1:
            return here[0]
        if here:
            raise NotFound(
                f"{len(here)} volumes in your trash are named “{volume}”.",
                code="ambiguous",
                advice="Say which by its id.",
            )
        raise NotFound(f"None of your volumes is named “{volume}”.", code="not_found")

    @Flow
    def classes(self) -> Items[VolumeClass]:
        """The kinds of storage that you may choose."""
        return pages(self._site, "volume-classes/", VolumeClass.of)

    @Call
    def create(self, name: str, *, volume_class: str, size_mib: int) -> Steps[Volume]:
        body = {"name": name, "volume_class": volume_class, "size_mib": size_mib}
        return Volume.of((yield from create(self._site, "volumes/", body)))

    @Call
    def update(
        self, volume_id: str, *, name: str | None = None, size_mib: int | None = None
    ) -> Steps[Volume]:
        """Rename it, or have it grow."""
        given = {"name": name, "size_mib": size_mib}
        body = {key: value for key, value in given.items() if value is not None}
        return Volume.of((yield from ask(self._site, "PATCH", f"volumes/{volume_id}/", body=body)))

    @Call
    def delete(self, volume_id: str) -> Steps[None]:
        """Put it into the trash."""
        yield from ask(self._site, "DELETE", f"volumes/{volume_id}/")

    @Call
    def restore(self, volume_id: str, *, name: str = "") -> Steps[Volume]:
        """Bring it back from the trash, by another name if its own is taken by now."""
        return (yield from self._verb(volume_id, "restore", {"name": name} if name else {}))

    @Call
    def remove(self, volume_id: str) -> Steps[None]:
        """Remove one that is in the trash, with what it holds."""
        yield from ask(self._site, "POST", f"volumes/{volume_id}/remove/", body={})

    @Call
    def retry(self, volume_id: str) -> Steps[Volume]:
        """Try again to make one that failed."""
        return (yield from self._verb(volume_id, "retry", {}))

    def _verb(self, volume_id: str, verb: str, body: Any) -> Steps[Volume]:
        path = f"volumes/{volume_id}/{verb}/"
        return Volume.of((yield from ask(self._site, "POST", path, body=body)))
