"""The compact form: the request to a small model, and the rules that make facts with quotes of its plain sentences.

A model of one or two billion parameters copies a JSON form instead of filling it, and takes 40 s for it. It writes a
few sentences well, in a tenth of the time.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from memchat.core.protocols import ModelRequest, PromptMessage
from memchat.core.types import Role
from memchat.learning.attribution import is_misattributed, owns_unsaid, points_to_a_place
from memchat.learning.clauses import (
    is_fiction,
    is_foreign,
    is_passing,
    is_question,
    is_wish,
    speaks_of_oneself,
    split_clauses,
    telling_clauses,
)
from memchat.learning.extraction import Exchange, Extraction, Fact
from memchat.learning.support import SupportCheck, mentions, reads_as_wish, units
from memchat.recall.default_cues import default_cues
from memchat.text.normalize import ABOUT_THE_PERSON, is_unspaced, normalize, sentences, words
from memchat.text.word_classes import DENIAL, denies

MAX_ANSWER_TOKENS = 200
SHORT_MESSAGE = 240
"""A message up to this length, in characters, is shown unchanged."""
LONGEST_PIECE = 200
MAX_PIECES = 6
LEAST_UNITS = 2
"""A part of a sentence with fewer words that say something does not stand alone."""
MANY_UNITS = 3
"""A line about somebody else that says this much, out of a sentence about the user's own life, stands alone."""
LONGEST_SUBJECT = 3
"""So many words at the beginning of a line may name something known: "The new kettle works"."""
SHARE = 0.65
"""Minimum share of a small model's sentence that must be the user's own words, since it was asked for these."""

INSTRUCTIONS = Path(__file__).with_name("compact_prompt.txt").read_text(encoding="utf-8").strip()
EXAMPLES = (
    (
        "Hi! I'm a nurse and I have two cats, Pip and Bo. What could I cook tonight?",
        "User is a nurse.\nUser has two cats, Pip and Bo.",
    ),
    ("great, thanks! how far is the moon?", "none"),
    ("I just started at Bosch.", "User just started at Bosch."),
    ("Ticket #77 got closed. I'm on the bus.", "User's ticket #77 got closed."),
    ("write a poem about snow", "none"),
    ("always use metric units, ok?", "User wants metric units always."),
    ("Meine Schwester Eva ist jetzt Ärztin", "Die Schwester des Nutzers, Eva, ist jetzt Ärztin."),
)
"""A model may repeat them, but the message does not support that, so it is never kept."""

_PRONOUN = re.compile(r"(?:she|he|they|i|we) (?P<verb>\w+(?:['’]t)?)", re.IGNORECASE)
_SINGULAR = {
    "are": "is",
    "am": "is",
    "have": "has",
    "were": "was",
    "do": "does",
    "don't": "doesn't",
    "haven't": "hasn't",
}
_REGULAR = """
    need prefer want like live work love hate use own play eat drink plan pay run sell keep grow rent drive speak cook
    make take write read build learn
"""
_SINGULAR |= {verb: f"{verb}s" for verb in _REGULAR.split()}
_EPISODE = re.compile(
    r"(?:the )?user (?!moved|started|married|adopted|changed|switched|joined|retired|graduated|worked|lived"
    r"|studied|ordered|booked)"
    r"(?:\w+ed|got|stood|went|saw|took|did|felt|found|heard|lost|sat|ran|ate|drank|slept|woke|came|told|said"
    r"|thought|forgot)\b"
    r"(?!.*\d)",
    re.IGNORECASE,
)
"""Mere events. A long story is full of them, and a small model notes them all."""
_SECRET = re.compile(
    r"\[redacted|^(?:the )?user['’]s (?:\w+ ){0,2}"
    r"(?:password|passphrase|pin|pass ?code|recovery phrase|api key|token)\b",
    re.IGNORECASE,
)
_CASE = re.compile(
    r"#\d|\b(?:order|ticket|case|invoice|claim|parcel|tracking|reference|account|booking)\b.*\d{3}"
    r"|\b[A-Z]{1,3}-\d{3,}",
    re.IGNORECASE,
)
_REPORTED = re.compile(
    r"^(?:the )?user (?:remembers|says|said|mentions|mentioned|states|stated|knows|notes|noted) that (?=(?:the )?user)",
    re.IGNORECASE,
)
_DECIDES = re.compile(r"(?:the )?user (?:wants|needs|plans|would like|is going|prefers|will)\b", re.IGNORECASE)
"""Sentences that a small model makes of a word like "spreadsheet then"."""
_DOING = re.compile(r"[A-Z][a-z]{2,}ing (?!is\b|was\b|are\b)")
_POINTS_AWAY = re.compile(
    r"^\W*(?:\S+ ){1,4}(?:one|it|them|this|that|there|so|too|eine?[rns]?|keine?[rns]?|es|das"
    r"|una|uno|eso|lo|ça|cela|uma|um|isso|também|también|aussi|auch)\W*$",
    re.IGNORECASE,
)
"""A sentence like "Kiran wants one", which says nothing by itself."""
_THING = re.compile(r"(?:the|his|her|their|this) (?P<thing>[\w-]+)", re.IGNORECASE)
_OF_LANGUAGE = {
    "el nutzer": "El usuario",
    "la nutzer": "La usuaria",
    "le nutzer": "L’utilisateur",
    "il nutzer": "L’utente",
    "o nutzer": "O usuário",
}
_SUBJECT = re.compile(rf"^(?:{'|'.join(_OF_LANGUAGE)})\b", re.IGNORECASE)
"""A subject that a small model takes from the German example."""
_LEFT = (
    r"stop\w*|quit|gave up|given up|\w*free|without|lack\w*|avoid\w*|dislik\w*|hat(?:e|es|ed)|unable|former|ended|over"
    r"|refus\w*|un\w+|ex-?\w*"
)
_LEAVES = re.compile(rf"\b(?:{_LEFT})\b", re.IGNORECASE)
"""Words that deny without a "not"."""
_LACKS = re.compile(rf"\b(?:{_LEFT}|vegan|vegetarian|\w*intoleran\w*|allerg\w*)\b", re.IGNORECASE)
"""The same, and what a person who is so does not eat."""
_BARE = frozenset("stop stopped start started begin began finish finished back ready fine".split())
"""Verbs that say nothing without an object."""
_YEAR = re.compile(r"(?<=\w)(?:,| de| del)? ((?:19|20)\d\d)\b")
_NAMED_FIRST = re.compile(r"(?!The |A |An |His |Her |Their )[A-ZÀ-Þ][\w-]+(?= \w+s\b)")
_BULLET = re.compile(r"^\s*(?:[-*•]|\d{1,2}[.):])\s+")


def requests(exchange: Exchange, pieces: Sequence[str] | None = None) -> Iterator[ModelRequest]:
    """Yield the requests that learn from `exchange`: one for every few sentences that state something.

    Where `pieces` are given, these are asked about. They set no schema, since a small model writes lines best. Of a
    long message it would note nothing.
    """
    system = INSTRUCTIONS
    if exchange.instructions:
        system += f"\nKeep to this above all: {exchange.instructions.strip()}"
    shown = [PromptMessage(Role.SYSTEM, system)]
    for said, noted in EXAMPLES:
        shown += [PromptMessage(Role.USER, said), PromptMessage(Role.ASSISTANT, noted)]
    for piece in pieces if pieces is not None else _pieces(exchange):
        messages = [*shown, PromptMessage(Role.USER, piece)]
        yield ModelRequest(messages, temperature=0.0, max_tokens=MAX_ANSWER_TOKENS)


def passed_over(exchange: Exchange, found: Extraction) -> list[str]:
    """Return the sentences of a short message, about the user, in which nothing was found."""
    if len(exchange.user) > SHORT_MESSAGE or plays_a_part(exchange):
        return []
    quotes = [fact.quote for fact in found.facts]
    quotes += [one.quote for one in (*found.confirmed, *found.ended, *found.forget)]
    told = telling_clauses(exchange.user)
    left = [one for one in told if not any(quote in one or one in quote for quote in quotes)]
    return [one for one in left if units(one) and (speaks_of_oneself(one) or is_foreign(one)) and not is_passing(one)]


def in_own_words(clauses: Sequence[str], exchange: Exchange) -> list[Fact]:
    """Return `clauses` as facts in the user's words, if they are in another language or can be said of "User"."""
    context = _Told(exchange)
    texts = [(context.about_the_person(clause, clause), clause) for clause in clauses]
    return [_fact(text, clause) for text, clause in texts if text and not _SECRET.search(text)]


def _pieces(exchange: Exchange) -> list[str]:
    """Return the message if it is short and states only facts, else its stating parts in groups.

    A small model would answer a question that it is shown.
    """
    message = exchange.user
    telling = [] if plays_a_part(exchange) else list(telling_clauses(message))
    if len(message) <= SHORT_MESSAGE:
        whole = telling == sentences(message)
        return [message if whole else "\n".join(telling)] if telling and is_worth_asking(message) else []
    groups: list[str] = []
    for clause in telling:
        if groups and len(groups[-1]) + len(clause) < LONGEST_PIECE:
            groups[-1] += f"\n{clause}"
        else:
            groups.append(clause[:LONGEST_PIECE])
    return groups[:MAX_PIECES]


def is_worth_asking(message: str) -> bool:
    """Return whether `message` holds more than questions, tasks and thanks."""
    return any(units(clause) or is_wish(clause) for clause in telling_clauses(message))


def read(answer: str, exchange: Exchange) -> Extraction:
    """Return the lines of a model that are lasting facts in the user's own words, each with its supporting quote."""
    support, context = SupportCheck(exchange), _Told(exchange)
    said = [] if plays_a_part(exchange) else list(telling_clauses(exchange.user))
    facts: dict[str, Fact] = {}
    for written in _lines(answer):
        line = _YEAR.sub(lambda year: year[0] if year[1] in exchange.user else "", written)
        quote = _bearing(line, said, exchange.user)
        strays = not support.bears_words(line, SHARE, nouns_too=True)
        if foreign := _own_words(line, said if quote is None else [quote], strays=strays):
            for part, clause in foreign:
                facts.setdefault(normalize(part), _fact(part, clause))
            continue
        if quote is None or _SECRET.search(line) or not units(line) - _BARE:
            continue
        if is_passing(line) or strays or _contradicts(line, quote):
            continue
        text = context.about_the_person(line, quote)
        if text is None or (len(exchange.user) > SHORT_MESSAGE and _EPISODE.match(text)):
            continue
        facts.setdefault(normalize(text), _fact(text, quote))
    # A wish is kept in the person's own words where the model took it for a task.
    unnoted = set(filter(is_wish, said)) - {fact.quote for fact in facts.values() if fact.standing}
    wishes = [Fact(wish, wish, category="preference", standing=True) for wish in said if wish in unnoted]
    return Extraction((*facts.values(), *wishes))


def plays_a_part(exchange: Exchange) -> bool:
    """Return whether the message is a part of a game, or a dream."""
    return is_fiction(exchange.user, [text for role, text in exchange.earlier if role is Role.USER])


def _own_words(line: str, said: Sequence[str], *, strays: bool) -> list[tuple[str, str]]:
    """Return the clauses of the user's sentence, where the model says it in another language or `strays` from it.

    Each says something by itself, and comes with the sentence.
    """
    if not ABOUT_THE_PERSON.search(line) or not line.strip():
        return []
    foreign = [one for one in said if is_foreign(one) and len(one) <= SHORT_MESSAGE]
    if is_foreign(line):
        # Whether it is another foreign language, the scripts and the shared words tell.
        written, spaced = units(line), not any(map(is_unspaced, line))
        foreign = [
            one
            for one in foreign
            if (spaced and any(map(is_unspaced, one)))
            or written.isdisjoint(units(one))
            or (strays and any(map(mentions(one), written)))
        ]
    sentence = foreign[0] if foreign else ""
    parts: list[str] = []
    at = 0
    for part in split_clauses(sentence):
        at = sentence.index(part, at) + len(part)
        # A name or two stay with what they belong to.
        if parts and (len(units(part)) < LEAST_UNITS or len(words(part)) < LEAST_UNITS):
            parts[-1] = sentence[sentence.index(parts[-1]) : at]
        else:
            parts.append(part)
    whole = (re.sub(r"^(?:und|y|e|et|and|aber|pero|mais)\s+", "", part.strip()) for part in parts)
    return [
        (part, sentence) for part in whole if units(part) and not is_passing(part) and not _POINTS_AWAY.search(part)
    ]


def _contradicts(line: str, quote: str) -> bool:
    """Return whether one of `line` and `quote` denies what the other affirms."""
    if denies(line):
        return not (denies(quote) or _LEAVES.search(quote))
    if _LACKS.search(line):
        return False
    affirmed = units(line)
    for negation in DENIAL.finditer(quote):
        # A "not" denies the next informative words of its clause.
        rest = quote[negation.end() :]
        clause = split_clauses(rest)[0] if rest.strip() else ""
        denied = [word for word in words(clause)[:6] if word in units(clause)][:2]
        if not affirmed.isdisjoint(denied):
            return True
    return False


class _Told:
    """What the user has said so far; decides whether a model's line is about the user or something of theirs."""

    def __init__(self, exchange: Exchange) -> None:
        own = [text for role, text in exchange.earlier if role is Role.USER]
        self._known = [memory.text for memory in exchange.known]
        self._names = {
            name.lower()
            for text in (*self._known, *own, exchange.user)
            for name in re.findall(r"(?<=[\w,] )[A-Z]\w+", text)
        }
        self._known_names = {name for text in self._known for name in re.findall(r"(?<=[\w,] )[A-ZÀ-Þ]\w+", text)}
        self._mentions = mentions("\n".join(self._known))

    def about_the_person(self, line: str, quote: str) -> str | None:
        """Return `line` as a sentence about the user; None if it is not about them or anything of theirs."""
        if _POINTS_AWAY.search(line) or points_to_a_place(line):
            return None
        line = _SUBJECT.sub(lambda found: _OF_LANGUAGE[found[0].lower()], line)
        line = _REPORTED.sub("", line)
        line = re.sub(r"^(?i:(i|we)['’]ve(?: got)?)\b", r"\1 have", line)
        line = re.sub(r"^(?i:(i|we)['’](?:m|re))\b", r"\1 are", line)
        line = re.sub(r"^(?i:im)\b", "I are", line)
        line = re.sub(r"^(?i:my|our) (?=\w)", "User's ", line)
        if ABOUT_THE_PERSON.search(line):
            of_oneself = is_foreign(quote) or speaks_of_oneself(quote)
            unsaid = not of_oneself and (_DECIDES.match(line) or owns_unsaid(line, quote, self._mentions))
            return None if unsaid or is_misattributed(line, quote) else line
        if _DOING.match(line) and normalize(line.split(" ", 1)[0]) in words(quote):
            return f"User is {line[0].lower()}{line[1:]}"
        if is_foreign(quote) and speaks_of_oneself(quote):
            return quote
        if speaks_of_oneself(quote) and (pronoun := _PRONOUN.match(line)):
            return f"User {_SINGULAR.get(pronoun['verb'].lower(), pronoun['verb'])}{line[pronoun.end() :]}"
        return self._about_theirs(line, quote)

    def _about_theirs(self, line: str, quote: str) -> str | None:
        """Return a line about something that the user called theirs, now or before, or about a case with a number."""
        if is_misattributed(line, quote):
            return None
        subject = _THING.match(line)
        thing = subject["thing"] if subject else re.sub(r"['’]s$", "", line.split(" ", 1)[0])
        owned = re.search(rf"\b(?:my|our) (?:\w+ )?{re.escape(thing)}\b", quote, re.IGNORECASE)
        if owned and speaks_of_oneself(quote):
            rest = line[subject.end() :] if subject else line[len(thing) :]
            return f"User's {owned[0].split(' ', 1)[1]}{rest}"
        if any(name in self._known_names for name in re.findall(r"[A-ZÀ-Þ]\w+", line)):
            return line
        if speaks_of_oneself(quote) and not speaks_of_oneself(line) and len(units(line)) >= MANY_UNITS:
            return line
        if subject is None and not (thing[0].isupper() and thing.lower() in self._names):
            return line if _CASE.search(line) else None
        named = " ".join(line.split()[:LONGEST_SUBJECT])
        known = any(map(self._mentions, units(named)))
        return line if known or _CASE.search(line) else None


def _lines(answer: str) -> Iterator[str]:
    """Yield the sentences of an answer; "His mother" after one about Sanjay is Sanjay's."""
    name = ""
    for row in answer.splitlines():
        for sentence in sentences(_BULLET.sub("", row).strip(' *`"')):
            if normalize(sentence) in {"", "none", "no facts", "nothing"} or is_question(sentence):
                continue
            line = " ".join(sentence.split())
            yield re.sub(r"^(?:His|Her|Their) ", f"{name}’s ", line) if name else line
            named = _NAMED_FIRST.match(line)
            name = named[0] if named and not ABOUT_THE_PERSON.match(line) else ""


def _bearing(line: str, said: list[str], message: str) -> str | None:
    """Return the part of the message that supports `line`: its best sentence, or a run of sentences."""
    wanted = units(line) or set(normalize(line).split())
    held = [{unit for unit in wanted if says(unit)} for says in map(mentions, said)]
    best = max(range(len(said)), key=lambda at: len(held[at]), default=None)
    if best is None or not held[best]:
        return None
    if 2 * len(held[best]) >= len(wanted):
        return said[best]
    stating = [clause for clause, units_of in zip(said, held, strict=True) if units_of]
    start, end = message.find(stating[0]), message.find(stating[-1]) + len(stating[-1])
    together = set().union(*held)
    return message[start:end] if len(together) >= SHARE * len(wanted) and 0 <= start < end else None


def _fact(line: str, quote: str, category: str = "other") -> Fact:
    return Fact(
        line,
        quote,
        category=category,
        cues=default_cues(category, line),
        standing=is_wish(quote) and reads_as_wish(Fact(line, line), line),
    )
