"""What people may write as the name of a thing."""

import math
import unicodedata

from submarine_site.core.errors import InvalidInput

MAX_NAME = 80
_MAX_RAW = 10 * MAX_NAME
# Joiners that scripts and emoji need; every other invisible format character is refused, because
# it lets one name pass for another or turns the text around it (CVE-2021-42574).
_JOINERS = {"\u200c", "\u200d"}
# Not Cn: what this Python does not know yet may be next year's emoji.
_REFUSED = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}


def clean_name(raw: str, *, field: str = "name") -> str:
    """Return `raw` as a name: in NFC, trimmed, runs of spaces made one.

    Any script and emoji will do; the pages escape what looks like HTML. Raises `InvalidInput` when
    it is empty, over `MAX_NAME` characters, or holds control or invisible characters.
    """
    # To normalize a run of combining characters takes time that grows with its square.
    if len(raw) > _MAX_RAW:
        raise InvalidInput.field(
            field, f"The name has {len(raw)} characters; {MAX_NAME} is the most."
        )
    for char in raw:
        if unicodedata.category(char) in _REFUSED and char not in _JOINERS:
            raise InvalidInput.field(
                field, f"The name holds a character that cannot be shown (U+{ord(char):04X})."
            )
    name = " ".join(unicodedata.normalize("NFC", raw).split())
    if not set(name) - {" ", *_JOINERS}:
        raise InvalidInput.field(field, "A name is needed.")
    if len(name) > MAX_NAME:
        raise InvalidInput.field(
            field, f"The name has {len(name)} characters; {MAX_NAME} is the most."
        )
    return name


def too_many_sign_ins(seconds: int) -> str:
    """What a client hears whose network has failed to sign in too often, on web and gateway."""
    minutes = math.ceil(seconds / 60)
    return (
        "Too many failed sign-ins from your network address. "
        f"Try again in {minutes} minute{'' if minutes == 1 else 's'}."
    )


def header_too_large(most: int) -> str:
    """Say that a request's header has more than so many bytes, the same on web and gateway."""
    return (
        f"The header of this request has more than {most // 1024} KiB or too many fields. "
        "If a browser sent it, delete the cookies of this site there and try again."
    )
