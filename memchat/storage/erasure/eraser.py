"""Delete permanently: rows, versions, quoted words, vectors, pending jobs, and then the bytes they left in files."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, TypeVar

from memchat.core.names import composed
from memchat.core.protocols import Clock, Progress, no_progress
from memchat.core.types import FORGOTTEN, Applied, Event, Owner, Scope
from memchat.storage.database import Database
from memchat.storage.erasure.targets import ErasureTargets, search_files_isolated
from memchat.storage.erasure.verification import exclude_legitimate
from memchat.storage.memory_rows import format_time, owner_number, with_versions
from memchat.storage.memory_writer import MemoryRepository
from memchat.storage.position import begin_epoch
from memchat.storage.results import ErasureReport
from memchat.storage.vectors.codec import dimension_of
from memchat.text.normalize import sentences_restating

Json = TypeVar("Json", list[Any], dict[str, Any])


@dataclass(slots=True)
class _Erased:
    """Counts of what one erasure has deleted so far, for its report."""

    memories: int = 0
    versions: int = 0
    messages: int = 0
    sessions: int = 0
    work: int = 0


class Eraser:
    """Each method deletes in one transaction. `Store.finish_erasures` then cleans the files."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._db = database
        self._clock = clock

    def erase(
        self, ids: Sequence[str], *, keep_source: bool = False, on_progress: Progress = no_progress
    ) -> tuple[ErasureReport, ErasureTargets]:
        """Delete these memories with all their versions. The files are cleaned later: see `Store.finish_erasures`."""
        with self._db.transaction():
            chain = with_versions(self._db, ids)
            traces = self._traces(chain)
            erased = self._erase_chain(chain, traces, keep_source=keep_source, on_progress=on_progress)
            self._note_erasure()
        return _receipt(erased), traces

    def erase_rows(self, memories: MemoryRepository, ids: Sequence[str]) -> list[Applied]:
        """Do the same inside the caller's transaction, for what a person asked to forget in a conversation."""
        gone = [memory for memory_id in ids if (memory := memories.get(memory_id)) is not None]
        if not gone:
            return []
        chain = with_versions(self._db, [memory.id for memory in gone])
        self._erase_chain(chain, self._traces(chain), keep_source=False)
        self._note_erasure()
        return [Applied(Event.DELETE, memory) for memory in gone]

    def erase_person(self, user: str, on_progress: Progress = no_progress) -> tuple[ErasureReport, ErasureTargets]:
        """Delete everything of `user`: memories, conversations, pending jobs, and the name."""
        user = composed(user)
        with self._db.transaction():
            owner = owner_number(self._db, Owner.user(user))
            rows = self._db.rows("SELECT id FROM memories WHERE owner = ?", (owner,))
            sessions = [row["id"] for row in self._db.rows("SELECT id FROM sessions WHERE user = ?", (user,))]
            compared = self._db.execute("DELETE FROM work WHERE user = ? AND memory_id IS NOT NULL", (user,))
            erased, traces = self._erase_whole([row["id"] for row in rows], sessions, on_progress)
            erased.work += compared
            self._db.execute("DELETE FROM owners WHERE id = ?", (owner,))
            self._db.execute("DELETE FROM usage WHERE user = ?", (user,))
        return _receipt(erased), traces

    def erase_everything(self) -> tuple[ErasureReport, ErasureTargets]:
        """Delete every memory, conversation and pending job of every user."""
        with self._db.transaction():
            traces = self._traces([row["id"] for row in self._db.rows("SELECT id FROM memories")])
            traces.add_texts(row["text"] for row in self._db.rows("SELECT text FROM messages"))
            self._add_message_vectors(traces, "1")
            tables = ("memories", "changes", "messages", "sessions", "work")
            erased = _Erased(*(int(self._db.value(f"SELECT count(*) FROM {table}")) for table in tables))
            for table in ("changes", "words", "vectors", "memories", "sessions", "message_words", "owners", "usage"):
                self._db.execute(f"DELETE FROM {table}")
            self._note_erasure()
        return _receipt(erased), traces

    def erase_sessions(
        self, ids: Sequence[str], on_progress: Progress = no_progress
    ) -> tuple[ErasureReport, ErasureTargets]:
        """Delete these conversations whole, with the session memories that belong to them."""
        with self._db.transaction():
            rows = self._db.rows(
                f"SELECT id FROM memories WHERE session_id <> '' AND session_id IN {_LISTED} AND scope = ?",
                (_json(ids), Scope.SESSION),
            )
            erased, traces = self._erase_whole([row["id"] for row in rows], ids, on_progress)
        return _receipt(erased), traces

    def _erase_whole(
        self, memories: Sequence[str], sessions: Sequence[str], on_progress: Progress
    ) -> "tuple[_Erased, ErasureTargets]":
        """Delete memories, conversations with everything in them, and the words that other memories quote from them."""
        chain, listed = with_versions(self._db, memories), _json(sessions)
        traces = self._traces(chain)
        for (text,) in self._db.rows(f"SELECT text FROM messages WHERE session_id IN {_LISTED}", (listed,)):
            traces.add_text(text)
        in_sessions = f"number IN (SELECT number FROM messages WHERE session_id IN {_LISTED})"
        self._add_message_vectors(traces, in_sessions, listed)
        erased = self._erase_chain(chain, traces, keep_source=True, on_progress=on_progress)
        for table in ("work", "messages"):
            count = self._db.value(f"SELECT count(*) FROM {table} WHERE session_id IN {_LISTED}", (listed,))
            setattr(erased, table, int(count))
        erased.sessions = self._db.execute(f"DELETE FROM sessions WHERE id IN {_LISTED}", (listed,))
        self._db.execute(f"UPDATE memories SET quote = NULL WHERE evidence_session IN {_LISTED}", (listed,))
        self._note_erasure()
        return erased, traces

    def verify(self, receipt: ErasureReport, traces: ErasureTargets) -> ErasureReport:
        """Search every file beside the database for what was deleted, and return the report with the findings.

        Words that rows of other people legitimately contain are no findings.
        """
        searched = search_files_isolated(self._db.path.parent, traces)
        left = exclude_legitimate(self._db, searched.findings, traces)
        return replace(receipt, files=searched.files, bytes=searched.bytes, left=left)

    # Steps.

    def _traces(self, chain: Sequence[str]) -> ErasureTargets:
        traces = ErasureTargets()
        for memory_id in chain:
            row = self._db.row(
                """SELECT m.owner, m.text, m.quote, m.cues, m.metadata, v.kinds, v.rows FROM memories AS m
                    LEFT JOIN vectors AS v ON v.number = m.number WHERE m.id = ?""",
                (memory_id,),
            )
            if row is None:
                continue
            traces.people.add(row["owner"])
            traces.add_id(memory_id)
            for text in (row["text"], row["quote"]):
                traces.add_text(text or "")
            for cue in _read(row["cues"], []):
                traces.add_cue(str(cue))
            for key, value in _read(row["metadata"], {}).items():
                traces.add_metadata(key, value)
            traces.add_vectors(row["rows"] or b"", len(_read(row["kinds"], [])))
            for change in self._db.rows("SELECT old_text FROM changes WHERE memory_id = ?", (memory_id,)):
                traces.add_text(change["old_text"] or "")
        return traces

    def _add_message_vectors(self, traces: ErasureTargets, where: str, *values: object) -> None:
        """Note the vectors of the messages `where`, which go when their messages or their words do."""
        for row in self._db.rows(f"SELECT fingerprint, rows FROM message_vectors WHERE {where}", values):
            dim = dimension_of(row["fingerprint"])
            traces.add_vectors(row["rows"], len(row["rows"]) // dim if dim else 0)

    def _erase_chain(
        self, chain: Sequence[str], traces: ErasureTargets, *, keep_source: bool, on_progress: Progress = no_progress
    ) -> _Erased:
        erased = _Erased()
        # The conversations in which the memories may have been said, and those that may have recalled them.
        said: list[_Sessions] = []
        recalled: list[_Sessions] = []
        for row in self._db.rows(f"SELECT id, kind, name FROM owners WHERE id IN {_LISTED}", (_json(traces.people),)):
            kind, name = Scope(row["kind"]), row["name"]
            if kind is Scope.AGENT:
                # Any user, named or not, may have taught the agent; all who talk to it recall its memories.
                taught = "s.id IN (SELECT evidence_session FROM memories WHERE owner = ?)"
                said.append(_Sessions(f"{taught} OR (s.user = '' AND s.agent = ?)", (row["id"], name)))
                recalled.append(_Sessions("s.agent = ?", (name,)))
            else:
                said.append(_Sessions("s.user = ?" if kind is Scope.USER else "s.id = ?", (name,)))
                recalled.append(said[-1])
        if not keep_source:
            self._add_restatements(chain, traces, recalled)
            erased.messages, erased.work = self._blank_words(traces, said)
        self._remove_from_recalled(set(chain), recalled)
        for done, memory_id in enumerate(chain, 1):
            erased.versions += self._db.execute("DELETE FROM changes WHERE memory_id = ?", (memory_id,))
            self._db.execute("DELETE FROM words WHERE rowid = (SELECT number FROM memories WHERE id = ?)", (memory_id,))
            erased.memories += self._db.execute("DELETE FROM memories WHERE id = ?", (memory_id,))
            on_progress(done, len(chain))
        self._blank_versions(traces)
        return erased

    def _add_restatements(
        self, chain: Sequence[str], traces: ErasureTargets, recalled_in: Sequence["_Sessions"]
    ) -> None:
        """Add the sentences of answers that restate a deleted memory they used, or whose words they replied to."""
        listed = _json(chain)
        texts = {row["id"]: row["text"] for row in self._db.rows(_TEXTS, (listed,))}
        for sessions in recalled_in:
            rows = self._db.rows(
                f"""SELECT m.text, m.recalled FROM sessions AS s JOIN messages AS m ON m.session_id = s.id
                    WHERE m.recalled <> '[]' AND {sessions.where}""",
                sessions.values,
            )
            for row in rows:
                for memory_id in texts.keys() & set(json.loads(row["recalled"])):
                    traces.add_texts(sentences_restating(texts[memory_id], row["text"]))
        for row in self._db.rows(_REPLIES, (listed,)):
            traces.add_texts(sentences_restating(texts[row["id"]], row["reply"] or ""))

    def _blank_words(self, traces: ErasureTargets, said: Sequence["_Sessions"]) -> tuple[int, int]:
        """Blank the deleted words in the conversations they may come from, and drop pending jobs on such messages."""
        blanked = work = 0
        for sessions in said:
            messages = self._db.rows(
                f"""SELECT m.id, m.text, s.id AS session, s.title FROM sessions AS s
                    JOIN messages AS m ON m.session_id = s.id WHERE {sessions.where}""",
                sessions.values,
            )
            clean_texts = traces.blank([row["text"] for row in messages], FORGOTTEN)
            for row, clean in zip(messages, clean_texts, strict=True):
                if clean == row["text"]:
                    continue
                blanked += 1
                self._add_message_vectors(traces, _MADE_FROM, row["id"])
                self._db.execute("UPDATE messages SET text = ? WHERE id = ?", (clean, row["id"]))
                work += self._db.execute("DELETE FROM work WHERE user_message_id = ?", (row["id"],))
                if row["title"] and " ".join(row["text"].split()).startswith(row["title"]):
                    title = " ".join(clean.split())[: len(row["title"])]
                    self._db.execute("UPDATE sessions SET title = ? WHERE id = ?", (title, row["session"]))
            rows = self._db.rows(f"SELECT s.id, s.title FROM sessions AS s WHERE {sessions.where}", sessions.values)
            for row, clean in zip(rows, traces.blank([row["title"] for row in rows], FORGOTTEN), strict=True):
                if clean != row["title"]:
                    self._db.execute("UPDATE sessions SET title = ? WHERE id = ?", (clean, row["id"]))
        return blanked, work

    def _blank_versions(self, traces: ErasureTargets) -> None:
        """Blank the deleted words where other memories of the same owners quote them or contained them before."""
        for owner in traces.people:
            quoting = self._db.rows("SELECT number, quote FROM memories WHERE owner = ? AND quote <> ''", (owner,))
            for row, clean in zip(quoting, traces.blank([row["quote"] for row in quoting], FORGOTTEN), strict=True):
                if clean != row["quote"]:
                    self._db.execute("UPDATE memories SET quote = ? WHERE number = ?", (clean, row["number"]))
            for column in ("old_text", "new_text"):
                for row in self._db.rows(f"SELECT seq, {column} AS words FROM changes WHERE owner = ?", (owner,)):
                    if row["words"] and row["words"] in traces.texts:
                        self._db.execute(f"UPDATE changes SET {column} = NULL WHERE seq = ?", (row["seq"],))

    def _remove_from_recalled(self, gone: set[str], recalled_in: Sequence["_Sessions"]) -> None:
        """Remove the ids from the lists of what each answer had recalled."""
        for sessions in recalled_in:
            rows = self._db.rows(
                f"""SELECT m.id, m.recalled FROM sessions AS s JOIN messages AS m ON m.session_id = s.id
                    WHERE m.recalled <> '[]' AND {sessions.where}""",
                sessions.values,
            )
            for row in rows:
                recalled = json.loads(row["recalled"])
                kept = [memory_id for memory_id in recalled if memory_id not in gone]
                if len(kept) != len(recalled):
                    self._db.execute("UPDATE messages SET recalled = ? WHERE id = ?", (json.dumps(kept), row["id"]))

    def _note_erasure(self) -> None:
        """Begin a new epoch, so that caches and the index drop what they hold; the epoch's number identifies the
        erasure."""
        epoch = begin_epoch(self._db)
        self._db.execute("INSERT INTO erasures (id, asked_at) VALUES (?, ?)", (epoch, format_time(self._clock())))


_TEXTS = "SELECT id, text FROM memories WHERE id IN (SELECT value FROM json_each(?))"
_REPLIES = """
    SELECT m.id, (SELECT r.text FROM messages AS r WHERE r.session_id = said.session_id AND r.number > said.number
        ORDER BY r.number LIMIT 1) AS reply
    FROM memories AS m JOIN messages AS said ON said.id = m.message_id
    WHERE m.id IN (SELECT value FROM json_each(?))
"""
_MADE_FROM = """
    number IN (SELECT m.number FROM messages AS said JOIN messages AS m ON m.session_id = said.session_id
        WHERE said.id = ? AND m.number IN (said.number, (
            SELECT min(n.number) FROM messages AS n
            WHERE n.session_id = said.session_id AND n.number > said.number AND n.private = 0)))
"""
"""Vectors in which the words of a message are: its own, and those of the message that has it for its window."""
_LISTED = "(SELECT value FROM json_each(?))"


def _read(text: str | None, empty: Json) -> Json:
    """Parse the JSON in `text`; return `empty` if it is damaged, since unreadable rows must still be deleted."""
    try:
        found = json.loads(text or "null")
    except ValueError:
        return empty
    return found if isinstance(found, type(empty)) else empty


def _json(ids: Iterable[str | int]) -> str:
    return json.dumps(list(ids))


@dataclass(frozen=True, slots=True)
class _Sessions:
    """A condition on `sessions AS s`, with its parameters."""

    where: str
    values: tuple[object, ...]


def _receipt(erased: _Erased) -> ErasureReport:
    return ErasureReport(**asdict(erased))
