from hypothesis import given
from hypothesis import strategies as st

from submarine_site.core.request_lines import RequestLine

REST = b"\r\nHost: \xfc\r\n\r\n\xff\n\xfe"


@given(
    st.binary().map(lambda raw: raw.replace(b"\n", b"x").lstrip(b"\r")).filter(bool),
    st.lists(st.integers(1, 20), min_size=1),
    st.sampled_from([b"", b"\r\n", b"\n\r\n"]),
)
def test_one_line_is_encoded_however_it_is_cut(line: bytes, cuts: list[int], before: bytes) -> None:
    data = before + line + REST
    read, encoded, position, n = RequestLine(), b"", 0, 0
    while position < len(data):
        step = cuts[n % len(cuts)]
        encoded += read.encode(data[position : position + step])
        position += step
        n += 1
    expected = b"".join(b"%%%02X" % byte if byte > 127 else bytes([byte]) for byte in line)
    assert encoded == before + expected + REST
