"""Rights that a platform lends for minutes, such as an address to answer at: sealed wherever they are written, and dead in time.

They ride in an inbound's `ref`, and so into the database, because whoever answers may be another process, or the same one after a
crash. The key is not in the database: it is made of PARLEY_SECRET_KEY, or of the platform's own token where that is not set.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Sequence
from datetime import datetime

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from pydantic import SecretStr

from bot.ports import Clock

PURPOSE = b"parley short-lived rights"
"""Keeps this key apart from the others that are made of the same secret."""


class ShortLived:
    """Seals texts until a moment and opens them until then."""

    def __init__(self, clock: Clock, *secrets: SecretStr | None) -> None:
        """secrets: what all processes of an installation have in their environment, the best first: the first one set is used.

        Where it holds several keys, as PARLEY_SECRET_KEY may, the first seals and all open. Where none is set, a key is made that
        ends with this process.
        """
        self._clock = clock
        self._fernet = MultiFernet([Fernet(_key(secret)) for secret in _parts(secrets)])

    def seal(self, text: str, expires_at: datetime) -> str:
        """The text as nobody reads it who lacks the key; letters, digits, `-`, `_` and `=`."""
        inside = json.dumps([expires_at.timestamp(), text], ensure_ascii=False)
        return self._fernet.encrypt(inside.encode("utf-8", "surrogatepass")).decode()

    def open(self, sealed: str) -> str | None:
        """The text; None once its time is over, and for what was not sealed here."""
        try:
            inside = self._fernet.decrypt(sealed.encode("ascii", "replace"))
        except InvalidToken:
            return None
        expires_at, text = json.loads(inside.decode("utf-8", "surrogatepass"))
        return str(text) if self._clock.now().timestamp() < expires_at else None


def _parts(secrets: Sequence[SecretStr | None]) -> list[bytes]:
    given = next((one.get_secret_value() for one in secrets if one and one.get_secret_value().strip()), "")
    return [part.encode() for part in given.replace(",", " ").split()] or [os.urandom(32)]


def _key(secret: bytes) -> bytes:
    return base64.urlsafe_b64encode(HKDF(SHA256(), 32, None, PURPOSE).derive(secret))
