"""Database checks of `memchat doctor`: whether the file is intact, and whether its rows agree with each other."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from shlex import quote

from memchat.errors import StoreBusy, StoreError
from memchat.storage.protocols import Inspection
from memchat.storage.results import VectorProblem
from memchat.text.plurals import pluralize

FIX = "memchat doctor --fix"
REINDEX = "memchat reindex"
MAX_NAMED = 3
STUCK = 3
"""Failed attempts after which a pending job is worth a warning."""


class Health(StrEnum):
    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """The result of one check in a sentence, with the command or step that repairs it."""

    check: str
    health: Health
    message: str
    mend: str | None = None


def ok(check: str, message: str) -> Diagnosis:
    return Diagnosis(check, Health.OK, message)


def warning(check: str, message: str, mend: str | None = None) -> Diagnosis:
    return Diagnosis(check, Health.WARNING, message, mend)


def problem(check: str, message: str, mend: str | None = None) -> Diagnosis:
    return Diagnosis(check, Health.ERROR, message, mend)


def restore(name: str) -> str:
    """Return the advice to restore a backup, for damage that cannot be repaired."""
    return f"replace {name} with a backup; memchat memories export may save undamaged memories"


def examine(inspection: Inspection, fingerprint: str) -> Iterator[Diagnosis]:
    """Run every check of the database, each independent of the others. `fingerprint` is that of the embedder in use."""
    checks: dict[str, Callable[[], Iterable[Diagnosis]]] = {
        "database": lambda: file(inspection),
        "references": lambda: references(inspection),
        "memories": lambda: memories(inspection),
        "conversations": lambda: conversations(inspection),
        "words": lambda: fulltext(inspection),
        "vectors": lambda: vectors(inspection, fingerprint),
        "messages": lambda: messages(inspection),
        "versions": lambda: versions(inspection),
        "waiting": lambda: waiting(inspection),
        "erasures": lambda: erasures(inspection),
    }
    for name, check in checks.items():
        try:
            with inspection.damage_as_store_error():
                yield from check()
        except StoreBusy as error:
            yield warning(name, f"{error.message} This could not be checked.", "memchat doctor, in a moment")
        except StoreError as error:
            external = inspection.is_external(error)
            yield problem(name, error.message, error.hint if external else restore(inspection.name))


def file(inspection: Inspection) -> Iterator[Diagnosis]:
    """Report what SQLite's own check finds."""
    found = inspection.complaints()
    if not found:
        yield ok("database", f"{inspection.name} is undamaged (version {inspection.version}).")
    elif inspection.only_indexes(found):
        yield problem("database", f"SQLite's indexes disagree with their tables: {_first(found)}.", FIX)
    else:
        yield problem("database", f"{inspection.name} is damaged: {_first(found)}.", restore(inspection.name))


def references(inspection: Inspection) -> Iterator[Diagnosis]:
    """Report rows that refer to missing ones."""
    broken = inspection.broken_references()
    if not broken:
        yield ok("references", "All references are intact.")
        return
    named = ", ".join(f"{count} in {table}" for table, count in sorted(broken.items()))
    mend = FIX if broken.keys() <= {"vectors", "work", "conversation_sizes"} else restore(inspection.name)
    yield problem("references", f"Rows refer to missing rows: {named}.", mend)


def memories(inspection: Inspection) -> Iterator[Diagnosis]:
    """Report memories that cannot be read."""
    found = inspection.unreadable_memories()
    if found.lost:
        message = f"{len(found.lost)} of {found.count} memories cannot be read: {_first(found.lost)}."
        yield problem("memories", message, restore(inspection.name))
    else:
        yield ok("memories", f"{pluralize(found.count, 'memory', 'memories')}, superseded ones included, can be read.")


def conversations(inspection: Inspection) -> Iterator[Diagnosis]:
    """Report messages that cannot be read."""
    found = inspection.unreadable_messages()
    messages = pluralize(found.count, "message", "messages")
    conversations = pluralize(inspection.conversations(), "conversation", "conversations")
    if found.lost:
        message = f"{len(found.lost)} of {messages} cannot be read: {_first(found.lost)}."
        yield problem("conversations", message, restore(inspection.name))
    else:
        yield ok("conversations", f"{messages} in {conversations} can be read.")


def fulltext(inspection: Inspection) -> Iterator[Diagnosis]:
    """Report memories that the full-text index lacks, and surplus entries."""
    try:
        missing, extra = inspection.check_fulltext()
    except StoreError as error:
        if inspection.is_external(error):
            raise
        yield problem("words", "The full-text index is damaged: recall may miss memories.", FIX)
        return
    if missing or extra:
        yield problem(
            "words",
            f"The full-text index lacks {pluralize(missing, 'memory', 'memories')} and has {extra} surplus entries.",
            FIX,
        )
    else:
        yield ok("words", "Every memory is found by its words.")


def messages(inspection: Inspection) -> Iterator[Diagnosis]:
    """Report messages that search cannot find, and surplus entries."""
    try:
        missing, extra = inspection.check_message_index()
    except StoreError as error:
        if inspection.is_external(error):
            raise
        yield problem("messages", "The index of messages is damaged: recall may miss earlier messages.", FIX)
        return
    if missing or extra:
        lost = pluralize(missing, "message", "messages")
        yield problem("messages", f"{lost} cannot be found by search, and {extra} entries belong to no message.", FIX)
    else:
        yield ok("messages", "Every message is searchable, or will be indexed during the next chat.")


def vectors(inspection: Inspection, fingerprint: str) -> Iterator[Diagnosis]:
    """Report memories whose vectors are missing, unusable, foreign or under another owner."""
    found = Counter(inspection.vector_problems(fingerprint))
    strangers = inspection.misowned_vectors()
    if strangers:
        yield problem(
            "vectors",
            f"The vectors of {pluralize(strangers, 'memory', 'memories')} are stored under another owner.",
            FIX,
        )
    if found[VectorProblem.MISSING] or found[VectorProblem.UNUSABLE]:
        without = f"{found[VectorProblem.MISSING]} without vectors, {found[VectorProblem.UNUSABLE]} with unusable ones"
        yield problem("vectors", f"Only a search by words finds these memories: {without}.", FIX)
    if found[VectorProblem.FOREIGN]:
        foreign = f"{found[VectorProblem.FOREIGN]} with vectors of an embedder other than {fingerprint}"
        yield warning("vectors", f"Only a search by words finds these memories: {foreign}.", REINDEX)
    if not found.total() and not strangers:
        yield ok("vectors", f"Every memory has its vectors ({fingerprint}).")


def versions(inspection: Inspection) -> Iterator[Diagnosis]:
    """Report memories replaced by one that does not exist, and changes of memories that do not exist."""
    loose, orphans = inspection.replaced_by_missing(), inspection.history_of_missing()
    events = inspection.unknown_events()
    if events:
        yield problem("versions", f"Unknown events in the history: {_first(events)}.", restore(inspection.name))
    if loose:
        show = f"memchat memories show {loose[0]}"
        yield warning("versions", f"Replaced by a memory that is missing: {_first(loose)}.", show)
    if orphans:
        yield warning("versions", f"Memories that are missing but have a history: {orphans}.", restore(inspection.name))
    if not (loose or orphans or events):
        yield ok("versions", "Every replaced memory leads to its successor.")


def waiting(inspection: Inspection) -> Iterator[Diagnosis]:
    """Report the jobs of learning that wait, and those that keep failing."""
    states = inspection.unknown_job_states()
    if states:
        yield problem("waiting", f"Pending exchanges in an unknown state: {_first(states)}.", restore(inspection.name))
    jobs = inspection.jobs()
    if not jobs:
        yield ok("waiting", "All exchanges have been learned from.")
        return
    exchanges = pluralize(len(jobs), "exchange or added memory waits", "exchanges or added memories wait")
    since = f"{exchanges} to be learned from, the oldest since {jobs[0].created_at[:16]} UTC"
    stuck = [job for job in jobs if job.error and job.attempts >= STUCK]
    reasons = Counter(job.error for job in stuck)
    if not reasons:
        yield ok("waiting", f"{since}.")
        return
    reason, count = reasons.most_common(1)[0]
    message = f"{since}; {len(stuck)} of them keep failing, {count} with: {reason}"
    people = sorted({job.user for job in stuck} - {""})
    mend = "; ".join(f"memchat status --retry --user {quote(user)}" for user in people)
    yield warning("waiting", message, mend or None)


def erasures(inspection: Inspection) -> Iterator[Diagnosis]:
    """Report erasures that did not finish."""
    if inspection.unfinished_erasures():
        yield warning("erasures", "A deletion was interrupted: forgotten data is still in some files.", FIX)
    else:
        yield ok("erasures", "No deletion is pending.")


def _first(found: Iterable[str]) -> str:
    named = list(found)
    more = f" and {len(named) - MAX_NAMED} more" if len(named) > MAX_NAMED else ""
    return "; ".join(named[:MAX_NAMED]) + more
