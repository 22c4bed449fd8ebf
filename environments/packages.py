"""Whether what people write as packages, channels and kernels can be taken; what it then is.

Pure. What is refused is quoted in the message, so that it is found among many.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from packaging.requirements import InvalidRequirement, Requirement
from rattler import MatchSpec
from rattler.exceptions import InvalidMatchSpecError

from environments.kernels import Kernel
from submarine_site.core.errors import InvalidInput
from submarine_site.core.text import clean_name

MAX_KERNELS = 5
MAX_CHANNELS = 10
MAX_PACKAGES = 200
MAX_SPEC = 200
"""Characters of one package or channel."""

OWN_KERNEL = "python3"
"""The kernel of the server's own Python: one of the same name would hide it."""

_KERNEL_NAME = re.compile(r"[a-z0-9]([-a-z0-9_.]{0,61}[a-z0-9])?")
# As `conda env export` writes them; the strict grammar wants `name ==version build`.
_EXPORTED = re.compile(r"(?P<name>[\w.-]+)=(?P<version>[\w.!+]+)=(?P<build>\w+)")


class BadSpec(ValueError):
    """A spec cannot be taken; the text is for whoever wrote it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What a site allows. Channels are those that may be used, the first where none is named."""

    channels: tuple[str, ...]
    allow_urls: bool = False


def pip_spec(raw: str, rules: Rules) -> str:
    """Return a requirement of PEP 508 in its normal form. Raises `BadSpec`."""
    text = _text(raw)
    if text.startswith("-") or " --" in text:
        raise BadSpec(f"“{text}”: options of pip are not taken.")
    try:
        requirement = Requirement(text)
    except InvalidRequirement as error:
        if not rules.allow_urls and ("/" in text or text.startswith(".")):
            raise BadSpec(f"“{text}”: paths and URLs are not taken here.") from None
        reason = str(error).splitlines()[0].rstrip(".")
        raise BadSpec(f"“{text}” is no requirement of pip: {reason}.") from None
    if requirement.url is not None:
        if not rules.allow_urls:
            raise BadSpec(f"“{text}”: paths and URLs are not taken here.")
        if not requirement.url.startswith(("https://", "git+https://")):
            raise BadSpec(f"“{text}”: only https will do in a URL.")
    return str(requirement)


def conda_spec(raw: str, rules: Rules) -> str:
    """Return a match spec of conda in its normal form. Raises `BadSpec`."""
    text = _text(raw)
    if text.startswith("-"):
        raise BadSpec(f"“{text}”: options of conda are not taken.")
    if exported := _EXPORTED.fullmatch(text):
        text = "{name} =={version} {build}".format(**exported.groupdict())
    try:
        spec = MatchSpec(text, strict=True, extras=False, conditionals=False, flags=False)
    except InvalidMatchSpecError as error:
        reason = str(error).splitlines()[0].rstrip(".")
        raise BadSpec(f"“{text}” is no package of conda: {reason}.") from None
    normal = str(spec)
    if "://" in normal or "url=" in normal or spec.file_name:
        raise BadSpec(f"“{text}”: paths and URLs are not taken here.")
    if spec.channel is not None:
        channel(spec.channel.name or "", rules)
    return normal


def channel(raw: str, rules: Rules) -> str:
    """Return a channel that the site allows, by name or as the site writes it. Raises `BadSpec`."""
    text = _text(raw)
    if text not in rules.channels and text not in map(_last_part, rules.channels):
        allowed = ", ".join(rules.channels) or "none"
        raise BadSpec(f"“{text}”: channels that may be used here: {allowed}.")
    return text


def channel_address(name: str, channels: Iterable[str]) -> str | None:
    """Return what the site has under this name of a channel: itself a name, or a URL."""
    return next((each for each in channels if name in {each, _last_part(each)}), None)


def kernel_name(raw: str) -> str:
    """Return a name for a kernel. Raises `BadSpec`."""
    if not _KERNEL_NAME.fullmatch(raw):
        raise BadSpec(
            f"“{raw[:MAX_SPEC]}”: a kernel's name has small letters, digits, dots, hyphens and "
            "underscores, at most 63, with a letter or digit at both ends."
        )
    if raw == OWN_KERNEL:
        raise BadSpec(f"“{raw}” is the kernel of Jupyter's own Python. Choose another name.")
    return raw


def clean_kernel(raw: Kernel, rules: Rules) -> Kernel:
    """Return the kernel with all in its normal form. Raises `InvalidInput`, by field."""
    most = {"channels": MAX_CHANNELS, "conda": MAX_PACKAGES, "pip": MAX_PACKAGES}
    for field, limit in most.items():
        count = len(getattr(raw, field))
        if count > limit:
            raise InvalidInput.field(field, f"There are {count}; {limit} is the most.")
    checked = {
        "name": _checked([raw.name], lambda name, _: kernel_name(name), rules),
        "channels": _checked(raw.channels, channel, rules),
        "conda": _checked(raw.conda, conda_spec, rules),
        "pip": _checked(raw.pip, pip_spec, rules),
    }
    wrong = {field: "\n".join(bad) for field, (_, bad) in checked.items() if bad}
    if not raw.conda and not raw.pip:
        wrong["pip"] = "A kernel needs a package."
    if raw.conda and not rules.channels:
        wrong["conda"] = "This site allows no channel of conda."
    if wrong:
        raise InvalidInput("\n".join(wrong.values()), fields=wrong)
    channels, conda, pip = (checked[field][0] for field in ("channels", "conda", "pip"))
    return Kernel(
        name=raw.name,
        display_name=clean_name(raw.display_name or raw.name, field="display_name"),
        # Where nothing is of conda, channels would only make it another build.
        channels=(channels or rules.channels[:1]) if conda else (),
        conda=conda,
        pip=pip,
    )


def _checked(
    specs: Sequence[str], check: Callable[[str, Rules], str], rules: Rules
) -> tuple[tuple[str, ...], list[str]]:
    """Return what is good, each once, and what is to be said of the rest."""
    good: dict[str, None] = {}
    bad = []
    for spec in specs:
        try:
            good[check(spec, rules)] = None
        except BadSpec as refusal:
            bad.append(str(refusal))
    return tuple(good), bad


def clean_kernels(raw: Sequence[Kernel], rules: Rules) -> tuple[Kernel, ...]:
    """Return the kernels of a version. Raises `InvalidInput` that says in which the fault is."""
    if len(raw) > MAX_KERNELS:
        raise InvalidInput.field(
            "kernels", f"There are {len(raw)} kernels; {MAX_KERNELS} is the most."
        )
    kernels = []
    for each in raw:
        try:
            kernels.append(clean_kernel(each, rules))
        except InvalidInput as refusal:
            name = each.name[:MAX_SPEC]
            raise InvalidInput.field("kernels", f"Kernel “{name}”: {refusal.message}") from None
    names = [kernel.name for kernel in kernels]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise InvalidInput.field("kernels", f"Two kernels are named “{twice}”.")
    return tuple(kernels)


def clean_requested(raw: Kernel) -> Kernel:
    """Return a kernel as it was written, to be read back. Raises `InvalidInput`."""
    channels, conda, pip = (
        tuple(map(str.strip, specs)) for specs in (raw.channels, raw.conda, raw.pip)
    )
    for text in (raw.name, raw.display_name, *channels, *conda, *pip):
        if len(text) > MAX_SPEC or not text.isprintable():
            raise InvalidInput.field("kernels", f"{text[:MAX_SPEC]!r} is no name or package.")
    return replace(raw, channels=channels, conda=conda, pip=pip)


def _text(raw: str) -> str:
    text = raw.strip()
    if len(text) > MAX_SPEC:
        raise BadSpec(f"“{text[:40]}…” has {len(text)} characters; {MAX_SPEC} is the most.")
    if not text:
        raise BadSpec("One is empty.")
    if not (text.isascii() and text.isprintable()):
        raise BadSpec(f"{text!r} holds a character that no package has in its name.")
    return text


def _last_part(address: str) -> str:
    return address.rstrip("/").rpartition("/")[2]
