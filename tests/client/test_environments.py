"""Files that environments are made of, as the client reads them."""

from pathlib import Path

import pytest

from environments import files
from submarine_client import environments
from submarine_client.environments import _version
from submarine_client.errors import Refused


@pytest.mark.parametrize(
    ("mark", "encoding"),
    [
        (b"", "utf-8"),
        (b"\xef\xbb\xbf", "utf-8"),
        (b"\xff\xfe", "utf-16-le"),
        (b"\xfe\xff", "utf-16-be"),
        (b"\xff\xfe\0\0", "utf-32-le"),
        (b"\0\0\xfe\xff", "utf-32-be"),
    ],
)
def test_a_file_is_sent_as_text(tmp_path: Path, mark: bytes, encoding: str) -> None:
    file = tmp_path / "requirements.txt"
    file.write_bytes(mark + "# é\nrich\n".encode(encoding))
    assert _version(file, ()) == {"file": {"name": file.name, "content": "# é\nrich\n"}}


def test_client_and_server_know_the_same_marks() -> None:
    assert list(environments._MARKS.items()) == list(files._MARKS.items())


@pytest.mark.parametrize(
    ("content", "encoding"),
    [(b"rich\xff", "UTF-8"), (b"\xff\xfea", "UTF-16"), (b"\xff\xfe\0\0a", "UTF-32")],
)
def test_a_file_that_is_not_text_is_refused(tmp_path: Path, content: bytes, encoding: str) -> None:
    file = tmp_path / "requirements.txt"
    file.write_bytes(content)
    with pytest.raises(Refused) as refusal:
        _version(file, ())
    assert refusal.value.message == f"{file} is not text in {encoding}."
