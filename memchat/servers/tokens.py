"""Tokens that let a program reach the memories of one user, or of one agent, through a server.

A file in the home that only its owner can read lists them, each by the SHA-256 of its text alone. The text has too many
random bits to be guessed from that, so no slow hash is needed.
"""

import hashlib
import json
import logging
import os
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from memchat.core.types import Owner, Scope
from memchat.errors import ConfigError, NotFound, UsageError
from memchat.temporary_files import load_filelock

log = logging.getLogger(__name__)

PREFIX = "memchat_"
"""What every token begins with, so that scanners for leaked secrets know one."""
SHORT = 8
"""Characters of a token's id: the first of its hash."""


@dataclass(frozen=True, slots=True)
class Token:
    """One token as it is kept."""

    hash: str
    owner: Owner
    created_at: datetime

    @property
    def id(self) -> str:
        return self.hash[:SHORT]


class Tokens:
    """The tokens of a home. What another process adds or revokes holds from the next request on."""

    def __init__(self, home: Path) -> None:
        self._path = home / "tokens.json"
        self._read: tuple[object, tuple[Token, ...]] = (None, ())

    def all(self) -> tuple[Token, ...]:
        """The oldest first. Raises ConfigError for a file that cannot be read."""
        try:
            state = self._path.stat()
        except FileNotFoundError:
            return ()
        version = (state.st_mtime_ns, state.st_size, state.st_ino)
        if self._read[0] != version:
            self._read = (version, _parsed(self._path))
        return self._read[1]

    def owner_of(self, text: bytes) -> Owner | None:
        """Whose memories the token with that text reaches; None for what is no token of this home."""
        return self.owner_by_hash(token_hash(text)) if text.startswith(PREFIX.encode()) else None

    def owner_by_hash(self, hash_: str) -> Owner | None:
        """The same by the hash of the token. A file that cannot be read lets nobody in."""
        try:
            return next((token.owner for token in self.all() if token.hash == hash_), None)
        except ConfigError as error:
            log.warning("%s", error.message)
            return None

    def add(self, owner: Owner, now: datetime) -> tuple[str, Token]:
        """Make a token. Its text is returned here and never again. Raises UsageError for a name that is empty."""
        if not owner.name.strip():
            raise UsageError("The name is empty.")
        text = PREFIX + secrets.token_urlsafe(32)
        token = Token(token_hash(text.encode()), owner, now)
        self._change(lambda tokens: (*tokens, token))
        return text, token

    def revoke(self, id_: str) -> Token:
        """Take a token's rights. Raises NotFound."""
        found: list[Token] = []

        def without(tokens: Sequence[Token]) -> Sequence[Token]:
            found.extend(token for token in tokens if token.id == id_)
            return [token for token in tokens if token.id != id_]

        self._change(without)
        if not found:
            raise NotFound(f"There is no token {id_!r}.", hint="memchat tokens list shows the ids.")
        return found[0]

    def _change(self, change: Callable[[Sequence[Token]], Sequence[Token]]) -> None:
        """Replace the file at once, while no other process does."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            load_filelock(self._path.parent)
            from filelock import FileLock

            with FileLock(self._path.with_suffix(".lock"), mode=0o600):
                text = json.dumps([_entry(token) for token in change(self.all())], indent=1)
                fresh = self._path.with_name(".tokens.json.new")
                with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
                    file.write(f"{text}\n")
                fresh.replace(self._path)
        except OSError as error:
            raise ConfigError(f"{self._path} cannot be written: {error.strerror}.") from error


def token_hash(text: bytes) -> str:
    """What is kept of a token's text."""
    return hashlib.sha256(text).hexdigest()


def _entry(token: Token) -> dict[str, str]:
    return {"sha256": token.hash, token.owner.kind: token.owner.name, "created_at": token.created_at.isoformat()}


def _parsed(path: Path) -> tuple[Token, ...]:
    try:
        return tuple(
            Token(
                entry["sha256"],
                Owner.user(entry["user"]) if Scope.USER in entry else Owner.agent(entry["agent"]),
                datetime.fromisoformat(entry["created_at"]),
            )
            for entry in json.loads(path.read_text("utf-8"))
        )
    except (OSError, ValueError, LookupError, TypeError) as error:
        reason = getattr(error, "strerror", None) or "it does not hold tokens"
        raise ConfigError(f"{path} cannot be read: {reason}.", hint="Mend or remove it.") from error
