"""Times as people read them: how long ago, with the exact one on hover.

`static/js/times.js` keeps the same words true as time passes; change both together.
"""

from datetime import datetime

from django import template
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

register = template.Library()

_MINUTE = 60
_HOUR = 60 * _MINUTE
_DAY = 24 * _HOUR
_JUST_NOW = 45
_AS_A_DATE = 30 * _DAY
_IN_TENTHS = 10


@register.filter
def span(seconds: float) -> str:
    """Return a length of time by its two biggest units: `0.4 s`, `1 min 50 s`, `2 h 5 min`."""
    if seconds < _IN_TENTHS:
        return f"{max(seconds, 0):.1f} s"
    whole = int(seconds)
    for unit, name, smaller, smaller_name in (
        (_DAY, "d", _HOUR, "h"),
        (_HOUR, "h", _MINUTE, "min"),
        (_MINUTE, "min", 1, "s"),
    ):
        if whole >= unit:
            rest = whole % unit // smaller
            return (
                f"{whole // unit} {name} {rest} {smaller_name}"
                if rest
                else f"{whole // unit} {name}"
            )
    return f"{whole} s"


def _ago(when: datetime) -> str:
    seconds = int((timezone.now() - when).total_seconds())
    if seconds < _JUST_NOW:
        return "just now"
    if seconds < _HOUR:
        return f"{max(seconds // _MINUTE, 1)} min ago"
    if seconds < _DAY:
        return f"{seconds // _HOUR} h ago"
    if seconds < _AS_A_DATE:
        return f"{seconds // _DAY} d ago"
    return f"{when.day} {when:%b %Y}"


@register.simple_tag
def ago(when: datetime) -> SafeString:
    """Say how long ago `when` was."""
    return format_html(
        '<time datetime="{}" title="{}" data-ago>{}</time>',
        when.isoformat(),
        _exact(when),
        _ago(when),
    )


@register.simple_tag
def day(when: datetime) -> SafeString:
    """Name the day of `when`, which is to come, with its time on hover."""
    return format_html(
        '<time datetime="{}" title="{}">{}</time>',
        when.isoformat(),
        _exact(when),
        f"{when.day} {when:%b %Y}",
    )


@register.simple_tag
def clock(since: datetime) -> SafeString:
    """Say how long it has been since `since`, running."""
    seconds = int((timezone.now() - since).total_seconds())
    return format_html(
        '<span data-clock="{}" title="since {}">{}</span>',
        since.isoformat(),
        _exact(since),
        span(seconds) if seconds >= _IN_TENTHS else f"{max(seconds, 0)} s",
    )


@register.simple_tag
def lasted(begin: datetime, end: datetime) -> str:
    """Say how long it was from `begin` to `end`."""
    return span((end - begin).total_seconds())


@register.simple_tag
def until(when: datetime) -> SafeString:
    """Say how long it is until `when`, running; of what is past, that it is soon."""
    return format_html(
        '<span data-until="{}" title="{}">{}</span>',
        when.isoformat(),
        _exact(when),
        _until(when),
    )


def _until(when: datetime) -> str:
    seconds = int((when - timezone.now()).total_seconds())
    if seconds <= 0:
        return "soon"
    return f"in {span(seconds) if seconds >= _IN_TENTHS else f'{seconds} s'}"


@register.simple_tag
def at(when: datetime) -> SafeString:
    """Say at what time of which day `when` is, if that is near: `18:05 tomorrow`."""
    return format_html(
        '<time datetime="{}" title="{}" data-at>{}</time>',
        when.isoformat(),
        _exact(when),
        _at(timezone.localtime(when)),
    )


def _at(when: datetime) -> str:
    days = (when.date() - timezone.localdate()).days
    near = {0: "today", 1: "tomorrow"}
    return f"{when:%H:%M} {near.get(days) or f'on {when.day} {when:%b %Y}'}"


def _exact(when: datetime) -> str:
    return f"{timezone.localtime(when):%Y-%m-%d %H:%M:%S %Z}"
