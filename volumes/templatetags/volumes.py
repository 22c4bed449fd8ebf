"""What templates ask of volumes."""

from django import template

from submarine_site.core.sizes import about, of_size
from volumes.lifecycle import LOST
from volumes.models import Volume
from volumes.states import VolumeState

register = template.Library()

_WORDS = {
    VolumeState.REQUESTED: "being made",
    VolumeState.READY: "ready",
    VolumeState.FAILED: "could not be made",
    VolumeState.TRASHED: "in the trash",
    VolumeState.REMOVING: "being removed",
}


@register.filter
def state_in_words(volume: Volume) -> str:
    """Return the state that it is in."""
    if volume.state == VolumeState.READY and volume.wanted_mib is not None:
        return "growing"
    if volume.state == VolumeState.FAILED and volume.reason_code == LOST:
        return "gone"
    return _WORDS[VolumeState(volume.state)]


@register.filter
def total_mib(volume: Volume) -> int | None:
    """Return how much it holds, as it was seen or else as it was asked for, where that is known."""
    return volume.capacity_mib or volume.size_mib


@register.filter
def nearly_full_mib(volume: Volume) -> int:
    """Return from where on a volume of a known size needs attention."""
    return (total_mib(volume) or 0) * 9 // 10


@register.filter
def usage(volume: Volume) -> str:
    """Return what is used of it, as far as that is known: `3.2 of 10 GiB used`; else nothing."""
    if volume.used_mib is None:
        return ""
    total = total_mib(volume)
    return f"{of_size(volume.used_mib, total) if total else about(volume.used_mib)} used"
