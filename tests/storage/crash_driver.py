"""All that can be done to a home, and processes that are killed while they do it.

`python -m tests.storage.crash_driver` reads jobs from standard input, forks for each a process that
does it and is killed on the way or right afterwards, and says on standard output how far it came.
"""

import faulthandler
import json
import os
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Any

from memchat.core.protocols import MemoryFilter
from memchat.core.types import Add, LearningJob, Memory, MessageStatus, Owner, Scope
from memchat.errors import StoreBusy, UsageError
from memchat.learning import reconcile
from memchat.learning.extraction import Exchange, Extraction, Fact
from memchat.memories.service import MemoryService
from memchat.storage.index.folder import rebuild_now
from memchat.storage.index.indexer import Indexer
from memchat.storage.results import Phase
from memchat.storage.serialization import parse_record, record_json
from memchat.storage.store import Store
from memchat.storage.transfer import Transfer
from memchat.storage.vectors.exact_search import ExactSearch
from memchat.storage.vectors.reembedding import Reembedding, vector_problems
from memchat.storage.vectors.search import VectorSearch
from memchat.text import embedding as vectors
from tests.storage.memory_factories import ALICE, BOB, HashedEmbedder
from tests.storage.vector_factories import FINGERPRINT, place_in, until

EVERYBODY = (ALICE, BOB)
DONE, REFUSED = "done", "refused"
STEPS = frozenset({"execute", "unlink", "rmdir", "replace", "rename", "mkdir", "upsert", "delete", "fsync", "close"})
"""Calls after and before which a process may be killed: all that change something outside it."""
PATIENCE_S = 60
"""After so long a process that should have died by itself is killed from outside."""


def utc_now() -> datetime:
    return datetime.now(UTC)


def fact(word: str, *, loud: bool = False) -> str:
    """A memory's words; `loud` ones say the same in other letters."""
    text = f"User has a {word} in the attic"
    return f"{text.upper()}!" if loud else text


def quote(word: str) -> str:
    return f"I have a {word} in the attic"


def said(word: str) -> str:
    return f"You know, {quote(word)}, since spring."


class Hands:
    """One process's hold on a home. Opening it finishes what an earlier one left undone. Close it."""

    def __init__(self, home: Path, *, index: bool = False) -> None:
        self.place = place_in(home)
        self.store = Store(home / "memchat.db", utc_now, FINGERPRINT)
        self.service = MemoryService(self.store, HashedEmbedder)
        self.scan = ExactSearch(self.store.database, FINGERPRINT)
        self.keeper: Indexer | None = None
        self.store.search_with(VectorSearch(self.scan))
        self.recover()
        if index:
            self.open_index()

    def close(self) -> None:
        self.close_index()
        self.store.close()

    def recover(self) -> None:
        """What every start does: finish an erasure, learn what waits."""
        self.store.finish_erasures()
        while (work := self.store.work.claim(None)) is not None:
            self._learn(work, (), mistaken=False)

    def open_index(self) -> None:
        self.keeper = Indexer(self.place)
        self.keeper.start()
        self.store.search_with(VectorSearch(self.scan, self.keeper))

    def close_index(self) -> None:
        keeper, self.keeper = self.keeper, None
        if keeper is not None:
            keeper.close()
        self.store.search_with(VectorSearch(self.scan))

    def settle_index(self) -> None:
        """Wait until the index, if it is this process's, is as far as the database."""
        keeper = self.keeper
        if keeper is not None:
            keeper.wake()
            until(lambda: keeper.state().phase in {Phase.READY, Phase.EMPTY, Phase.ELSEWHERE})

    # Deeds.

    def add(self, owner: str, text: str) -> None:
        self.service.add(text, Owner.user(owner))

    def learn(self, owner: str, word: str, replaces: Sequence[str], mistaken: bool) -> None:
        """Say something, and learn from it as a model would have it."""
        conversations = self.store.conversations
        session = conversations.new_session(owner, None)
        asked = conversations.begin_turn(session, said(word))
        conversations.end_turn(asked, "Noted.", MessageStatus.COMPLETE, "test", [])
        work = self.store.work.claim_of(session)
        assert work is not None
        self._learn(work, replaces, mistaken=mistaken)

    def index_messages(self) -> None:
        """Make some messages findable, as the learner does when it has nothing to learn."""
        self.store.message_index.index_next(None, HashedEmbedder(), 3)

    def edit(self, memory_id: str, text: str) -> None:
        self.service.edit(self._known(memory_id), text)

    def undo(self, memory_id: str) -> None:
        self.service.undo(self._known(memory_id))

    def forget(self, ids: Sequence[str]) -> None:
        receipt = self.service.forget(ids)
        assert receipt.left == (), receipt.left

    def reindex(self) -> None:
        """As `memchat reindex` does it."""
        memories = Reembedding(self.store.memories)
        memories.renew([number for number, _ in vector_problems(self.store.database, FINGERPRINT)], HashedEmbedder())
        memories.invalidate_caches()
        with suppress(StoreBusy):
            rebuild_now(self.place, lambda done, total: None)

    def export(self) -> str:
        view = MemoryFilter(EVERYBODY, all_sessions=True, superseded=True, expired=True)
        records = Transfer(self.store.memories).export(view)
        return "\n".join(json.dumps(record_json(record)) for record in records)

    def restore(self, exported: str) -> None:
        records = [parse_record(json.loads(line)) for line in exported.splitlines()]
        Transfer(self.store.memories).restore(records, HashedEmbedder())

    def _learn(self, work: LearningJob, replaces: Sequence[str], *, mistaken: bool) -> None:
        store = self.store
        asked, session = store.conversations.message(work.user_message_id), store.conversations.session(work.session_id)
        assert asked is not None
        assert session is not None
        word = asked.text.split(" a ")[1].split(" in ")[0]
        known = [self._known(memory_id) for memory_id in replaces]
        cues = (f"looking for a {word}", "tidying up")
        numbers = tuple(range(1, len(known) + 1))
        found = Fact(fact(word), quote(word), cues=cues, replaces=numbers, mistaken=mistaken)
        exchange = Exchange(asked.created_at.date(), asked.text, known=known)
        learning = reconcile.LearningSource(session.owner, session.id, asked.id, "test")
        decisions = reconcile.decide(Extraction((found,)), exchange, learning)
        drafts = [decision.draft for decision in decisions if isinstance(decision, Add)]
        store.apply(decisions, vectors.embed(HashedEmbedder(), drafts), work)

    def _known(self, memory_id: str) -> Memory:
        memory = self.store.memories.get(memory_id)
        assert memory is not None
        assert memory.owner.kind is Scope.USER
        return memory


def perform(hands: Hands, deed: str, arguments: Sequence[Any]) -> str:
    """Do it; whether it was done, or refused with a sentence."""
    try:
        getattr(hands, deed)(*arguments)
    except UsageError:
        return REFUSED
    return DONE


class Killer:
    """Counts this process's steps from `armed` on, whichever thread takes them, and kills it at the `last` one."""

    def __init__(self, last: int) -> None:
        self.armed = False
        self._left = last
        threading.setprofile(self._seen)
        sys.setprofile(self._seen)

    def _seen(self, frame: FrameType, event: str, called: Any) -> None:
        name = called.__name__ if event.startswith("c_") else frame.f_code.co_name
        if self.armed and name in STEPS:
            self._left -= 1
            if self._left <= 0:
                die()


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class Mortals:
    """Processes that do one thing each and are killed over it. Close it, or use it in a `with` block."""

    def __init__(self) -> None:
        self._parent = subprocess.Popen(
            [sys.executable, "-m", "tests.storage.crash_driver"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
            cwd=Path(__file__).parents[2],
        )

    def __enter__(self) -> "Mortals":
        return self

    def __exit__(self, *_: object) -> None:
        self._parent.communicate()

    def perform(self, home: Path, deed: str, arguments: Sequence[Any], *, index: bool, last: int) -> str | None:
        """Have a process do it that is killed at its step `last`, or when it is done; what it could still say."""
        assert self._parent.stdin is not None
        assert self._parent.stdout is not None
        job = {"home": str(home), "deed": deed, "arguments": list(arguments), "index": index, "last": last}
        self._parent.stdin.write(json.dumps(job) + "\n")
        self._parent.stdin.flush()
        told = None
        while not (line := self._parent.stdout.readline()).startswith("ended"):
            assert line, "the parent of all has died"
            told = line.strip()
        assert line.split() == ["ended", str(-signal.SIGKILL)]
        return told


def _live_and_die(job: dict[str, Any]) -> None:
    faulthandler.dump_traceback_later(PATIENCE_S - 5)
    killer = Killer(job["last"])
    hands = Hands(Path(job["home"]), index=job["index"])
    hands.settle_index()
    killer.armed = True
    outcome = perform(hands, job["deed"], job["arguments"])
    print(outcome, flush=True)
    hands.settle_index()
    hands.close()
    die()


def main() -> None:
    """Fork from a process that has imported everything and done nothing."""
    import chromadb  # noqa: F401
    import numpy  # noqa: F401

    for line in sys.stdin:
        child = os.fork()
        if not child:
            try:
                _live_and_die(json.loads(line))
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(os.EX_SOFTWARE)
        print("ended", os.waitstatus_to_exitcode(_end_of(child)), flush=True)


def _end_of(child: int) -> int:
    """Wait for a child's status. A fork may find a lock held by a thread that it lacks: such a child is killed."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return status
        if time.monotonic() > deadline:
            os.kill(child, signal.SIGKILL)
        time.sleep(0.002)


if __name__ == "__main__":
    main()
