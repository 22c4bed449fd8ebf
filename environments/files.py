"""What is declared by an `environment.yml`, a `requirements.txt` or a `pyproject.toml`.

Pure. Raises `InvalidInput` whose message has a line for each fault, "line 12: …". Nothing of a file
is run, followed or fetched.
"""

import codecs
import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import TypeAlias

import yaml

from environments.kernels import Kernel
from environments.packages import MAX_PACKAGES, BadSpec, Rules, channel, conda_spec, pip_spec
from submarine_site.core import yaml_loader
from submarine_site.core.errors import InvalidInput

MAX_BYTES = 256 * 1024
MAX_FAULTS = 20
"""How many are told of one file."""

MAX_DEPTH = 8
_TOO_DEEP = "this is nested deeper than this site accepts."
# UTF-32 before UTF-16: in little-endian order, its mark begins with the other.
_MARKS: Mapping[bytes, str] = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_TOO_MANY = f"this site accepts up to {MAX_PACKAGES} packages of a kind."
# Of micromamba: a package for some platforms. Environments are built on Linux.
_SELECTOR = re.compile(r"sel\((\w+)\)")
_SELECTED = {"linux", "unix"}
_COMMENT = re.compile(r"(?:^|(?<=\s))#.*$")
_CONTROL = re.compile(r"[^\t\n\r\x20-\x7e\x85\xa0-\U0010ffff]")
_STRING = "tag:yaml.org,2002:str"
_NULL = "tag:yaml.org,2002:null"

# The time and memory that tomllib takes grow with the square of a dotted key's length.
_DEEP_KEY = re.compile(r"""(?<![\w-])(?:(?:[\w-]++|"[^"\n]*+"|'[^'\n]*+')[ \t]*+\.[ \t]*+){20}""")


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """What a file asks for. Its name is a wish that the file may not have."""

    name: str = ""
    channels: tuple[str, ...] = ()
    conda: tuple[str, ...] = ()
    pip: tuple[str, ...] = ()

    def kernel(self, name: str) -> Kernel:
        """Return it as a kernel of this name."""
        return Kernel(
            name=name,
            display_name=name,
            channels=self.channels,
            conda=self.conda,
            pip=self.pip,
        )


Check: TypeAlias = Callable[[str, Rules], str]
Item: TypeAlias = tuple[int, str]
"""A text and the line that it stands on."""


def read_file(filename: str, content: bytes, rules: Rules) -> Declared:
    """Read a file of one of the three kinds, which its name tells."""
    read = _KINDS.get(PurePath(filename).suffix.lower())
    if read is None:
        raise _refused("Upload an environment.yml, a requirements.txt or a pyproject.toml.")
    if len(content) > MAX_BYTES:
        raise _refused(
            f"The file has {len(content) // 1024} KiB; {MAX_BYTES // 1024} KiB is the most."
        )
    text = _decoded(content)
    if control := _CONTROL.search(text):
        raise _refused("a character that cannot be shown.", line=_line_at(text, control.start()))
    return read(text, rules)


def _decoded(content: bytes) -> str:
    """Return the text: UTF-8, or what its byte order mark says, as pip and YAML have it."""
    encoding = next((name for mark, name in _MARKS.items() if content.startswith(mark)), "utf-8")
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        name = encoding.removesuffix("-sig").upper()
        line = content.count(b"\n", 0, error.start) + 1
        raise _refused(f"this is not text in {name}. Save the file in UTF-8.", line=line) from None


def read_lines(text: str, field: str, check: Check, rules: Rules) -> tuple[str, ...]:
    """Read what was typed into a field, one to a line; what is wrong stands under the field."""
    faults = _Faults()
    lines = [(line, each) for line, each in enumerate(text.splitlines(), 1) if each.strip()]
    good = faults.sift(lines, check, rules)
    faults.tell(field)
    return good


@dataclass(slots=True)
class _Faults:
    found: list[Item] = field(default_factory=list)

    def sift(self, items: Iterable[Item], check: Check, rules: Rules) -> tuple[str, ...]:
        """Return what is good, as it is written, and note what is not."""
        good: list[str] = []
        for count, (line, text) in enumerate(items):
            if count == MAX_PACKAGES:
                # What is far too much is not read to its end.
                self.found.append((line, _TOO_MANY))
                break
            try:
                check(text, rules)
                good.append(text.strip())
            except BadSpec as refusal:
                self.found.append((line, str(refusal)))
        return tuple(good)

    def tell(self, field: str = "file") -> None:
        """Refuse, if there are any."""
        if self.found:
            told = [f"line {line}: {text}" for line, text in sorted(self.found)[:MAX_FAULTS]]
            if len(self.found) > MAX_FAULTS:
                told.append(f"… and {len(self.found) - MAX_FAULTS} more.")
            raise InvalidInput.field(field, "\n".join(told))


def _refused(text: str, *, line: int | None = None) -> InvalidInput:
    return InvalidInput.field("file", text if line is None else f"line {line}: {text}")


def _line_at(text: str, position: int) -> int:
    return text.count("\n", 0, position) + 1


def _read_conda(text: str, rules: Rules) -> Declared:
    reader = _CondaFile()
    reader.read(_composed(text))
    faults = reader.faults
    declared = Declared(
        name=reader.name,
        channels=faults.sift(reader.channels, channel, rules),
        conda=faults.sift(reader.conda, conda_spec, rules),
        pip=faults.sift(reader.pip, pip_spec, rules),
    )
    faults.tell()
    return declared


def _composed(text: str) -> yaml.Node:
    """Return the document's root, of plain mappings, lists and values without names or types."""
    try:
        root = yaml_loader.compose(text, max_depth=MAX_DEPTH)
    except yaml_loader.YamlRefused as error:
        line = error.problem_mark.line + 1 if error.problem_mark else None
        raise _refused(f"refused by this site: {error.problem}.", line=line) from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise _refused(f"{error.problem}.", line=mark.line + 1 if mark else None) from None
    except yaml.YAMLError as error:
        raise _refused(f"The file cannot be read: {error}.") from None
    if root is None:
        raise _refused("The file is empty.")
    return root


@dataclass(slots=True)
class _CondaFile:
    """What stands where in an `environment.yml`."""

    name: str = ""
    has_dependencies: bool = False
    channels: list[Item] = field(default_factory=list)
    conda: list[Item] = field(default_factory=list)
    pip: list[Item] = field(default_factory=list)
    faults: _Faults = field(default_factory=_Faults)

    def read(self, root: yaml.Node) -> None:
        for key, value in self._entries(root):
            match key:
                case "name":
                    if isinstance(value, yaml.ScalarNode) and value.tag != _NULL:
                        self.name = value.value
                case "channels":
                    said = self._texts(self._list(value))
                    # Of conda itself: that its own channels do not count, which they never do here.
                    self.channels += [item for item in said if item[1] != "nodefaults"]
                case "dependencies":
                    self.has_dependencies = True
                    self._read_dependencies(value)
                case "variables":
                    if not _is_empty(value):
                        self._wrong(
                            value,
                            "this site sets no “variables” for an environment. Set them for the "
                            "session instead.",
                        )
                case _:
                    # Such as “prefix” and “platforms”. conda ignores what it does not know, too.
                    pass
        if not self.has_dependencies and not self.faults.found:
            self._wrong(root, "the file has no “dependencies”.")

    def _read_dependencies(self, node: yaml.Node) -> None:
        for each in self._list(node):
            if not isinstance(each, yaml.MappingNode):
                self.conda += self._texts([each])
                continue
            for key, value in self._entries(each):
                if selector := _SELECTOR.fullmatch(key):
                    if selector[1] in _SELECTED:
                        self.conda += self._texts([value])
                elif key == "pip":
                    self.pip += self._texts(self._list(value))
                else:
                    self._wrong(value, f"“{key}” has no list of its own; only pip has one.")

    def _entries(self, node: yaml.Node) -> Iterator[tuple[str, yaml.Node]]:
        if not isinstance(node, yaml.MappingNode):
            self._wrong(node, "names with values are expected, such as “dependencies:”.")
            return
        seen = set()
        for key, value in node.value:
            for _, name in self._texts([key]):
                if name in seen:
                    self._wrong(key, f"“{name}” is there twice.")
                else:
                    seen.add(name)
                    yield name, value

    def _list(self, node: yaml.Node) -> Iterable[yaml.Node]:
        if isinstance(node, yaml.SequenceNode):
            return list(node.value)
        if _is_empty(node):
            return []
        self._wrong(node, "a list is expected.")
        return []

    def _texts(self, nodes: Iterable[yaml.Node]) -> Iterator[Item]:
        for node in nodes:
            if not isinstance(node, yaml.ScalarNode):
                self._wrong(node, "a text is expected.")
            elif node.tag == _NULL:
                self._wrong(node, "an entry is empty.")
            elif node.tag != _STRING:
                kind = node.tag.rpartition(":")[2]
                self._wrong(node, f"“{node.value}” is no text but of type {kind}. Quote it.")
            else:
                yield node.start_mark.line + 1, node.value

    def _wrong(self, node: yaml.Node, text: str) -> None:
        self.faults.found.append((node.start_mark.line + 1, text))


def _is_empty(node: yaml.Node) -> bool:
    """Whether a key has no value, or one without content."""
    return node.tag == _NULL or not node.value


def _read_requirements(text: str, rules: Rules) -> Declared:
    faults = _Faults()
    pip = faults.sift(_logical_lines(text), pip_spec, rules)
    faults.tell()
    return Declared(pip=pip)


def _logical_lines(text: str) -> Iterator[Item]:
    """The lines as pip takes them: continued after a backslash, without comments and blanks."""
    begun: list[str] = []
    first = 1
    for number, line in enumerate([*text.splitlines(), ""], 1):
        if not begun:
            first = number
        if line.endswith("\\") and not line.lstrip().startswith("#"):
            begun.append(line[:-1])
            continue
        logical = _COMMENT.sub("", "".join([*begun, line])).strip()
        begun = []
        if logical:
            yield first, logical


def _read_pyproject(text: str, rules: Rules) -> Declared:
    if deep := _DEEP_KEY.search(text):
        raise _refused(_TOO_DEEP, line=_line_at(text, deep.start()))
    try:
        project = tomllib.loads(text).get("project")
    except RecursionError:
        raise _refused("The file is nested deeper than this site accepts.") from None
    except ValueError as error:
        raise _refused(f"The file is no TOML: {error}.") from None
    if not isinstance(project, dict):
        raise _refused("The file has no table [project].")
    asked = project.get("dependencies")
    if asked is None:
        raise _refused("[project] has no dependencies.")
    if not isinstance(asked, list) or not all(isinstance(each, str) for each in asked):
        raise _refused("The dependencies of [project] are no list of texts.")
    if len(asked) > MAX_PACKAGES:
        raise _refused(
            f"There are {len(asked)} dependencies; this site accepts up to {MAX_PACKAGES}."
        )
    faults = _Faults()
    pip = faults.sift(_located(text, asked), pip_spec, rules)
    faults.tell()
    name = project.get("name")
    return Declared(name=name if isinstance(name, str) else "", pip=pip)


def _located(text: str, specs: Iterable[str]) -> Iterator[Item]:
    """With the lines on which they stand, which TOML's reader does not tell."""
    position = max(text.find("dependencies"), 0)
    for spec in specs:
        # One that is written with escapes is not found: it stands near the one before.
        position = max(text.find(spec, position), position)
        yield _line_at(text, position), spec


_KINDS: Mapping[str, Callable[[str, Rules], Declared]] = {
    ".yml": _read_conda,
    ".yaml": _read_conda,
    ".txt": _read_requirements,
    ".toml": _read_pyproject,
}
