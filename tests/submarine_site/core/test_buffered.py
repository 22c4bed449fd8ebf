from typing import Any

from submarine_site.core.buffered import BufferedResponses


async def test_the_application_has_returned_before_anything_is_sent() -> None:
    has_returned = False
    sent: list[Any] = []

    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        nonlocal has_returned
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"x"})
        has_returned = True

    async def send(message: Any) -> None:
        assert has_returned
        sent.append(message["type"])

    await BufferedResponses(app)({"type": "http"}, None, send)  # type: ignore[arg-type]
    assert sent == ["http.response.start", "http.response.body"]
