"""The server key, which gives access to all memories, and tokens, which give access to those of one owner."""

from dataclasses import dataclass
from hmac import compare_digest
from pathlib import Path

from memchat.core.types import Owner
from memchat.servers.tokens import Tokens


@dataclass(frozen=True, slots=True)
class Reach:
    """The memories that a client may access: those of one owner, or all of them if `owner` is None."""

    owner: Owner | None


EVERYBODY = Reach(None)


@dataclass(frozen=True, slots=True)
class Keys:
    """The key and the tokens of a server. It is `guarded` if there were any when it started."""

    key: str | None
    tokens: Tokens
    guarded: bool

    @classmethod
    def of(cls, key: str | None, home: Path) -> "Keys":
        """Read the tokens of the home folder. Raises ConfigError if they cannot be read."""
        tokens = Tokens(home)
        return cls(key, tokens, key is not None or bool(tokens.all()))

    def reach(self, given: bytes) -> Reach | None:
        """Return the access that the key or token `given` provides, or None if it is neither."""
        if self.key is not None and compare_digest(given, self.key.encode()):
            return EVERYBODY
        owner = self.tokens.owner_of(given)
        return None if owner is None else Reach(owner)
