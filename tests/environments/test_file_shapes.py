"""Environment files of the shapes of public repositories, and what their own tools say of them."""

import subprocess
from collections.abc import Callable

import pytest
from packaging.requirements import InvalidRequirement, Requirement
from rattler import MatchSpec
from rattler.exceptions import InvalidMatchSpecError
from uv import find_uv_bin

from environments.files import Declared, read_file
from environments.packages import Rules, conda_spec, pip_spec
from submarine_site.core.errors import InvalidInput
from tests.environments import file_shapes as shapes

RULES = Rules(channels=("conda-forge", "bioconda"))
POLICY = "this site"

# Around a line, as files have it: by indentation, quotes, comments, line ends and encoding.
CONDA_FRAMES: tuple[Callable[[str], bytes], ...] = (
    lambda line: f"name: a\nchannels:\n  - conda-forge\ndependencies:\n  - {line}\n".encode(),
    lambda line: f"channels:\n- conda-forge\n- nodefaults\ndependencies:\n- {line}\n".encode(),
    lambda line: f"dependencies:\n  - {line}  # why\nprefix: /opt/a\n".encode(),
    lambda line: f"# é\r\ndependencies:\r\n    - {line}\r\n".encode("utf-16"),
    lambda line: f"---\ndependencies:\n\n  # Tools\n  - {line}\nplatforms: [linux-64]".encode(),
    lambda line: f"dependencies:\n- {line}\nchannels: [bioconda, conda-forge]\n".encode(
        "utf-8-sig"
    ),
)
PIP_FRAMES: tuple[Callable[[str], bytes], ...] = (
    lambda line: f"{line}\n".encode(),
    lambda line: f"# Tools\n\n{line}".encode(),
    lambda line: f"{line}    # why\r\n".encode(),
    lambda line: f"{line}\r\n".encode("utf-16"),
    lambda line: f"  {line}\n\n\n".encode("utf-8-sig"),
)


def quoted(line: str) -> str:
    """The line as YAML takes it for a text."""
    return "'" + line.replace("'", "''") + "'" if line[0] in "*@{-[&!" or ": " in line else line


def conda_file(number: int, line: str) -> Declared:
    return read_file("environment.yml", CONDA_FRAMES[number % 6](quoted(line)), RULES)


def pip_file(number: int, line: str) -> Declared:
    return read_file("requirements.txt", PIP_FRAMES[number % 5](line), RULES)


def normal(declared: Declared) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The packages of conda and of pip in their normal forms."""
    conda = tuple(conda_spec(spec, RULES) for spec in declared.conda)
    return conda, tuple(pip_spec(spec, RULES) for spec in declared.pip)


def refusal(read: Callable[[int, str], Declared], number: int, line: str) -> str:
    with pytest.raises(InvalidInput) as refused:
        read(number, line)
    return refused.value.fields["file"]


def accepts(tool: Callable[[str], object], line: str) -> bool:
    try:
        tool(line)
    except (InvalidMatchSpecError, InvalidRequirement):
        return False
    return True


def test_there_are_more_than_two_hundred_shapes() -> None:
    tables = (shapes.CONDA, shapes.PIP, shapes.CONDA_REFUSED, shapes.PIP_REFUSED)
    files = (shapes.CONDA_FILES, shapes.CONDA_FILES_REFUSED, shapes.PIP_FILES)
    assert sum(map(len, tables)) + sum(map(len, files)) > 300


def test_a_line_of_conda_comes_out_as_its_tool_reads_it() -> None:
    for number, (line, spec) in enumerate(shapes.CONDA.items()):
        assert normal(conda_file(number, line)) == ((spec,), ()), line
        # The builder reads the normal form back.
        assert str(MatchSpec(spec)) == spec
        # conda takes an open end, which rattler does not.
        assert line[-1] in "=." or str(MatchSpec(line)) == spec


def test_a_line_of_pip_comes_out_as_its_tool_reads_it() -> None:
    for number, (line, spec) in enumerate(shapes.PIP.items()):
        assert normal(pip_file(number, line)) == ((), (spec,)), line
        assert Requirement(line.partition(" #")[0]) == Requirement(spec)


def test_uv_reads_the_lines_of_pip() -> None:
    assert uv_refusal("\n".join(shapes.PIP.values())) == ""


def test_a_line_of_conda_is_refused_by_its_tool_or_by_the_site() -> None:
    for number, (line, reason) in enumerate(shapes.CONDA_REFUSED.items()):
        said = refusal(conda_file, number, line)
        assert reason in said, line
        # rattler takes any text for a build string, conda none with blanks, `=` or `<`.
        is_build = "is not a build string" in said
        assert POLICY in said or is_build or not accepts(MatchSpec, line), line


def test_a_line_of_pip_is_refused_by_its_tools_or_by_the_site() -> None:
    for number, (line, reason) in enumerate(shapes.PIP_REFUSED.items()):
        said = refusal(pip_file, number, line)
        assert reason in said, line
        if POLICY not in said:
            assert not accepts(Requirement, line), line
            assert uv_refusal(line) != "", line


def test_files_of_conda_are_read() -> None:
    for text, conda, pip in shapes.CONDA_FILES:
        declared = read_file("environment.yml", text.encode(), RULES)
        assert normal(declared) == (conda, pip), text


def test_files_of_conda_are_refused_with_the_reason() -> None:
    for text, reason in shapes.CONDA_FILES_REFUSED.items():
        with pytest.raises(InvalidInput) as refused:
            read_file("environment.yml", text.encode(), RULES)
        assert reason in refused.value.fields["file"], text


def test_files_of_pip_are_read() -> None:
    for text, pip in shapes.PIP_FILES:
        assert normal(read_file("requirements.txt", text.encode(), RULES)) == ((), pip), text


def uv_refusal(requirements: str) -> str:
    """What uv says of requirements that it cannot read; that it finds no package is no refusal."""
    done = subprocess.run(
        [
            find_uv_bin(),
            "pip",
            "compile",
            "--no-config",
            "--offline",
            "--no-index",
            "--no-deps",
            "-",
        ],
        input=requirements,
        capture_output=True,
        text=True,
        check=False,
    )
    return "" if "No solution found" in done.stderr or done.returncode == 0 else done.stderr
