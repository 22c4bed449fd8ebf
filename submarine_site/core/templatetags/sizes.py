"""Amounts of memory and storage as people read them."""

from django import template

from submarine_site.core.sizes import about, of_size, size

register = template.Library()

register.filter(size)
register.filter(about)
register.filter(of_size)
