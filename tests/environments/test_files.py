"""Uploaded files: what is taken of them, and what is said of what is wrong, by line."""

import tracemalloc
from contextlib import suppress

import pytest

from environments.files import Declared, read_file, read_lines
from environments.packages import Rules, pip_spec
from submarine_site.core.errors import InvalidInput

RULES = Rules(channels=("conda-forge", "bioconda"))


def read(filename: str, text: str | bytes) -> Declared:
    content = text if isinstance(text, bytes) else text.encode()
    return read_file(filename, content, RULES)


def faults(filename: str, text: str | bytes) -> list[str]:
    with pytest.raises(InvalidInput) as refusal:
        read(filename, text)
    assert list(refusal.value.fields) == ["file"]
    return refusal.value.fields["file"].splitlines()


def test_an_environment_yml_is_read() -> None:
    text = """\
name: science
channels:
  - conda-forge
  - nodefaults
dependencies:
  - python=3.12
  - pandas >=2
  - pip
  - pip:
      - rich>=13
prefix: /home/ada/miniforge3/envs/science
"""
    assert read("environment.yml", text) == Declared(
        name="science",
        channels=("conda-forge",),
        conda=("python=3.12", "pandas >=2", "pip"),
        pip=("rich>=13",),
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "The file is empty."),
        ("# nothing\n", "The file is empty."),
        ("just text", "line 1: names with values are expected, such as “dependencies:”."),
        ("a: [", "line 2: did not find expected node content."),
        ("dependencies:\n - a\n\t- b", "line 3: found a tab character that violates indentation."),
        ("a: 1\n---\nb: 2", "line 2: but found another document."),
        ("dependencies: pandas", "line 1: a list is expected."),
        ("dependencies:\n - 3.10", "line 2: “3.10” is no text but of type float. Quote it."),
        ("dependencies:\n -", "line 2: an entry is empty."),
        ("dependencies:\n - [a]", "line 2: a text is expected."),
        (
            "dependencies:\n - a\n - npm: [x]",
            "line 3: “npm” has no list of its own; only pip has one.",
        ),
        ("name: a\nname: b", "line 2: “name” is there twice."),
        (
            "dependencies: [a]\nvariables:\n  A: b",
            "line 3: this site sets no “variables” for an environment. Set them for the session",
        ),
        ("name: a\ndependancies: [a]", "line 1: the file has no “dependencies”."),
        (
            "dependencies: &x [a]",
            "line 1: refused by this site: anchors and aliases are not taken.",
        ),
        ("a: 1\nb: *x", "line 2: refused by this site: anchors and aliases are not taken."),
        (
            "dependencies:\n - !!python/object/apply:os.system [id]",
            "line 2: refused by this site: tags such as “tag:yaml.org,2002:python/object/",
        ),
        ("name: !mine x", "line 1: refused by this site: tags such as “!mine” are not taken."),
        ("a: " + "[" * 100, "line 1: refused by this site: this is nested too deep."),
        (
            "channels:\n - evil\ndependencies: []",
            "line 2: “evil”: this site allows these channels: conda-forge, ",
        ),
        (
            "dependencies:\n - pip:\n   - -r x.txt",
            "line 3: “-r x.txt”: this site follows no other file.",
        ),
        ("dependencies:\n - a\n - a\0b", "line 3: a character that cannot be shown."),
    ],
)
def test_what_is_wrong_with_an_environment_yml_is_said_by_line(text: str, said: str) -> None:
    assert faults("environment.yml", text)[0].startswith(said)


def test_all_that_is_wrong_is_said() -> None:
    text = "channels: [evil]\ndependencies:\n - a\n - '*'\n - 3\n - pip:\n   - b>>1\n"
    assert [line.partition(":")[0] for line in faults("e.yaml", text)] == [
        "line 1",
        "line 4",
        "line 5",
        "line 7",
    ]


def test_of_many_faults_the_first_are_said() -> None:
    said = faults("requirements.txt", "-x\n" * 50)
    assert (len(said), said[-1]) == (21, "… and 30 more.")


def test_a_laughing_bomb_is_refused() -> None:
    bomb = "a: &a [x, x]\n" + "".join(
        f"{b}: &{b} [*{a}, *{a}]\n" for a, b in zip("abcdef", "bcdefg", strict=True)
    )
    assert faults("environment.yml", bomb) == [
        "line 1: refused by this site: anchors and aliases are not taken."
    ]


@pytest.mark.parametrize("filename", ["environment.yml", "requirements.txt", "pyproject.toml"])
def test_a_large_file_is_not_read(filename: str) -> None:
    assert faults(filename, b"#" * 10 * 1024 * 1024) == [
        "The file has 10240 KiB; 256 KiB is the most."
    ]


@pytest.mark.parametrize("filename", ["environment.yml", "requirements.txt", "pyproject.toml"])
def test_what_is_no_text_is_refused(filename: str) -> None:
    assert faults(filename, b"a\nb\n\xff\xfe") == [
        "line 3: this is not text in UTF-8. Save the file in UTF-8."
    ]


@pytest.mark.parametrize("filename", ["setup.py", "x", "", "environment.yml.exe"])
def test_other_files_are_refused(filename: str) -> None:
    assert faults(filename, "") == [
        "Upload an environment.yml, a requirements.txt or a pyproject.toml."
    ]


def test_a_requirements_txt_is_read() -> None:
    text = """\
\ufeff# What we use
pandas >= 2  # frames

rich \\
  >=13
tomli; python_version < "3.11"
"""
    assert read("requirements.txt", text) == Declared(
        pip=("pandas >= 2", "rich   >=13", 'tomli; python_version < "3.11"')
    )


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "utf-8-sig"])
@pytest.mark.parametrize("filename", ["environment.yml", "requirements.txt"])
def test_a_byte_order_mark_tells_the_encoding(filename: str, encoding: str) -> None:
    text = {
        "requirements.txt": "# é\r\nrich\r\n",
        "environment.yml": "# é\r\ndependencies: [rich]",
    }
    declared = read(filename, text[filename].encode(encoding))
    assert (*declared.conda, *declared.pip) == ("rich",)


def test_half_a_character_of_utf_16_is_refused() -> None:
    assert faults("requirements.txt", "rich".encode("utf-16")[:-1]) == [
        "line 1: this is not text in UTF-16. Save the file in UTF-8."
    ]


@pytest.mark.parametrize(
    "text",
    [
        "channels:\ndependencies: [rich]",
        "dependencies:\n- rich\n- pip:\n",
        "dependencies:\n- rich\n- pip: []\n",
        "name: 2024\nplatforms: [linux-64]\ndependencies: [rich]\nprefix:\nvariables: {}",
        "name:\ncategory: dev\ndescription: {a: [b]}\ndependencies: [rich]",
    ],
)
def test_what_conda_ignores_is_ignored(text: str) -> None:
    assert read("environment.yml", text).conda == ("rich",)
    assert read("environment.yml", text).pip == ()


def test_what_is_wrong_with_a_requirements_txt_is_said_by_line() -> None:
    text = """\
pandas
-r other.txt
--index-url https://evil.example.com
rich==13 \\
  --hash=sha256:00
./local
numpy>>1
"""
    assert [line.partition(": ")[0] for line in faults("requirements.txt", text)] == [
        "line 2",
        "line 3",
        "line 4",
        "line 6",
        "line 7",
    ]


def test_a_pyproject_is_read() -> None:
    text = """\
[project]
name = "churn"
dependencies = ["pandas>=2", "rich"]

[project.optional-dependencies]
dev = ["pytest"]
"""
    assert read("pyproject.toml", text) == Declared(name="churn", pip=("pandas>=2", "rich"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "The file has no table [project]."),
        ("project = 3", "The file has no table [project]."),
        ("[project]\nname = 'x'", "[project] has no dependencies."),
        ("[project]\ndependencies = 'x'", "The dependencies of [project] are no list of texts."),
        ("[project]\ndependencies = [3]", "The dependencies of [project] are no list of texts."),
        ("[project", "The file is no TOML: Expected ']' at the end of a table declaration (at end"),
        (
            "[project]\ndependencies = [\n  'a',\n  'b @ file:///x',\n]",
            "line 4: “b @ file:///x”: this site accepts no paths and no URLs",
        ),
        ("a = " + "[" * 100_000, "The file is nested deeper than this site accepts."),
        ("a = " + "9" * 5000, "The file is no TOML: Exceeds the limit"),
        ("\na" + ".a" * 100_000 + " = 1", "line 2: this is nested deeper than this site accepts."),
        ("[" + "a . " * 30_000 + "a]", "line 1: this is nested deeper than this site accepts."),
        (
            "x = {" + "'' . " * 30_000 + "a = 1}",
            "line 1: this is nested deeper than this site accepts.",
        ),
    ],
)
def test_what_is_wrong_with_a_pyproject_is_said(text: str, said: str) -> None:
    assert faults("pyproject.toml", text)[0].startswith(said)


HOSTILE = {
    "requirements.txt": ["a\\\n" * 60_000, "a" * 250_000, " #" * 100_000, " " * 250_000],
    "environment.yml": ["- " * 120_000, "? " * 120_000, "a: b\n" * 50_000, "'" * 250_000],
    "pyproject.toml": [
        "a" * 250_000,
        "'" * 250_000,
        '"a"' * 80_000,
        "a" + " " * 250_000,
        "".join(f"[{'a.' * 15}b{i}]\n" for i in range(6000)),
        f"[project]\ndependencies = {[f'x{i}' for i in range(25_000)]}",
    ],
}
MIB = 2**20


@pytest.mark.timeout(30)
@pytest.mark.parametrize(
    ("filename", "text"), [(name, text) for name, texts in HOSTILE.items() for text in texts]
)
def test_hostile_files_take_little_time_and_memory(filename: str, text: str) -> None:
    tracemalloc.start()
    with suppress(InvalidInput):
        read(filename, text)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 200 * MIB


def test_what_is_typed_is_told_by_line_as_well() -> None:
    assert read_lines("pandas\r\n\r\n rich \r\n", "pip", pip_spec, RULES) == ("pandas", "rich")
    with pytest.raises(InvalidInput) as refusal:
        read_lines("pandas\n\n-r x", "pip", pip_spec, RULES)
    assert refusal.value.fields == {
        "pip": "line 3: “-r x”: this site follows no other file. Copy its lines in place of this "
        "one."
    }


@pytest.mark.parametrize(
    ("filename", "begin", "package"),
    [("requirements.txt", "", "rich\n"), ("environment.yml", "dependencies:\n", "- rich\n")],
)
def test_a_file_of_too_many_packages_is_not_read_to_its_end(
    filename: str, begin: str, package: str
) -> None:
    line = begin.count("\n") + 2001
    assert faults(filename, begin + package * 3000) == [
        f"line {line}: this site accepts up to 2000 packages of a kind."
    ]
