"""What lets a client in: the key, for everybody's memories, or a token, for those of one user or agent."""

from dataclasses import dataclass
from hmac import compare_digest
from pathlib import Path

from memchat.core.types import Owner
from memchat.servers.tokens import Tokens


@dataclass(frozen=True, slots=True)
class Reach:
    """Whose memories a client reaches: those of one owner, or with None everybody's."""

    owner: Owner | None


EVERYBODY = Reach(None)


@dataclass(frozen=True, slots=True)
class Keys:
    """The key and the tokens of one server, which is `guarded` where there were any when it started."""

    key: str | None
    tokens: Tokens
    guarded: bool

    @classmethod
    def of(cls, key: str | None, home: Path) -> "Keys":
        """The key and what tokens the home has. Raises ConfigError where those cannot be read."""
        tokens = Tokens(home)
        return cls(key, tokens, key is not None or bool(tokens.all()))

    def reach(self, given: bytes) -> Reach | None:
        """What a client reaches that brings `given`; None where that is neither the key nor a token."""
        if self.key is not None and compare_digest(given, self.key.encode()):
            return EVERYBODY
        owner = self.tokens.owner_of(given)
        return None if owner is None else Reach(owner)
