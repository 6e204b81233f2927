"""Answer extraction requests by rules: compare the statements of a message with the known memories."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from memchat.offline.grammar import expand_contractions
from memchat.offline.instructions import forgettable, to_forget
from memchat.offline.patterns import about, category_of, pattern, word_list
from memchat.offline.statements import Ended, Statement, read, stems, stems_in_order
from memchat.recall.default_cues import default_cues
from memchat.text.normalize import normalize, sentences

_NOT = re.compile(
    r"\b(?:not|no longer|never|cannot|hates?|dislikes?|detests?|avoids?|without|stopped|quit|gave up|no)\b"
)
_HANGS_ON = {"home": "hangs_on_home", "employer": "hangs_on_work"}
_CODE = re.compile(r"#?\b(?=[\w-]*\d)[A-Za-z]{0,4}-?\d[\w-]*\b")
_GIVEN_UP = re.compile(r"\b(?:instead of|from|than) (?P<old>[\w'.-]+)")
_EMPHASIS = re.compile(r"(?<![\w*~`])(?P<mark>\*{1,3}|_{1,3}|~~|`+)(?=\S)(?P<words>[^\n]+?)(?<=\S)(?P=mark)(?![\w*~`])")
_EMOJI = "[\u2190-\u2bff\u3030\u303d\u200d\ufe0f\u20e3\U0001f000-\U0001faff]"
_EMOJI_BESIDE = re.compile(rf"^(?:{_EMOJI}+\s+)+|\s*{_EMOJI}+(?:\s+{_EMOJI}+)*(?=[.!?…]*$)")
_LIGHT = stems("work play do go use have live job drive eat drink watch take own ride visit see")
"""Verbs too common to tell what is over."""
_ALL_OF = re.compile(r"(?i)\b(?:everything|anything|all|what you know|what you remember)\b")
_ANOTHER = re.compile(r"(?i)\b(?:also|too|as well|second|another|part[- ]time|both)\b")


@dataclass(frozen=True, slots=True)
class Known:
    """A known memory."""

    number: int
    text: str
    over: bool = False

    @property
    def stems(self) -> frozenset[str]:
        return stems(self.text)


@dataclass(slots=True)
class _Answer:
    """The answer under construction; `settled` are the memories already decided about, by number."""

    known: Sequence[Known]
    facts: list[dict[str, Any]] = field(default_factory=list)
    confirmed: list[dict[str, Any]] = field(default_factory=list)
    ended: list[dict[str, Any]] = field(default_factory=list)
    outdated: list[int] = field(default_factory=list)
    forget: list[dict[str, Any]] = field(default_factory=list)
    settled: set[int] = field(default_factory=set)

    def open(self) -> list[Known]:
        return [memory for memory in self.known if memory.number not in self.settled]


def learn(inputs: Mapping[str, Any], categories: Sequence[str] = ()) -> str:
    """Return the JSON of `extraction.SCHEMA` for the inputs of one exchange, with facts of `categories` only."""
    today = date.fromisoformat(inputs["today"][:10])
    result = _Answer(
        [
            Known(entry["n"], _as_fact(entry["text"], date.fromisoformat(entry["since"])), "until" in entry)
            for entry in inputs["known"]
        ]
    )
    message = _record_forgetting(without_marks(inputs["user"]), result)
    message = _apply_corrections(message, result)
    taken = [
        item
        for item in read(message, today)
        if isinstance(item, Ended) or not categories or item.category in categories
    ]
    for item in taken:
        if isinstance(item, Ended):
            _end(item, result)
    facts = [item for item in taken if isinstance(item, Statement)]
    employed = any("employer" in about(fact.text) for fact in facts)
    for fact in facts:
        if not (employed and re.match(r"User \w+ a new job\b", fact.text)):
            _keep(fact, result)
    answer = {name: getattr(result, name) for name in ("facts", "confirmed", "ended", "outdated", "forget")}
    return json.dumps(answer, ensure_ascii=False)


def without_marks(message: str) -> str:
    """Remove Markdown marks, and emoji beside sentences; leave out sentences with emoji inside.

    The rules would take a mark for part of a word, and lose the meaning of an emoji inside a sentence.
    """
    plain = _EMPHASIS.sub(r"\g<words>", message)
    return "\n".join(kept for part in sentences(plain) if not re.search(_EMOJI, kept := _EMOJI_BESIDE.sub("", part)))


@dataclass(frozen=True, slots=True)
class Comparison:
    """The memories that a verbatim text replaces or outdates, as indexes from 0.

    `says` is the memory that already says the same; `standing` is true for a wish about answers.
    """

    replaces: tuple[int, ...] = ()
    outdates: tuple[int, ...] = ()
    says: int | None = None
    standing: bool = False


def compare_with_known(text: str, known: Sequence[str], today: date) -> Comparison:
    """Compare `text`, in the first or third person, with memories; the rules read English only."""
    result = _Answer([Known(number, _as_fact(memory, today)) for number, memory in enumerate(known)])
    items = list(read(text, today)) or [Statement(text, text, category_of(text) or "other")]
    for item in items:
        if isinstance(item, Ended):
            _end(item, result)
        else:
            _keep(item, result)
    replaces = [number for fact in result.facts for number in fact["replaces"]]
    replaces += [ended["n"] for ended in result.ended]
    same: list[int] = []
    if len(sentences(text)) == len(items) == 1 and isinstance(item := items[0], Statement):
        both = [known for known in result.known if _says(known.text, item.text) and _says(item.text, known.text)]
        same = [known.number for known in both]
    return Comparison(
        tuple(replaces),
        tuple(result.outdated),
        same[0] if same else None,
        any(isinstance(item, Statement) and item.standing and not item.session for item in items),
    )


def _as_fact(text: str, day: date) -> str:
    """Return a memory of `day` in the third person, as the rules expect."""
    if text.startswith(("User", "The user")) or len(sentences(text)) > 1:
        return text
    said = [item.text for item in read(text, day) if isinstance(item, Statement)]
    return said[0] if len(said) == 1 else text


def _record_forgetting(message: str, result: _Answer) -> str:
    """Record what to forget; return the message without the sentences that ask for it.

    A request means the memories that share the most words with it, and at least half of its words. Of several, it means
    the shortest, unless it asks for all ("everything about …").
    """
    for sentence in sentences(message):
        if (what := to_forget(sentence)) is None:
            continue
        for part in what.split(","):
            wanted = stems(forgettable(part))
            shared = {memory.number: len(wanted & memory.stems) for memory in result.open()}
            most = max(shared.values(), default=0)
            if most == 0 or most * 2 < len(wanted):
                continue
            found = [memory for memory in result.open() if shared[memory.number] == most]
            if not _ALL_OF.search(what):
                shortest = min(len(memory.stems) for memory in found)
                found = [memory for memory in found if len(memory.stems) == shortest]
            result.forget += [{"n": memory.number, "quote": sentence} for memory in found]
            result.settled.update(memory.number for memory in found)
        message = message.replace(sentence, "\n")
    return message


def _apply_corrections(message: str, result: _Answer) -> str:
    """Apply corrections such as 'Lyon, not Lille', also of codes; return the message without those sentences."""
    for sentence in sentences(message):
        if not pattern("slip").search(sentence) and re.search(r"\b(?:I|i|my|we)\b", sentence):
            continue
        new = old = ""
        codes = _CODE.findall(sentence)
        if said := pattern("x_not_y").search(expand_contractions(sentence)):
            new, old = said["new"], said["old"]
            if old[0].isdigit():
                new = next((word for word in new.split() if word[0].isdigit()), new)
        elif codes and re.search(r"(?i)\b(?:wrong|typo|mistyped|meant|correction|mixed)\b", sentence):
            shape = re.sub(r"\d", "0", codes[-1])
            known = (code for memory in result.open() for code in _CODE.findall(memory.text) if code != codes[-1])
            old = next((code for code in known if re.sub(r"\d", "0", code) == shape), "")
            new = codes[-1] if old else ""
        wrong = [memory for memory in result.open() if _holds(memory.text, old)]
        for memory in wrong:
            text = re.sub(rf"(?<!\w){re.escape(old)}(?!\w)", new, memory.text, flags=re.IGNORECASE)
            _add(Statement(text, sentence, category_of(text) or "other", corrects=True), [memory], result)
        right = [] if wrong else [memory for memory in result.open() if _holds(memory.text, new)]
        _confirm(right, sentence, result)
        if wrong or right:
            message = message.replace(sentence, "\n")
    return message


def _holds(text: str, word: str) -> bool:
    return bool(word) and re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text, re.IGNORECASE) is not None


def _end(over: Ended, result: _Answer) -> None:
    """End the memories with most words of the ending; those about other people count only after a separation."""
    words = over.words - _LIGHT or over.words
    scores: dict[int, int] = {}
    for memory in result.open():
        head = _head(memory.text).removeprefix("user's ")
        if memory.over or (not over.parted and word_list("kin").match(head) and not stems(head) & words):
            continue
        is_job = words <= {"job", "work", "company"} and about(memory.text).keys() & {"employer", "role"}
        scores[memory.number] = 1 if is_job else len(words & memory.stems)
    best = max(scores.values(), default=0)
    if best == 0:
        if over.instead:
            _keep(over.instead, result)
        return
    for number in (number for number, score in scores.items() if score == best):
        result.ended.append({"n": number, "quote": over.quote, "valid_to": over.day.isoformat()})
        result.settled.add(number)


def _keep(statement: Statement, result: _Answer) -> None:
    """Confirm a known fact, or add a new one in place of the memories that it changes, corrects or completes."""
    if statement.needs and not any(statement.needs & memory.stems for memory in result.open()):
        return
    if said := [memory for memory in result.open() if _says(memory.text, statement.text)]:
        _confirm(said[:1], statement.quote, result)
        return
    if not any(normalize(fact["text"]) == normalize(statement.text) for fact in result.facts):
        _add(statement, [memory for memory in result.open() if _is_replaced_by(memory, statement)], result)


def _confirm(memories: Iterable[Known], quote: str, result: _Answer) -> None:
    for memory in memories:
        result.confirmed.append({"n": memory.number, "quote": quote})
        result.settled.add(memory.number)


def _add(statement: Statement, replaced: Sequence[Known], result: _Answer) -> None:
    result.settled.update(memory.number for memory in replaced)
    result.facts.append(
        {
            "text": statement.text,
            "quote": statement.quote,
            "category": statement.category,
            "scope": "session" if statement.session else "user",
            "cues": list(default_cues(statement.category, statement.text)),
            "valid_from": statement.valid_from.isoformat() if statement.valid_from else None,
            "valid_to": None,
            "standing": statement.standing,
            "replaces": [memory.number for memory in replaced],
            "mistaken": statement.corrects and bool(replaced),
        }
    )
    changed = {name for memory in replaced for name in about(memory.text)} & set(about(statement.text))
    if not statement.corrects:
        for name in changed & set(_HANGS_ON):
            hanging = [memory.number for memory in result.open() if pattern(_HANGS_ON[name]).search(memory.text)]
            result.outdated += hanging
            result.settled.update(hanging)


def _head(text: str) -> str:
    """Return the subject of a sentence: 'user', or "user's sister"."""
    head = re.match(r"(?:The )?[Uu]ser(?:'s \w+)?", text)
    return head[0].removeprefix("The ").lower() if head else ""


def _is_negated(text: str) -> bool:
    return _NOT.search(text) is not None


def _says(known: str, new: str) -> bool:
    """Return whether `known` contains the words of `new` in their order, as in who owes whom."""
    if normalize(known) == normalize(new):
        return True
    of_same = _head(known) == _head(new) or (
        _head(known) == "user" and category_of(known) == category_of(new) == "relationship"
    )
    same = of_same and _is_negated(known) == _is_negated(new)
    wanted, held = stems_in_order(new), iter(stems_in_order(known))
    return same and bool(wanted) and all(stem in held for stem in wanted) and about(known).keys() >= about(new).keys()


def _is_replaced_by(memory: Known, statement: Statement) -> bool:
    """Return whether `statement` changes, corrects or completes a known memory."""
    if statement.needs:
        return bool(statement.needs & memory.stems)
    if _ANOTHER.search(statement.quote):
        return False
    if any(_holds(memory.text, old["old"]) for old in _GIVEN_UP.finditer(statement.quote)) and statement.category in (
        "work",
        "project",
    ):
        return True
    theirs, new = about(memory.text), about(statement.text)
    if theirs.keys() & new.keys():
        return True
    if _head(memory.text) != _head(statement.text) or not memory.stems:
        return False
    if _is_negated(memory.text) != _is_negated(statement.text):
        return memory.stems == stems(statement.text) and category_of(memory.text) == statement.category
    return memory.stems < stems(statement.text) and category_of(memory.text) == statement.category
