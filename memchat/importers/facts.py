"""Convert a fact of another program to a record with owner, agent, run, end and category."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

from memchat.core.ids import new_id
from memchat.core.types import CATEGORIES, Change, Event, Memory, Owner, Scope, Source, run_session
from memchat.errors import UsageError
from memchat.importers.found import Found, Reading, moment, words
from memchat.storage.serialization import Record, plain_pairs

TEXT = ("text", "memory", "content", "fact")
_USED = frozenset(
    "text memory content fact data id hash score score_details event type state user_id agent_id run_id actor_id role "
    "category categories metadata created_at updated_at expiration_date expires_at valid_from valid_to "
    "superseded_by".split()
)


def add_fact(found: Found, entry: Mapping[str, Any], place: str, reading: Reading) -> None:
    """Add `entry` to the facts, or note in `found` why it is skipped."""
    text = next((text for name in TEXT if (text := words(entry.get(name)))), "")
    if not text:
        found.skip(place, "has no text")
        return
    try:
        clean = reading.clean(text)
    except UsageError as error:
        found.skip(place, error.message)
        return
    found.unused.update(str(name) for name, value in entry.items() if name not in _USED and value not in (None, "", []))
    found.facts.append(_record(entry, clean, reading))


def _record(entry: Mapping[str, Any], text: str, reading: Reading) -> Record:
    user, agent, run = (words(str(entry.get(name) or "")) or None for name in ("user_id", "agent_id", "run_id"))
    owner = Owner.user(user) if user is not None and reading.keep_users else reading.owner
    if user is None and agent is not None and run is None:
        # A fact that names an agent only belongs to the agent, and is shared by its users.
        owner = Owner.agent(agent)
    session = None if run is None else run_session(owner.name if owner.kind is Scope.USER else None, agent, run)
    created = moment(entry.get("created_at")) or reading.now
    listed = entry.get("categories")
    categories = [words(entry.get("category")), *map(words, listed if isinstance(listed, list) else ())]
    unknown = ", ".join(name for name in categories if name and name not in CATEGORIES)
    end = entry.get("expiration_date") or entry.get("expires_at")
    expires = moment(end)
    if isinstance(end, str) and len(end.strip()) == 10 and (day := _day(end.strip())) is not None:
        # A fact that expires on a day holds until its end.
        expires = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1)
    memory = Memory(
        id=new_id(),
        owner=owner,
        text=text,
        scope=owner.kind if session is None else Scope.SESSION,
        category=next((name for name in categories if name in CATEGORIES), "other"),
        created_at=created,
        updated_at=moment(entry.get("updated_at")) or created,
        session_id=session,
        agent=agent,
        metadata={**plain_pairs(entry.get("metadata")), **({"categories": unknown} if unknown else {})},
        valid_from=_day(entry.get("valid_from")),
        valid_to=_day(entry.get("valid_to")),
        expires_at=expires,
        source=Source.IMPORTED,
    )
    return Record(memory, (Change(0, memory.id, Event.ADD, reading.now, None, memory.text, "imported"),), user)


def _day(value: object) -> date | None:
    try:
        return date.fromisoformat(value[:10]) if isinstance(value, str) else None
    except ValueError:
        return None
