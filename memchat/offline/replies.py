"""Reply in a chat without a language model: show the memories relevant to a message, in the second person.

Where no memory answers, what was said in an earlier conversation is quoted with its day.
"""

import re
from collections.abc import Sequence
from datetime import date

from memchat.offline.grammar import second_person
from memchat.offline.instructions import to_forget
from memchat.offline.languages import honest_sentence
from memchat.offline.patterns import about, category_of, pattern
from memchat.offline.statements import read as read_statements
from memchat.offline.statements import stems
from memchat.recall import excerpt_block
from memchat.recall.default_cues import default_cues
from memchat.recall.excerpt_block import QuotedLine
from memchat.recall.memory_block import OPEN, BlockLine, parse
from memchat.recall.periods import period_of
from memchat.recall.request_cues import asks_about_assistant
from memchat.recall.sentence_kinds import only_asks
from memchat.text.dates import format_date
from memchat.text.normalize import sentences
from memchat.text.punctuation import ends_with_question_mark

WHAT_THIS_IS = "This is memchat's built-in offline mode: no language model, only your memories."
NOTHING_KNOWN = "I have nothing about that in my memory."
MOST_QUOTES = 3

_WISH = re.compile(
    r"(?:The )?[Uu]ser (?:wants (?:the assistant|to be called|no )|prefers .*(?:answers|replies|responses))"
)

_TOPICS = (
    (
        r"where (?:do|am|did) i (?:live|living|move)|my (?:home|city|address|town)|near me|nearby|around here|local\b",
        {"home", "address"},
    ),
    (r"who am i|my name|call me", {"name", "address"}),
    (r"how old|my age", {"age"}),
    (r"where (?:do|am) i (?:work|working)|my (?:job|employer|work|company)|do for a living", {"employer", "role"}),
)
"""Patterns of questions, each with the names in `patterns.about` that answer it."""


def answer(message: str, system: str) -> str:
    """Return a reply to `message` from the memories in the prompt `system`."""
    remembered = [memory for memory in parse(system) if not _WISH.match(memory.text)]
    said = message.strip()
    if pattern("greeting").match(said):
        return f"Hello! {WHAT_THIS_IS} Tell me about yourself, or ask me what I know about you."
    if pattern("thanks").match(said):
        return "You're welcome."
    if honest := honest_sentence(said):
        shown = [memory.text for memory in remembered] if ends_with_question_mark(said) else []
        if not shown and ends_with_question_mark(said):
            shown = [f"{quote.day}: “{quote.text}”" for quote in _quotes(said, system)]
        return "\n".join((honest, *(f"- {text}" for text in shown)))
    if not pattern("request").search(said):
        if OPEN not in system:
            return f"Thanks. Memory is off in this conversation. {WHAT_THIS_IS}"
        # True of private conversations, too: a prompt does not tell which they are.
        return f"Thanks. {_becomes_of(said)} (Offline mode: no language model.)"
    bearing = _relevant(said, remembered)
    quotes = _quotes(said, system) if not bearing or asks_about_assistant(said) else []
    lines = [*map(_quote_line, quotes)] or [_second_person_line(memory) for memory in bearing or remembered]
    if not lines:
        return f"{NOTHING_KNOWN}\n\n{WHAT_THIS_IS}"
    opening = "From earlier conversations:" if quotes else "From what you told me:"
    if pattern("job_for_a_model").search(said) and not asks_about_assistant(said):
        opening = "I cannot work that out without a language model, but here is what I know that may help:"
    listed = "\n".join(f"- {line}" for line in lines)
    return f"{opening}\n{listed}\n\n{WHAT_THIS_IS}"


def _becomes_of(message: str) -> str:
    """Say what the rules find in `message`. Whether it is new is known only when it is learned."""
    # Its patterns take longer to compile than a chat should take to start.
    from memchat.text.own_words import own_words

    said = own_words(message)
    if any(to_forget(sentence) for sentence in sentences(said)):
        return "I forget what you asked me to, if I know it, unless this conversation is private."
    corrects = any(
        pattern("x_not_y").search(sentence) or pattern("slip").search(sentence) for sentence in sentences(said)
    )
    if corrects or any(True for _ in read_statements(said, date.today())):
        return "I keep what is worth remembering, unless this conversation is private."
    return "I found nothing to remember in that: in offline mode I read plain English by simple rules."


def _relevant(message: str, remembered: Sequence[BlockLine]) -> list[BlockLine]:
    """Return the memories that answer a plain question; else those that share a word with it, or with their cues.

    Recalled memories may be relevant even if they share no word with the message.
    """
    if pattern("about_me").search(message):
        return list(remembered)
    wanted = {name for pattern, names in _TOPICS if re.search(rf"(?i){pattern}", message) for name in names}
    plain_question = re.match(r"(?i)(?:where|who|what|how old|which)\b", message.strip()) is not None
    answering = [memory for memory in remembered if wanted & about(memory.text).keys()]
    if answering and plain_question:
        return answering
    asked = stems(message)
    sharing = []
    for memory in remembered:
        cues = default_cues(category_of(memory.text) or "other", memory.text)
        if memory in answering or asked & stems(" ".join((memory.text, *cues))):
            sharing.append(memory)
    return sharing


def _quotes(message: str, system: str) -> list[QuotedLine]:
    """Return the excerpts in the prompt that answer `message`: those that share the most words with it.

    At least one word is shared, as with memories; what the assistant said answers a question for just that.
    """
    of_assistant, period, asked = asks_about_assistant(message), period_of(message, date.today()), stems(message)
    found = [
        quote
        for quote in excerpt_block.parse(system)
        if not only_asks(quote.text) and (quote.by_assistant or not of_assistant)
    ]
    if period is not None:
        found = [quote for quote in found if period.holds(quote.day)] or found
    shared = [len(asked & stems(quote.text)) for quote in found]
    most = max(shared, default=0)
    if not most and not of_assistant:
        return []
    return [quote for quote, count in zip(found, shared, strict=True) if count == most][-MOST_QUOTES:]


def _quote_line(quote: QuotedLine) -> str:
    """Return the words of an excerpt after who said them on which day, with a note where they no longer hold."""
    who = "I" if quote.by_assistant else "you"
    line = f"On {format_date(quote.day)} {who} said: “{quote.text.replace('[= ', '[')}”"
    no_longer, _, now = quote.note.partition("; now: ")
    note = f"{no_longer}; now: {second_person(now).rstrip('.')}" if now else _note(quote.note) or quote.note
    return f"{line} ({note})" if note else line


def _second_person_line(memory: BlockLine) -> str:
    """Return a memory in the second person, with its notes on when it began and whether it still holds."""
    text = second_person(memory.text).rstrip(".")
    given = [note for note in memory.notes.split(", ") if not (note.startswith("since ") and _DATED.search(text))]
    notes = [words for note in given if (words := _note(note))]
    return f"{text} ({', '.join(notes)})." if notes else f"{text}."


_DATED = re.compile(r"\b(?:19|20)\d\d\b")
"""A sentence with a year needs no note of its beginning."""


def _note(note: str) -> str:
    kind, _, day = note.partition(" ")
    if note == "possibly outdated":
        return note
    try:
        when = format_date(date.fromisoformat(day))
    except ValueError:
        return ""
    return {"since": f"since {when}", "until": f"until {when}", "ended": f"no longer, since {when}"}.get(kind, "")
