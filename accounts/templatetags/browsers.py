"""A browser's own words for itself, made short."""

from django import template

register = template.Library()

# In this order: most browsers also claim to be the ones further down.
_BROWSERS = {
    "Edg": "Edge",
    "OPR/": "Opera",
    "Firefox/": "Firefox",
    "FxiOS/": "Firefox",
    "Chrome/": "Chrome",
    "CriOS/": "Chrome",
    "Safari/": "Safari",
}
_SYSTEMS = {
    "Windows": "Windows",
    "Android": "Android",
    "iPhone": "iPhone",
    "iPad": "iPad",
    "Mac OS X": "macOS",
    "CrOS": "ChromeOS",
    "Linux": "Linux",
}


@register.filter
def browser(user_agent: str) -> str:
    """Return `Firefox on Linux`, or as much of it as can be told."""
    name = _first(_BROWSERS, user_agent) or "A browser"
    system = _first(_SYSTEMS, user_agent)
    return f"{name} on {system}" if system else name


def _first(known: dict[str, str], text: str) -> str:
    return next((name for mark, name in known.items() if mark in text), "")
