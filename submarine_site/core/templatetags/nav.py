"""The entries of the top bar."""

from typing import Any

from django import template
from django.urls import reverse

register = template.Library()


@register.inclusion_tag("components/nav_link.html", takes_context=True)
def nav_link(
    context: dict[str, Any], page: str, label: str, *, section: str = ""
) -> dict[str, str]:
    """Link to a page, marked on it and on the pages below: those of `section`, or of the page's
    own address.
    """
    address, here = reverse(page), context["request"].path
    below = here.startswith(f"{section or address}/")
    current = "page" if here == address else "true" if below else ""
    return {"address": address, "label": label, "current": current}
