"""What can be taken as a package, a channel, a kernel."""

import pytest
from rattler import Channel

from environments.kernels import Kernel
from environments.packages import (
    BadSpec,
    Rules,
    addressed_spec,
    channel,
    channel_address,
    clean_kernel,
    clean_kernels,
    conda_spec,
    kernel_name,
    pip_spec,
)
from submarine_site.core.errors import InvalidInput

RULES = Rules(channels=("conda-forge", "https://mirror.example.com/bioconda"))
OPEN = Rules(channels=RULES.channels, allow_urls=True)


def kernel(**change: object) -> Kernel:
    given = {"name": "science", "display_name": "Science", "pip": ("pandas",), **change}
    return Kernel(**given)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("written", "normal"),
    [
        ("pandas", "pandas"),
        (" pandas>=2 , <3 ", "pandas<3,>=2"),
        ("pandas == 2.*", "pandas==2.*"),
        ("pandas[excel,aws]~=2.1", "pandas[aws,excel]~=2.1"),
        ('tomli; python_version < "3.11"', 'tomli; python_version < "3.11"'),
    ],
)
def test_a_requirement_of_pip_is_taken_in_its_normal_form(written: str, normal: str) -> None:
    assert pip_spec(written, RULES) == normal
    assert pip_spec(normal, RULES) == normal


@pytest.mark.parametrize(
    "written",
    [
        "",
        "  ",
        "-r other.txt",
        "--index-url=https://evil.example.com",
        "-e .",
        "pandas --hash=sha256:00",
        "pandas --global-option=x",
        "./wheel.whl",
        "../x",
        "/etc/passwd",
        "~/x",
        "file:///etc/passwd",
        "https://example.com/x.whl",
        "git+https://example.com/x",
        "x @ https://example.com/x.whl",
        "x @ file:///etc/passwd",
        "pandas; rm -rf /",
        "pandas\nnumpy",
        "pan\0das",
        "$(id)",
        "`id`",
        "a|b",
        "pandas>>2",
        "пандас",
        "pan\u202edas",
        "x" * 2001,
        "x; " + "(" * 900 + "os_name == 'a'" + ")" * 900,
    ],
)
def test_what_is_no_requirement_is_refused(written: str) -> None:
    with pytest.raises(BadSpec) as refusal:
        pip_spec(written, RULES)
    assert len(str(refusal.value)) < 500


def test_urls_are_taken_where_an_operator_allows_them() -> None:
    written = "x @ https://example.com/x-1-py3-none-any.whl"
    assert pip_spec(written, OPEN) == written
    assert pip_spec("x @ git+https://example.com/x@v1", OPEN) == "x @ git+https://example.com/x@v1"


@pytest.mark.parametrize("scheme", ["file", "http", "git+ssh", "git+file", "ext"])
def test_a_url_must_be_one_of_https_even_then(scheme: str) -> None:
    with pytest.raises(BadSpec, match="only https in a URL"):
        pip_spec(f"x @ {scheme}://example.com/x", OPEN)


@pytest.mark.parametrize(
    ("written", "normal"),
    [
        ("pandas", "pandas"),
        ("Pandas >=2,<3", "pandas >=2,<3"),
        ("pandas=2.1", "pandas 2.1.*"),
        ("python=3.12.1=hab00c5b_1_cpython", "python ==3.12.1 hab00c5b_1_cpython"),
        ("conda-forge::pandas", "conda-forge::pandas"),
        ("bioconda::samtools", "bioconda::samtools"),
        ("python=3.11.*", "python 3.11.*"),
        ("python==3.7.*", "python 3.7.*"),
        ("python=3.7*", "python 3.7.*"),
        ("numpy=", "numpy"),
        ("numpy 1.26.4", "numpy ==1.26.4"),
        ("numpy 1.26.4 py311_0", "numpy ==1.26.4 py311_0"),
        ("numpy=1.26.4=py311h64a7726_0", "numpy ==1.26.4 py311h64a7726_0"),
        ("pytorch=2.2.1=py3.12_cpu_0", "pytorch ==2.2.1 py3.12_cpu_0"),
        ("pytorch=2.*=*cuda*", "pytorch 2.* *cuda*"),
        ("libblas=*=*mkl", "libblas * *mkl"),
        ("ffmpeg=4.3.1=gpl+nonfree_1", "ffmpeg ==4.3.1 gpl+nonfree_1"),
        ("conda-forge::r-base=4.*", "conda-forge::r-base 4.*"),
        ("conda-forge/noarch::tzdata", "conda-forge/noarch::tzdata"),
        ("petsc[build=complex*]", 'petsc[build="complex*"]'),
        ("python 3.8|3.9  # either", "python ==3.8|==3.9"),
    ],
)
def test_a_match_spec_is_taken_in_its_normal_form(written: str, normal: str) -> None:
    assert conda_spec(written, RULES) == normal
    assert conda_spec(normal, RULES) == normal


@pytest.mark.parametrize(
    "written",
    [
        "",
        "*",
        "py*",
        "^py.*$",
        "-c evil",
        "--override-channels",
        "pandas 2.1 0 x",
        "pandas>=>2",
        "pandas; id",
        "pandas\nnumpy",
        "/etc/passwd",
        "./x.conda",
        "file:///x.conda",
        "https://example.com/x/pandas-1.0-0.conda",
        "pandas[url=https://example.com/pandas-1.0-0.conda]",
        "pandas[fn=pandas-1.0-0.conda]",
        "pandas[channel=https://evil.example.com/x]",
        "https://evil.example.com/x::pandas",
        "evil::pandas",
        "x" * 2001,
        "x " + "(" * 21 + ">1" + ")" * 21,
        "\uff50andas",
    ],
)
def test_what_is_no_match_spec_is_refused(written: str) -> None:
    with pytest.raises(BadSpec):
        conda_spec(written, RULES)


@pytest.mark.parametrize(
    ("written", "address"),
    [
        ("conda-forge", "conda-forge"),
        ("bioconda", "https://mirror.example.com/bioconda"),
        ("https://mirror.example.com/bioconda", "https://mirror.example.com/bioconda"),
    ],
)
def test_a_channel_of_the_site_is_taken_and_found_by_its_name(written: str, address: str) -> None:
    assert channel_address(channel(written, RULES), RULES.channels) == address


def test_a_channel_may_be_written_by_its_full_address() -> None:
    address = Channel("conda-forge").base_url
    assert channel(address, RULES) == "conda-forge"
    assert channel(address.rstrip("/"), RULES) == "conda-forge"
    with pytest.raises(BadSpec, match="this site allows these channels: conda-forge, "):
        channel(f"{address}label/broken", RULES)


@pytest.mark.parametrize("written", ["defaults", "https://evil.example.com/bioconda", "", "../x"])
def test_other_channels_are_refused_with_those_that_there_are(written: str) -> None:
    with pytest.raises(BadSpec) as refusal:
        channel(written, RULES)
    assert written == "" or "conda-forge" in str(refusal.value)


@pytest.mark.parametrize(
    "name", ["", "python3", "A", "a b", "../x", ".x", "x-", "a" * 64, "a/b", "é", "a\n"]
)
def test_a_kernel_name_is_one_that_jupyter_and_a_folder_may_have(name: str) -> None:
    with pytest.raises(BadSpec):
        kernel_name(name)


def test_a_kernel_is_made_normal() -> None:
    raw = kernel(channels=(), conda=("python=3.12", "python=3.12"), pip=("b>1", "a", "b >1"))
    assert clean_kernel(raw, RULES) == kernel(
        channels=("conda-forge",), conda=("python 3.12.*",), pip=("b>1", "a")
    )


def test_channels_that_packages_name_are_asked_after_the_others() -> None:
    raw = kernel(conda=("bioconda::samtools", "conda-forge::x", "y"), channels=("conda-forge",))
    assert clean_kernel(raw, RULES).channels == ("conda-forge", "bioconda")


@pytest.mark.parametrize(
    ("spec", "addressed"),
    [
        ("pandas >=2", "pandas >=2"),
        ("conda-forge::pandas", "conda-forge::pandas"),
        ("bioconda::x 1.*", "https://mirror.example.com/bioconda::x 1.*"),
        ("bioconda/noarch::x", "https://mirror.example.com/bioconda/noarch::x"),
    ],
)
def test_a_channel_in_a_package_has_the_site_s_address(spec: str, addressed: str) -> None:
    assert addressed_spec(spec, RULES.channels) == addressed


def test_channels_say_nothing_of_a_kernel_of_pip_alone() -> None:
    assert clean_kernel(kernel(channels=("bioconda",)), RULES) == kernel()


def test_each_fault_stands_at_its_field() -> None:
    raw = kernel(name="A", channels=("evil",), conda=("a", "*"), pip=("-r x", "b", "c>>1"))
    with pytest.raises(InvalidInput) as refusal:
        clean_kernel(raw, RULES)
    assert set(refusal.value.fields) == {"name", "channels", "conda", "pip"}
    assert refusal.value.fields["pip"].splitlines()[0] == (
        "“-r x”: this site follows no other file. Copy its lines in place of this one."
    )


@pytest.mark.parametrize("field", ["conda", "pip", "channels"])
def test_there_is_a_most_of_everything(field: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        clean_kernel(kernel(**{field: ("a",) * 2001}), RULES)
    assert list(refusal.value.fields) == [field]


def test_a_kernel_without_a_package_is_refused() -> None:
    with pytest.raises(InvalidInput) as refusal:
        clean_kernel(kernel(pip=()), RULES)
    assert refusal.value.fields == {"pip": "A kernel needs a package."}


def test_without_channels_nothing_is_of_conda() -> None:
    with pytest.raises(InvalidInput) as refusal:
        clean_kernel(kernel(conda=("python",)), Rules(channels=()))
    assert refusal.value.fields == {"conda": "This site allows no channel of conda."}


def test_the_kernels_of_a_version_have_names_of_their_own() -> None:
    with pytest.raises(InvalidInput, match="Two kernels are named “science”"):
        clean_kernels([kernel(), kernel(pip=("b",))], RULES)


def test_there_is_a_most_of_kernels() -> None:
    with pytest.raises(InvalidInput, match="There are 6 kernels; 5 is the most"):
        clean_kernels([kernel(name=f"k{i}") for i in range(6)], RULES)


def test_the_kernel_at_fault_is_named() -> None:
    with pytest.raises(InvalidInput) as refusal:
        clean_kernels([kernel(), kernel(name="other", pip=("--x",))], RULES)
    assert refusal.value.fields == {
        "kernels": "Kernel “other”: “--x”: this site accepts no options of pip. Remove it."
    }


def test_the_same_content_has_the_same_digest() -> None:
    one = kernel(pip=("a", "b"), conda=("x", "y"), channels=("conda-forge",))
    other = kernel(pip=("b", "a", "a"), conda=("y", "x"), channels=("conda-forge",))
    assert one.digest("image:1") == other.digest("image:1")
    assert len(one.digest("image:1")) == 64


@pytest.mark.parametrize(
    "change",
    [
        {"name": "other"},
        {"display_name": "Other"},
        {"pip": ("a",)},
        {"conda": ("a",)},
        {"channels": ("b", "a")},
    ],
)
def test_other_content_has_another_digest(change: dict[str, object]) -> None:
    assert kernel(**change).digest("image:1") != kernel().digest("image:1")
    assert kernel().digest("image:1") != kernel().digest("image:2")


def test_a_kernel_comes_back_from_json() -> None:
    one = kernel(conda=("python",), channels=("conda-forge",))
    assert Kernel.from_json(one.as_json()) == one
