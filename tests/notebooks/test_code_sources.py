"""What users may write of code: what is taken, what is refused, at which field."""

import pytest

from notebooks import code_sources
from notebooks.backends.contract import CodeSource
from notebooks.code_sources import MAX_SOURCES, checked
from submarine_site.core.errors import InvalidInput

URL = "https://git.example.com/team/project.git"


def refused(*sources: CodeSource) -> str:
    """The field at which they are refused."""
    with pytest.raises(InvalidInput) as refusal:
        checked(sources)
    assert refusal.value.code == "invalid"
    [field] = refusal.value.fields
    return field


@pytest.mark.parametrize(
    ("url", "folder"),
    [
        (URL, "project"),
        ("https://git.example.com/team/project/", "project"),
        ("https://git.example.com:8443/project", "project"),
        ("ssh://git@git.example.com/team/project.git", "project"),
        ("ssh://git@git.example.com:2222/~ada/project", "project"),
        ("git@git.example.com:team/project.git", "project"),
        ("git@git.example.com:project", "project"),
        ("https://git.example.com/a/%20spaces", "20spaces"),
        ("https://192.0.2.7/project", "project"),
        ("https://[2001:db8::7]/project", "project"),
    ],
)
def test_a_repository_is_named_by_its_url(url: str, folder: str) -> None:
    assert [source.folder for source in checked([CodeSource(url=url)])] == [folder]


@pytest.mark.parametrize(
    "url",
    [
        "",
        "project",
        "/etc",
        "../project",
        "file:///etc/passwd",
        "ext::sh -c id",
        "ext::sh",
        "fd::17",
        "http://git.example.com/project",
        "git://git.example.com/project",
        "ftp://git.example.com/project",
        "HTTPS://git.example.com/project",
        "-uhttps://git.example.com/project",
        "--upload-pack=id",
        "-oProxyCommand=id:project",
        "ssh://-oProxyCommand=id/project",
        "ssh://-o@git.example.com/project",
        "git@-oProxyCommand=id:project",
        "git@git.example.com:-project",
        "https://ada:secret@git.example.com/project",
        "https://ada@git.example.com/project",
        "ssh://ada:secret@git.example.com/project",
        "https://git.example.com",
        "https://git.example.com/",
        "https:///project",
        "https://git.example.com:port/project",
        "https://git.example.com:0/project",
        "https://git.example.com:65536/project",
        "https://git.example.com/project?x=1",
        "https://git.example.com/project#x",
        "https://git.example.com/a b",
        "https://git.example.com/a\nb",
        "https://git.example.com/a%0ab",
        "https://git.example.com/a\0b",
        "https://git.example.com/../../etc",
        "https://git.example.com/%2e%2e/etc",
        "https://git.example.com\\@127.0.0.1/project",
        "https://git.exämple.com/project",
        "https://2130706433/project",
        "https://0x7f000001/project",
        "https://127.1/project",
        "https://[::1/project",
        "https://::1/project",
        "git@git.example.com:$(id)",
        "git@git.example.com:project';id;'",
        f"https://git.example.com/{'a' * 500}",
    ],
)
def test_what_is_no_url_of_a_repository_is_refused(url: str) -> None:
    assert refused(CodeSource(url=url, folder="code")) == "code.0.url"


HUB, LAB = "https://git.example.com/o/r", "https://git.example.com/g/s/p"
GITHUB, CGIT = "https://github.com/o/r", "https://git.example.com/pub/scm/git/repo"
OF_GITHUB = (
    "/releases",
    "/releases/",
    "/releases/latest",
    "/wiki",
    "/wiki/Home#usage",
    "/branches",
    "/branches/all",
    "/actions",
    "/actions/runs/7?pr=1",
    "/tags",
    "/settings",
    "/settings/access",
    "/issues",
    "/pulls",
    "/compare/main...x",
    ".git/wiki",
)
OF_CGIT = ("/tree/", "/tree", "/tree/docs", "/log/", "/about/", "/refs/heads")
NO_USER = (
    f"The URL may not contain a user name before “@”. Use {HUB}, with a git credential if the "
    "repository is private."
)


def used_instead(repository: str, ref: str = "", folder: str = "") -> str:
    """What is said of the address of a page."""
    said = f"This is the address of a page, not of a repository. Use {repository}.git as the URL"
    if folder:
        return (
            f"{said}, “{ref}” as the branch, tag or commit, and “{folder}” as the one folder to "
            "have."
        )
    return f"{said}, and “{ref}” as the branch, tag or commit." if ref else f"{said}."


@pytest.mark.parametrize(
    ("url", "message"),
    [
        (f"{HUB}/tree/main", used_instead(HUB, "main")),
        (f"{HUB}/tree/feature%2Fx/docs/a", used_instead(HUB, "feature/x", "docs/a")),
        (f"{HUB}/blob/main/docs/a.py#L3", used_instead(HUB, "main")),
        (f"{HUB}/commit/{'a1' * 20}", used_instead(HUB, "a1" * 20)),
        (f"{HUB}/pull/7/files", used_instead(HUB)),
        (f"{LAB}/-/tree/main/docs?ref_type=heads", used_instead(LAB, "main", "docs")),
        (f"{LAB}.git/-/blob/v1/a.py", used_instead(LAB, "v1")),
        (f"{LAB}/-/issues", used_instead(LAB)),
        (f"{HUB}/src/branch/main/docs", used_instead(HUB, "main", "docs")),
        ("https://bitbucket.org/o/r/src/main/", used_instead("https://bitbucket.org/o/r", "main")),
        (
            "https://bitbucket.example/projects/ABC/repos/r/browse/docs",
            used_instead("https://bitbucket.example/scm/abc/r"),
        ),
        (f"{HUB}/releases/tag/v1", used_instead(HUB, "v1")),
        *((f"{GITHUB}{page}", used_instead(GITHUB)) for page in OF_GITHUB),
        (f"{GITHUB}.git/tree/main/docs", used_instead(GITHUB, "main", "docs")),
        (f"{GITHUB}/releases/tag/v1", used_instead(GITHUB, "v1")),
        ("https://www.GitHub.com/o/r/tags", used_instead("https://www.GitHub.com/o/r")),
        ("https://bitbucket.org/o/r/branches/", used_instead("https://bitbucket.org/o/r")),
        ("https://codeberg.org/o/r/wiki", used_instead("https://codeberg.org/o/r")),
        *((f"{CGIT}.git{page}", used_instead(CGIT)) for page in OF_CGIT),
        (f"{CGIT}.git/tree/docs?h=feature/x", used_instead(CGIT, "feature/x")),
        (f"{CGIT}.git/commit/?id={'a1' * 20}", used_instead(CGIT, "a1" * 20)),
        (f"{HUB}?tab=readme", f"The URL of a repository has no “?” and no “#”. Use {HUB}."),
        (HUB.replace("://", "://org@"), NO_USER),
        (
            "https://ada:secret@github.example/o/r/tree/main",
            "A URL holds no user name or password: store a git credential instead.",
        ),
    ],
)
def test_an_address_from_a_browser_is_refused_with_what_to_use(url: str, message: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        checked([CodeSource(url=url)])
    assert refusal.value.fields == {"code.0.url": message}


@pytest.mark.parametrize(
    "url",
    [
        "https://git.example.com/o/tree",
        "https://git.example.com/g/s/tree/p.git",
        "https://git.example.com/team/app/src/frontend",
        "https://git.example.com/g/s/wiki",
        "https://git.example.com/org/p/_git/r",
        "https://git.example.com/g/s/releases",
        "https://git.example.com/g.git/tree/p.git",
        "https://github.com/o/wiki",
        "https://github.com/o/r.wiki.git",
        "https://github.com/o/r.git/",
        "https://github.com.example/g/s/wiki",
    ],
)
def test_a_repository_that_looks_like_a_page_is_none(url: str) -> None:
    assert [source.url for source in checked([CodeSource(url=url)])] == [url]


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.1.2.3",
        "localhost",
        "LOCALHOST",
        "localhost.",
        "git.localhost",
        "0.0.0.0",  # noqa: S104
        "0.0.0.1",
        "169.254.169.254",
        "168.63.129.16",
        "100.100.100.200",
        "224.0.0.1",
        "255.255.255.255",
        "[::1]",
        "[::]",
        "[fe80::1]",
        "[ff02::1]",
        "[fd00:ec2::254]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[64:ff9b::7f00:1]",
        "[64:ff9b::a9fe:a9fe]",
        "[64:ff9b:1::7f00:1]",
        "[::127.0.0.1]",
        "[::7f00:1]",
        "[::169.254.169.254]",
        "[2002:7f00:1::]",
    ],
)
def test_addresses_of_machines_themselves_are_refused(host: str) -> None:
    assert refused(CodeSource(url=f"https://{host}/project")) == "code.0.url"


@pytest.fixture
def _rules_anew() -> None:
    code_sources.code_rules.cache_clear()
    code_sources._networks.cache_clear()


@pytest.mark.usefixtures("_rules_anew")
def test_networks_are_for_the_site_to_allow_and_to_block(settings, request) -> None:
    request.addfinalizer(code_sources._networks.cache_clear)
    request.addfinalizer(code_sources.code_rules.cache_clear)
    settings.CODE = settings.CODE | {
        "allowed_networks": ("127.0.0.0/8",),
        "blocked_networks": ("10.0.0.0/8",),
    }
    assert checked([CodeSource(url="https://127.0.0.1/project")])
    assert refused(CodeSource(url="https://10.1.2.3/project")) == "code.0.url"


@pytest.mark.parametrize("ref", ["", "main", "feature/x", "v1.0", "a" * 40, "ünïcode", "a@b"])
def test_refs_are_taken(ref: str) -> None:
    assert checked([CodeSource(url=URL, ref=ref)])[0].ref == ref


@pytest.mark.parametrize(
    "ref",
    [
        "-x",
        "--upload-pack=id",
        "/x",
        "x/",
        "x//y",
        "x..y",
        "x.",
        ".x",
        "x/.y",
        "x.lock",
        "x.lock/y",
        "x y",
        "x~1",
        "x^",
        "x:y",
        "x?",
        "x*",
        "x[",
        "x\\y",
        "x@{1}",
        "@",
        "x\x7f",
        "x\ny",
        "x\0y",
        "x" * 201,
    ],
)
def test_what_git_takes_for_no_ref_is_refused(ref: str) -> None:
    assert refused(CodeSource(url=URL, ref=ref)) == "code.0.ref"


@pytest.mark.parametrize(
    "folder",
    [
        "/etc",
        "..",
        "../x",
        "a/../b",
        "a/./b",
        ".git",
        "a/.git",
        ".jupyter",
        ".ssh/x",
        "a//b",
        "a\\b",
        "a\nb",
        "a\0b",
        "a" * 201,
        "a" * 101,
    ],
)
def test_folders_elsewhere_and_hidden_ones_are_refused(folder: str) -> None:
    assert refused(CodeSource(url=URL, folder=folder)) == "code.0.folder"


@pytest.mark.parametrize("other", ["project", "project/inner", "project/"])
def test_two_in_one_folder_are_refused(other: str) -> None:
    sources = CodeSource(url=URL), CodeSource(url=f"{URL}2", folder=other)
    assert refused(*sources) == "code.1.folder"


def test_neighbours_with_like_names_are_taken() -> None:
    sources = CodeSource(url=URL), CodeSource(url=URL, folder="project-2")
    assert len(checked(sources)) == 2


def test_more_than_can_be_are_refused() -> None:
    sources = [CodeSource(url=URL, folder=f"{n}") for n in range(MAX_SOURCES + 1)]
    assert refused(*sources) == "code"


@pytest.mark.parametrize("depth", [-1, 10**9])
def test_depths_that_are_none_are_refused(depth: int) -> None:
    assert refused(CodeSource(url=URL, depth=depth)) == "code.0.depth"


def test_a_sparse_folder_leads_down() -> None:
    assert refused(CodeSource(url=URL, sparse="../x")) == "code.0.sparse"
