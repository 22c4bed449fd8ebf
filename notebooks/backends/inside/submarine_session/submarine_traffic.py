"""A Jupyter server extension: raises Jupyter's limits of messages and output to what the memory of
the session allows. Where the user configures a limit of output, that one holds.

Jupyter's own limits are for a browser on the same small machine: 10 MiB for a message to a kernel,
1 MB of text and 1000 messages a second for output.
"""

from __future__ import annotations

from typing import Any

MIB = 1024**2

MESSAGE_SHARE = 4
"""A message is in memory several times at once: as it came, as it is read, and in the kernel."""

TEXT_SHARE = 16
"""Output waits in the server's memory where it comes faster than it can be sent on."""


def _load_jupyter_server_extension(server: Any) -> None:
    # By `session_server.py`; another server that somebody starts in the session has none.
    memory_mib = server.config.SubmarineSession.get("memory_mib")
    if memory_mib is None:
        return
    settings = server.web_app.settings
    settings.setdefault("websocket_max_message_size", memory_mib * MIB // MESSAGE_SHARE)
    # Not before now: Jupyter drops what is configured by an older name where there is a newer one.
    limits = settings["config"].ZMQChannelsWebsocketConnection
    limits.setdefault("iopub_data_rate_limit", memory_mib * MIB / TEXT_SHARE)
    # 0 is no limit: text is limited by its bytes.
    limits.setdefault("iopub_msg_rate_limit", 0)
    # For sockets that are made later. With ZeroMQ's own limit of 1000 waiting messages a kernel
    # drops what comes next, even the message that its code has ended.
    server.kernel_manager.context.rcvhwm = 0
