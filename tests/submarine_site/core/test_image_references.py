"""What is a reference of an image, and what only looks like one."""

import pytest

from submarine_site.core.image_references import is_image_reference

SHA256 = "sha256:" + "0123456789abcdef" * 4
SHA512 = "sha512:" + "0123456789abcdef" * 8


@pytest.mark.parametrize(
    "reference",
    [
        "a",
        "python:3.12",
        "a:5000",
        "library/python:3.12-slim_b",
        "jupyter/scipy-notebook@" + SHA256,
        "registry.example.com/jupyter/scipy-notebook:2026-01-05@" + SHA256,
        "a@" + SHA512,
        "registry:5000/a/b",
        "registry.example.com:5000/a/b/c:Tag_1.0-x",
        "Registry.Example.COM/a",
        "localhost/a",
        "localhost:1/a",
        "127.0.0.1:65535/a",
        "[::1]:5000/a:1",
        "[2001:db8::1]/a",
        "a__b/c--d.e:_",
        "xn--bcher-kva.example/a",
        "a:" + "t" * 128,
        "a" * 255,
    ],
)
def test_a_reference_is_taken(reference: str) -> None:
    assert is_image_reference(reference)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "docker://x",
        "docker://registry.example.com/a:1",
        "http://registry.example.com/a",
        "https://registry.example.com/a:1",
        "a:1:2",
        "a:",
        "a@",
        "a@sha256:00",
        "a@sha256:" + "A" * 64,
        "a@md5:" + "0" * 32,
        "a@" + SHA256 + "@" + SHA256,
        f"a@{SHA256}:1",
        "a:" + "t" * 129,
        "a:-x",
        "a:.x",
        "A",
        "Team/notebook:1",
        "registry.example.com/Team/notebook",
        "registry.example.com/",
        "registry.example.com:5000/",
        "registry.example.com:/a",
        "registry.example.com:0/a",
        "registry.example.com:65536/a",
        "registry.example.com:x/a",
        "registry..example.com/a",
        "-registry.example.com/a",
        "[::1/a",
        "/a",
        "a/",
        "a//b",
        "a___b",
        "a.-b",
        "_a",
        "a_",
        "a b",
        " a",
        "a\n",
        "a\0",
        "é",
        "a#b",
        "a?b",
        "user@registry.example.com/a",
        "$(id)",
        "../a",
        "0123456789abcdef" * 4,
        "a" * 256,
    ],
)
def test_anything_else_is_none(text: str) -> None:
    assert not is_image_reference(text)


@pytest.mark.parametrize("text", ["a-" * 5000, "a." * 127 + "!", "a/" * 127 + "!", "1:" * 127])
def test_what_is_long_is_refused_without_trying_all_ways(text: str) -> None:
    assert not is_image_reference(text)
