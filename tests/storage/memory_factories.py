"""Short ways to put memories and conversations into a store, for the tests of what is true."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from memchat.core.protocols import Embedded, MemoryFilter
from memchat.core.types import Add, Applied, Decision, Draft, Evidence, Memory, Message, MessageStatus, Owner, Session
from memchat.storage.protocols import Storage
from memchat.storage.store import Store

if TYPE_CHECKING:
    from memchat.core.protocols import Vectors

DIM = 24
ALICE = Owner.user("alice")
BOB = Owner.user("bob")


def embedded(text: str, cues: Sequence[str] = ()) -> Embedded:
    """Vectors that depend on nothing but the words, shape `(1 + cues, 24)`."""
    rows = [
        np.random.default_rng(int.from_bytes(hashlib.sha256(words.encode("utf-8", "replace")).digest()[:8], "big"))
        for words in (text, *cues)
    ]
    vectors = np.stack([row.standard_normal(DIM) for row in rows])
    unit = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    return Embedded(("text", *["cue"] * len(cues)), unit)


def apply(store: Store, *decisions: Decision) -> list[Applied]:
    vectors = [embedded(d.draft.text, d.draft.cues) if isinstance(d, Add) else None for d in decisions]
    return store.apply(decisions, vectors)


def add(store: Store, text: str, owner: Owner = ALICE, **draft: Any) -> Memory:
    """Keep `text`; the memory it became or the one that said so already."""
    (applied,) = apply(store, Add(Draft(text, owner, **{"scope": owner.kind, **draft})))
    return applied.memory


def add_many(store: Store, texts: Sequence[str], owner: Owner = ALICE) -> list[Memory]:
    """In one transaction."""
    return [one.memory for one in apply(store, *(Add(Draft(text, owner, scope=owner.kind)) for text in texts))]


def replace_with(store: Store, text: str, *former: Memory, mistaken: bool = False, **draft: Any) -> Memory:
    owner = former[0].owner
    new = Draft(text, owner, **{"scope": owner.kind, **draft})
    (applied,) = apply(store, Add(new, tuple(memory.id for memory in former), mistaken=mistaken))
    return applied.memory


def texts(store: Store, view: MemoryFilter | None = None, owner: Owner = ALICE) -> list[str]:
    """What a view shows, oldest first."""
    return [memory.text for memory in reversed(store.memories.memories(view or MemoryFilter((owner,))))]


def memories_of(store: Storage, user: str) -> list[Memory]:
    """All current memories of `user`, the newest first."""
    return store.memories.memories(MemoryFilter((Owner.user(user),), all_sessions=True))


def current(store: Store, memory: Memory) -> Memory:
    found = store.memories.get(memory.id)
    assert found is not None
    return found


def say(store: Store, text: str, session: Session | None = None, user: str = "alice") -> Message:
    """A message of a conversation that has had its reply; its work waits."""
    session = session or store.conversations.new_session(user, None)
    asked = store.conversations.begin_turn(session, text)
    store.conversations.end_turn(asked, "Noted.", MessageStatus.COMPLETE, "test", [])
    return asked


def learned(store: Store, text: str, said: str, quote: str, owner: Owner = ALICE, **draft: Any) -> Memory:
    """A memory with its evidence in a conversation of its owner."""
    message = say(store, said, user=owner.name)
    return add(
        store, text, owner, evidence=Evidence(message.id, message.session_id, quote, "test"), source="said", **draft
    )


def holding(home: Path, *needles: str | bytes) -> dict[str, list[str | bytes]]:
    """The files below `home` that hold any of `needles`, with those."""
    found: dict[str, list[str | bytes]] = {}
    for path in home.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            held = [n for n in needles if (n.encode() if isinstance(n, str) else n) in content]
            if held:
                found[path.name] = held
    return found


class HashedEmbedder:
    """The vectors of `embedded`, behind the port."""

    fingerprint = "test/24"
    dimension = DIM

    def embed(self, texts: Sequence[str]) -> "Vectors":
        if not texts:
            return np.zeros((0, DIM), dtype=np.float32)
        return np.concatenate([embedded(text).rows for text in texts])
