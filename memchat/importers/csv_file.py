"""CSV with a header: one fact per row, or one message per row if there is a column for the role."""

import csv
import io
from collections import defaultdict
from contextlib import suppress

from memchat.importers.facts import TEXT, add_fact
from memchat.importers.found import Dialogue, Found, Reading, Said, SourceText, in_order, moment, role_of, words

NAME = "CSV"
_DELIMITERS = ",;\t"
_ROLE = ("role", "sender", "author", "from")
_WORDS = (*TEXT, "message", "note", "value")
_GROUP = ("conversation_id", "session_id", "chat_id", "conversation", "thread")
_TIME = ("created_at", "timestamp", "time", "date")


def recognises(source: SourceText) -> bool:
    return _delimiter(source) is not None


def _delimiter(source: SourceText) -> str | None:
    """Return the delimiter of a header that names a text column, or None if the first line is no such header."""
    header = source.lines[0].lower() if source.lines else ""
    for delimiter in _DELIMITERS:
        names = [name.strip().strip('"') for name in header.split(delimiter)]
        known = {*_WORDS, *_ROLE, *_TIME, "category", "user_id", "id"}
        if set(names) & set(_WORDS) and (
            len(names) == 1 or len(set(names) & known) > 1 or source.name.endswith(".csv")
        ):
            return delimiter
    return None


def read(source: SourceText, reading: Reading) -> Found:
    found = Found(formats=[NAME])
    # Each row with its place; its keys are the header's names in lower case.
    rows: list[tuple[str, dict[str, str]]] = []
    header: list[str] = []
    reader = csv.reader(io.StringIO(source.text), delimiter=_delimiter(source) or ",")
    with suppress(csv.Error):
        for cells in reader:
            if not header:
                header = [name.strip().lower() for name in cells]
            elif any(cell.strip() for cell in cells):
                rows.append((source.place("line", reader.line_num), dict(zip(header, cells, strict=False))))
    names = rows[0][1].keys() if rows else ()
    text = next((name for name in _WORDS if name in names), "text")
    role = next((name for name in _ROLE if name in names), None)
    if role is None:
        for place, row in rows:
            add_fact(found, {**row, "text": row.get(text)}, place, reading)
        return found
    groups: dict[str, list[Said]] = defaultdict(list)
    group = next((name for name in _GROUP if name in names), "")
    time = next((name for name in _TIME if name in names), "")
    for number, (place, row) in enumerate(rows):
        spoken = role_of(row.get(role))
        if spoken is None or not words(row.get(text)):
            found.skip(place, "is not a message of a user or an assistant")
            continue
        at = moment(row.get(time)) or reading.now
        groups[row.get(group) or ""].append(Said(str(number), spoken, words(row.get(text)), at))
    found.dialogues += [Dialogue(name or source.name or NAME, "", in_order(said)) for name, said in groups.items()]
    return found
