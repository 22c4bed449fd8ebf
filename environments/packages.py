"""Whether what people write as packages, channels and kernels can be taken; what it then is.

Pure. What is refused is quoted in the message, so that it is found among many.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from packaging.requirements import InvalidRequirement, Requirement
from rattler import Channel, MatchSpec
from rattler.exceptions import InvalidChannelError, InvalidMatchSpecError

from environments.builder.outcome import without_credentials
from environments.kernels import Kernel
from submarine_site.core.errors import InvalidInput
from submarine_site.core.text import clean_name

MAX_KERNELS = 5
MAX_CHANNELS = 10
MAX_PACKAGES = 2000
"""In one kernel, of each kind. Exports of whole environments have several hundred."""

MAX_SPEC = 2000
"""Characters of one package or channel. Markers of exported requirements have several hundred."""

MAX_NESTING = 20
"""Opening parentheses in one package: both parsers recurse, rattler's without a bound."""

MAX_QUOTED = 200
"""Characters of a refused package that a message quotes."""

OWN_KERNEL = "python3"
"""The kernel of the server's own Python: one of the same name would hide it."""

_KERNEL_NAME = re.compile(r"[a-z0-9]([-a-z0-9_.]{0,61}[a-z0-9])?")
_BUILD = re.compile(r"[\w.+*-]*[\w*][\w.+*-]*|\^\S+\$")
# As conda has them, `name=` is `name` and `name=3.` is `name=3`.
_OPEN_END = re.compile(r"([\w.-]+)=|([\w.-]+=[\w.]*\w)\.")
_ARCHIVE = re.compile(r"\S+\.(?:whl|zip|tgz|tar\.\w+)")
_COMMENT = re.compile(r"\s#.*")
_PIP_OPTION = re.compile(r"(?:^|\s)(?P<name>--?[A-Za-z][\w-]*)")
_FILE_OPTIONS = {"-r", "--requirement", "-c", "--constraint"}
_LOCAL_OPTIONS = {"-e", "--editable"}
_INDEX_OPTIONS = {
    *("-i", "--index-url", "--extra-index-url", "--no-index"),
    *("-f", "--find-links", "--trusted-host"),
}
_NO_URLS = "this site accepts no paths and no URLs as packages. Name a package of its index."


class BadSpec(ValueError):
    """A spec cannot be taken; the text is for whoever wrote it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What a site allows. Channels are those that may be used, the first where none is named."""

    channels: tuple[str, ...]
    allow_urls: bool = False


def pip_spec(raw: str, rules: Rules) -> str:
    """Return a requirement of PEP 508 in its normal form. Raises `BadSpec`."""
    text = _written(raw)
    if option := _PIP_OPTION.search(text):
        raise BadSpec(f"“{_short(text)}”: {_option_refusal(option['name'])}")
    if _ARCHIVE.fullmatch(text) and not rules.allow_urls:
        raise BadSpec(f"“{_short(text)}”: {_NO_URLS}")
    try:
        requirement = Requirement(text)
        normal = str(requirement)
    except InvalidRequirement as error:
        if not rules.allow_urls and ("/" in text or text.startswith(".")):
            raise BadSpec(f"“{_short(text)}”: {_NO_URLS}") from None
        reason = str(error).splitlines()[0].rstrip(".")
        raise BadSpec(f"“{_short(text)}” is not a pip requirement: {reason}.") from None
    if requirement.url is not None:
        if not rules.allow_urls:
            raise BadSpec(f"“{_short(text)}”: {_NO_URLS}")
        if not requirement.url.startswith(("https://", "git+https://")):
            raise BadSpec(f"“{_short(text)}”: this site accepts only https in a URL.")
    return normal


def _option_refusal(name: str) -> str:
    """Return why the site refuses this option of pip."""
    if name in _FILE_OPTIONS:
        return "this site follows no other file. Copy its lines in place of this one."
    if name in _LOCAL_OPTIONS:
        return _NO_URLS
    if name in _INDEX_OPTIONS:
        return (
            "this site decides from which indexes packages are installed, and accepts no option "
            "for that. Remove it."
        )
    if name == "--hash":
        return (
            "this site accepts no hashes; a build records those of all that it installs. Export "
            "the file without them: “uv export --no-hashes”, “poetry export --without-hashes”."
        )
    return "this site accepts no options of pip. Remove it."


def conda_spec(raw: str, rules: Rules) -> str:
    """Return a match spec of conda in its normal form. Raises `BadSpec`.

    The grammar is the one of conda itself, which takes `name 1.2` and `name=1.*`; the normal form
    is read back by `MatchSpec(normal)`.
    """
    text = _written(raw)
    if open_end := _OPEN_END.fullmatch(text):
        text = open_end[1] or open_end[2]
    if text.startswith("-"):
        raise BadSpec(f"“{_short(text)}”: this site accepts no options of conda.")
    try:
        spec = MatchSpec(text, extras=False, conditionals=False, flags=False)
    except InvalidMatchSpecError as error:
        reason = str(error).splitlines()[0].rstrip(".")
        raise BadSpec(f"“{_short(text)}” is not a conda package: {reason}.") from None
    normal = str(spec)
    if "://" in normal or "url=" in normal or spec.file_name:
        raise BadSpec(f"“{_short(text)}”: {_NO_URLS}")
    if spec.build and not _BUILD.fullmatch(spec.build):
        raise BadSpec(
            f"“{_short(text)}” is not a conda package: “{spec.build}” is not a build string."
        )
    if spec.channel is not None:
        channel(spec.channel.name or "", rules)
    return normal


def channel(raw: str, rules: Rules) -> str:
    """Return a channel that the site allows, by name or as the site writes it. Raises `BadSpec`."""
    text = _text(raw)
    if text in rules.channels or text in map(_last_part, rules.channels):
        return text
    if text.startswith("https://"):
        # The full address of a channel that the site allows by its name.
        address = _base_url(text)
        for allowed in rules.channels:
            if _base_url(allowed) == address:
                return allowed
    names = without_credentials(", ".join(rules.channels)) or "none"
    raise BadSpec(f"“{_short(text)}”: this site allows these channels: {names}.")


def _base_url(name: str) -> str | None:
    try:
        return Channel(name).base_url
    except InvalidChannelError:
        return None


def channel_address(name: str, channels: Iterable[str]) -> str | None:
    """Return what the site has under this name of a channel: itself a name, or a URL."""
    return next((each for each in channels if name in {each, _last_part(each)}), None)


def addressed_spec(spec: str, channels: Iterable[str]) -> str:
    """Return a conda spec in its normal form with the site's address of the channel it names."""
    prefix, separator, rest = spec.rpartition("::")
    name, slash, subdir = prefix.partition("/")
    address = channel_address(name, channels) if separator else None
    return f"{address}{slash}{subdir}::{rest}" if address else spec


def named_channels(specs: Iterable[str]) -> Iterator[str]:
    """Yield the channels that these conda specs, in their normal form, name."""
    for spec in specs:
        prefix, separator, _ = spec.rpartition("::")
        if separator:
            yield prefix.partition("/")[0]


def kernel_name(raw: str) -> str:
    """Return a name for a kernel. Raises `BadSpec`."""
    if not _KERNEL_NAME.fullmatch(raw):
        raise BadSpec(
            f"“{_short(raw)}”: a kernel's name has small letters, digits, dots, hyphens and "
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
        channels=_all_channels(channels, conda, rules) if conda else (),
        conda=conda,
        pip=pip,
    )


def _all_channels(
    channels: tuple[str, ...], conda: tuple[str, ...], rules: Rules
) -> tuple[str, ...]:
    """Return the kernel's channels, after which come those that its packages name, as in conda."""
    all_channels = dict.fromkeys(channels or rules.channels[:1])
    known = {_last_part(each) for each in all_channels}
    all_channels |= dict.fromkeys(name for name in named_channels(conda) if name not in known)
    return tuple(all_channels)


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
            name = _short(each.name)
            raise InvalidInput.field("kernels", f"Kernel “{name}”: {refusal.message}") from None
    names = [kernel.name for kernel in kernels]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise InvalidInput.field("kernels", f"Two kernels are named “{twice}”.")
    return tuple(kernels)


def clean_requested(raw: Kernel) -> Kernel:
    """Return a kernel as it was written, without comments. Raises `InvalidInput`."""
    channels, conda, pip = (
        tuple(_COMMENT.sub("", f" {spec}").strip() for spec in specs)
        for specs in (raw.channels, raw.conda, raw.pip)
    )
    for text in (raw.name, raw.display_name, *channels, *conda, *pip):
        if len(text) > MAX_SPEC or not text.isprintable():
            raise InvalidInput.field("kernels", f"{_short(text)!r} is no name or package.")
    return replace(raw, channels=channels, conda=conda, pip=pip)


def _written(raw: str) -> str:
    """Return a package without the comment that may follow it."""
    return _text(_COMMENT.sub("", f" {raw}"))


def _text(raw: str) -> str:
    text = raw.strip()
    if not text:
        raise BadSpec("A line is empty.")
    if len(text) > MAX_SPEC:
        raise BadSpec(
            f"“{_short(text)}” has {len(text)} characters; this site accepts up to {MAX_SPEC}."
        )
    if text.count("(") > MAX_NESTING:
        raise BadSpec(f"“{_short(text)}”: this site accepts up to {MAX_NESTING} parentheses.")
    if not (text.isascii() and text.isprintable()):
        raise BadSpec(f"{_short(text)!r} has a character that no package has in its name.")
    return text


def _short(text: str) -> str:
    """Return the text as messages quote it."""
    return text if len(text) <= MAX_QUOTED else f"{text[:MAX_QUOTED]}…"


def _last_part(address: str) -> str:
    return address.rstrip("/").rpartition("/")[2]
