"""The names of the service's objects in a cluster: how they are made, and how they are recognised.

They are recognised wherever operators name objects, which is in other processes than they are made
in.
"""

import re
from urllib.parse import unquote

SERVICE = "submarine-notebooks"
"""Its ServiceAccount, Role and RoleBinding, and where the names of its labels begin."""
LABEL_PREFIX = f"{SERVICE}/"

_FORMS: list["NameForm"] = []


class NameForm:
    """A form of names, such as `build-{}-{}`. Each is recognised by `is_own_name`."""

    def __init__(self, template: str) -> None:
        self._template = template
        start, *rest = template.split("{}")
        # What begins so is refused as a whole, so that a form may change; where a form begins with
        # the installation's name, which may be any, by what follows.
        self._pattern = re.compile(
            f"{start}.*" if start else f".+{'.*'.join(map(re.escape, rest))}", re.DOTALL
        )
        _FORMS.append(self)

    def name(self, *values: object) -> str:
        return self._template.format(*values)

    def matches(self, name: str) -> bool:
        return self._pattern.fullmatch(name) is not None


RUN = NameForm("nb-{}")
VOLUME = NameForm("home-{}")
BUILD = NameForm("build-{}-{}")
DISCARD = NameForm("discard-{}")
STORE = NameForm("{}-environments")
POLICY = NameForm("{}-sessions")
BACKSTOP = NameForm("{}-backstop")
PROGRAMS = NameForm("{}-programs-{}")


def is_own_name(name: str) -> bool:
    """Whether an object of this name is of this service, of whichever installation."""
    return name.startswith(SERVICE) or any(form.matches(name) for form in _FORMS)


def contains_own_name(value: str) -> bool:
    """Whether a text names such an object anywhere, as `notebooks/home-1` does.

    A dot may separate names or be part of one, so both readings count.
    """
    names = re.split(r"[^A-Za-z0-9.-]+", unquote(value))
    return any(is_own_name(part) for name in names for part in (name, *name.split(".")))
