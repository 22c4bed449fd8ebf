"""Lets in whoever has the session's token, and nobody else. Needs jupyter_server 2.0 or later."""

import os

from jupyter_server.auth.identity import PasswordIdentityProvider
from traitlets import Bool, Unicode


class SessionIdentityProvider(PasswordIdentityProvider):  # type: ignore[misc]
    """Configuration does not reach these traits: they are not tagged with `config`."""

    token = Unicode(os.environ["JUPYTER_TOKEN"])
    hashed_password = Unicode()
    password_required = Bool()
    allow_password_change = Bool()
