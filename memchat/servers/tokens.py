"""Tokens that give programs access to the memories of one user or agent through a server.

They are stored in a file in the home folder that only its owner can read, each as the SHA-256 hash of its text. The
text has too many random bits to be guessed from the hash, so no slow hash is needed.
"""

import hashlib
import json
import logging
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from memchat.core.types import Owner, Scope
from memchat.errors import ConfigError, NotFound, UsageError
from memchat.private_files import private_folder, write_private
from memchat.temporary_files import load_filelock

log = logging.getLogger(__name__)

PREFIX = "memchat_"
"""Prefix of every token, by which scanners for leaked secrets recognise one."""
SHORT = 8
"""Length of a token's id, which is the beginning of its hash."""


@dataclass(frozen=True, slots=True)
class Token:
    """A stored token."""

    hash: str
    owner: Owner
    created_at: datetime

    @property
    def id(self) -> str:
        return self.hash[:SHORT]


class Tokens:
    """The tokens of a home folder. Changes by other processes take effect with the next request."""

    def __init__(self, home: Path) -> None:
        self._path = home / "tokens.json"
        self._read: tuple[object, tuple[Token, ...]] = (None, ())

    def all(self) -> tuple[Token, ...]:
        """Return all tokens, oldest first. Raises ConfigError if the file cannot be read."""
        try:
            state = self._path.stat()
        except FileNotFoundError:
            return ()
        version = (state.st_mtime_ns, state.st_size, state.st_ino)
        if self._read[0] == version:
            return self._read[1]
        try:
            tokens = tuple(
                Token(
                    entry["sha256"],
                    Owner.user(entry["user"]) if Scope.USER in entry else Owner.agent(entry["agent"]),
                    datetime.fromisoformat(entry["created_at"]),
                )
                for entry in json.loads(self._path.read_text("utf-8"))
            )
        except (OSError, ValueError, LookupError, TypeError) as error:
            reason = getattr(error, "strerror", None) or "it does not contain tokens"
            raise ConfigError(f"{self._path} cannot be read: {reason}.", hint="Correct or delete the file.") from error
        self._read = (version, tokens)
        return tokens

    def owner_of(self, text: bytes) -> Owner | None:
        """Return the owner of the token with that text, or None if it is not a token of this home folder."""
        return self.owner_by_hash(token_hash(text)) if text.startswith(PREFIX.encode()) else None

    def owner_by_hash(self, hash_: str) -> Owner | None:
        """Return the owner of the token with that hash. If the file cannot be read, no token is valid."""
        try:
            return next((token.owner for token in self.all() if token.hash == hash_), None)
        except ConfigError as error:
            log.warning("%s", error.message)
            return None

    def add(self, owner: Owner, now: datetime) -> tuple[str, Token]:
        """Create a token and return its text, which is not stored. Raises UsageError for an empty name."""
        if not owner.name.strip():
            raise UsageError("The name is empty.")
        text = PREFIX + secrets.token_urlsafe(32)
        token = Token(token_hash(text.encode()), owner, now)
        self._change(lambda tokens: (*tokens, token))
        return text, token

    def revoke(self, id_: str) -> Token:
        """Revoke a token by its id. Raises NotFound."""
        found: list[Token] = []

        def without(tokens: Sequence[Token]) -> Sequence[Token]:
            found.extend(token for token in tokens if token.id == id_)
            return [token for token in tokens if token.id != id_]

        self._change(without)
        if not found:
            raise NotFound(f"There is no token {id_!r}.", hint="memchat tokens list shows the ids.")
        return found[0]

    def _change(self, change: Callable[[Sequence[Token]], Sequence[Token]]) -> None:
        """Replace the file atomically, under a lock against other processes. Raises ConfigError."""
        try:
            private_folder(self._path.parent)
            load_filelock(self._path.parent)
            from filelock import FileLock

            with FileLock(self._path.with_suffix(".lock"), mode=0o600):
                entries = [
                    {"sha256": one.hash, one.owner.kind: one.owner.name, "created_at": one.created_at.isoformat()}
                    for one in change(self.all())
                ]
                write_private(self._path, f"{json.dumps(entries, indent=1)}\n")
        except OSError as error:
            raise ConfigError(f"{self._path} cannot be written: {error.strerror}.") from error


def token_hash(text: bytes) -> str:
    """Return the hash under which a token's text is stored."""
    return hashlib.sha256(text).hexdigest()
