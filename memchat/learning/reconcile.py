"""From what a model read in an exchange to what becomes of the memories: the evidence gate, then the decisions."""

import re
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from memchat.core.types import (
    Add,
    Confirm,
    Decision,
    Draft,
    End,
    Evidence,
    Forget,
    MarkOutdated,
    Memory,
    Metadata,
    Owner,
    Role,
    Scope,
    Source,
)
from memchat.learning.extraction import Exchange, Extraction, Fact, MemoryReference
from memchat.text.normalize import STOP_WORDS, is_unspaced, words

_ERASE = (
    r"forg[eo]t|delet|remov|eras|drop that|scrub|wipe|vergiss|vergess|lösch|streich|olvid|borr[ae]|elimin|oubli|efface"
    r"|supprim|dimentic|cancell|esque[cç]|apag"
)
_ASKS_TO_FORGET = re.compile(rf"{_ERASE}|忘れ|削除|消し|消去|忘记|忘掉|删除", re.IGNORECASE)
_ASKS_NO_FORGETTING = re.compile(
    # "don't ever forget", "I always forget", "vergiss nicht", "no te olvides", "n'oublie pas", "忘れないで", "别忘了"
    rf"(?:n['’]t|\b(?:dont|not|never|without|i|nicht)) (?:\w+ )?(?:{_ERASE})\w*|\bvergiss (?:\w+ ){{0,3}}nicht"
    r"|\b(?:no|non|não) (?:\w+ )?(?:olvid|borr|elimin|dimentic|cancell|esque|apag)\w*|\bn['’](?:oubli|effac)\w*"
    r"|(?:忘れ|削除し|消さ)な|忘れず|(?:别|不要|不)(?:忘|删除)",
    re.IGNORECASE,
)
_LONG_NUMBER = re.compile(r"\d[\d.,-]*\d\d|\d{3,}")
_YEAR, _MONTH, _DAY = r"(?:19|20)\d\d", r"(?:0?[1-9]|1[0-2])", r"(?:0?[1-9]|[12]\d|3[01])"
_TIME = re.compile(r"(?:[01]?\d|2[0-4])\.[0-5]\d")
_DATE = re.compile(rf"{_YEAR}(?:-{_YEAR})?|{_YEAR}([-.]){_MONTH}(?:\1{_DAY})?|{_DAY}([-.]){_DAY}\2{_YEAR}")
_COUNTS = {
    word: number
    for numbers, spelled in (
        (range(1, 13), "one two three four five six seven eight nine ten eleven twelve"),
        (range(1, 13), "ein zwei drei vier fünf sechs sieben acht neun zehn elf zwölf"),
        (range(1, 13), "un dos tres cuatro cinco seis siete ocho nueve diez once doce"),
        (range(2, 13), "deux trois quatre cinq six sept huit neuf dix onze douze"),
        (range(2, 13), "due tre quattro cinque sei sette otto nove dieci undici dodici"),
        (range(2, 13), "dois três quatro cinco seis sete oito nove dez onze doze"),
        (range(1, 11), "一 二 三 四 五 六 七 八 九 十"),
        (range(10, 100, 10), "decade twenty thirty forty fifty sixty seventy eighty ninety"),
        (range(10, 100, 10), "jahrzehnt zwanzig dreißig vierzig fünfzig sechzig siebzig achtzig neunzig"),
        (range(10, 100, 10), "década veinte treinta cuarenta cincuenta sesenta setenta ochenta noventa"),
    )
    for number, word in zip(numbers, spelled.split(), strict=True)
}
_COUNT = re.compile(rf"(?<!\d)\d{{1,3}}(?!\d)|\b(?:{'|'.join(_COUNTS)})(?=\b|s\b|er\b|jähr)|[一二三四五六七八九十]")
"""Of lower-case text: ignoring case, 'İ' and 'ſ' would pass for letters that `_COUNTS` does not have."""
_SHORT_YEAR = re.compile(r"(?:['’]|\d[./-])(\d\d)(?!\d)")
_ROUND = re.compile(r"\d{1,3}0+")
_MAGNITUDE = re.compile(
    r"hundred|thousand|million|\d ?[km]\b|hundert|tausend|\bmio\b|\bcien|\bmil\b|\bmille\b|\bcents?\b|[百千万萬億]",
    re.IGNORECASE,
)
_BETWEEN_DIGITS = r"(?:[\s.,'’/-]|\) ?|-?\()?"
_ABOUT_THE_PERSON = re.compile(
    r"(?:the )?user(?:['’]s)?\b|(?:der|die) nutzer|(?:el|la) usuari|l['’]utilisat|ユーザー|用户", re.IGNORECASE
)
_SAYS_NOTHING = STOP_WORDS | {"am", "im", "m", "ich", "bin"}
_STYLES = "\ufe0e\ufe0f"
_SAME = {
    **dict.fromkeys("“”„‟«»″", '"'),
    **dict.fromkeys("‘’‚‛‹›`´ʼ′", "'"),
    **dict.fromkeys("‐‑‒–—―−", "-"),
}


@dataclass(frozen=True, slots=True)
class LearningSource:
    """Who is learned about, and from what: the same for every fact of one exchange."""

    owner: Owner
    session_id: str
    message_id: str
    model: str
    agent: str | None = None
    metadata: Metadata = field(default_factory=dict)
    learns_agent: bool = False
    scope: Scope | None = None
    """The scope of every fact, where that is not for the model to say."""
    expires_at: datetime | None = None


def find_quote(quote: str, said: str) -> str | None:
    """The run of `said` that `quote` copies, white space, case and typographic marks aside; None if there is none.

    It begins and ends where a word does, in scripts that part words, and holds more than punctuation.
    """
    return _Message(said).quoted(quote)


class _Message:
    """What was said, made ready once for every quote that is looked for in it."""

    def __init__(self, said: str) -> None:
        self._said = said
        self._plain, self._places = _plain(said)

    def quoted(self, quote: str) -> str | None:
        """See `find_quote`."""
        wanted = _plain(quote)[0].strip(" \"'.,;:!?。、")
        if not any(unicodedata.category(character)[0] in "LNS" for character in wanted):
            return None
        at = self._plain.find(wanted)
        while at >= 0 and not (self._parts(at) and self._parts(at + len(wanted))):
            at = self._plain.find(wanted, at + 1)
        if at < 0:
            return None
        after = at + len(wanted)
        end = self._places[after] if after < len(self._places) else len(self._said)
        return self._said[self._places[at] : end].rstrip()

    def _parts(self, at: int) -> bool:
        """Whether it may be cut where the plain character `at` begins: not within a word, where words are parted."""
        places = self._places
        if at == 0 or at == len(places):
            return True
        before, after = self._said[places[at - 1]], self._said[places[at]]
        if places[at - 1] == places[at] or unicodedata.combining(after):
            return False
        return not (before.isalnum() and after.isalnum()) or is_unspaced(before) or is_unspaced(after)


def _plain(text: str) -> tuple[str, list[int]]:
    """`text` for comparing, and for each of its characters the place in `text` it came from."""
    plain: list[str] = []
    places: list[int] = []
    for place, character in enumerate(text):
        if character.isspace():
            if plain and plain[-1] != " ":
                plain.append(" ")
                places.append(place)
            continue
        if unicodedata.category(character) == "Cf" or character in _STYLES:
            continue
        # Taken apart, composed and combining spellings of a letter are the same.
        apart = unicodedata.normalize("NFKD", _SAME.get(character, character)).casefold()
        for folded in unicodedata.normalize("NFKD", apart):
            plain.append(_SAME.get(folded, folded))
            places.append(place)
    return "".join(plain), places


def decide(extraction: Extraction, exchange: Exchange, learning: LearningSource) -> list[Decision]:
    """What `extraction` comes to: what was not said in this exchange is dropped, numbers not given are ignored.

    An agent's memories may be replaced by what it learns; nobody who talks to it can end them or have them forgotten.
    """
    known = dict(enumerate(exchange.known, 1))
    own = {number: memory for number, memory in known.items() if memory.owner == learning.owner}
    message, numbers = _Message(exchange.user), _NumberCheck(exchange)
    forgotten, over = _asked_to_forget(extraction, exchange, own, message)
    decisions: list[Decision] = []
    for fact in extraction.facts:
        quote = message.quoted(fact.quote)
        if quote is not None and _is_informative(quote, exchange.user) and numbers.supports(fact):
            replaced = [known[n] for n in fact.replaces if n in known and known[n].id not in forgotten]
            decisions.append(_add(fact, quote, replaced, exchange, learning))
    touched = {m for d in decisions if isinstance(d, Add) for m in d.replaces}
    decisions += [Forget(memory_id, "asked to forget") for memory_id in forgotten]
    ended = [m for m in (*over, *extraction.ended) if message.quoted(m.quote) is not None]
    # What is outdated can only be so where something else has changed.
    outdated = extraction.outdated if decisions or ended else ()
    rest = replace(extraction, ended=tuple(ended), outdated=outdated)
    return decisions + _other_decisions(rest, exchange, own, touched.union(forgotten))


def _is_informative(quote: str, said: str) -> bool:
    """Whether `quote` is more than words like "I am", or all that was said."""
    return any(word not in _SAYS_NOTHING for word in words(quote)) or words(quote) in ([], words(said))


class _NumberCheck:
    """The numbers that an exchange says, and those to which it leads."""

    def __init__(self, exchange: Exchange) -> None:
        known = [f"{memory.text} ({memory.valid_from}, {memory.valid_to})" for memory in exchange.known]
        self._said = _with_plain_digits("\n".join((exchange.user, *(text for _, text in exchange.earlier), *known)))
        own = (text for role, text in exchange.earlier if role is Role.USER)
        dated = _with_plain_digits("\n".join((exchange.user, *own, *known)))
        self._years = {*map(int, re.findall(rf"(?<!\d){_YEAR}(?!\d)", dated)), *_derivable_years(exchange)}
        self._in_words = _MAGNITUDE.search(self._said) is not None

    def supports(self, fact: Fact) -> bool:
        """Whether the long numbers in a fact were said, so that no order or phone number is made up or misheard.

        The number of a case may come from the assistant ("that ticket"), a year may not. Times and dates may have been
        reckoned, but for a year to which nothing leads; round numbers written out.
        """
        found = _LONG_NUMBER.findall(_with_plain_digits(fact.text))
        return all(self._has(number) or self._have(re.split(r"\D+", number)) for number in found)

    def _has(self, number: str) -> bool:
        digits = re.sub(r"\D", "", number)
        if _TIME.fullmatch(number) or (self._in_words and _ROUND.fullmatch(digits)):
            return True
        if _DATE.fullmatch(number):
            return self._years.issuperset(map(int, re.findall(_YEAR, number)))
        return re.search(rf"(?<!\d)(?<!\d[.,]){_BETWEEN_DIGITS.join(digits)}(?![.,]?\d)", self._said) is not None

    def _have(self, numbers: Sequence[str]) -> bool:
        return len(numbers) > 1 and all(len(number) > 2 and self._has(number) for number in numbers)


def _derivable_years(exchange: Exchange) -> set[int]:
    """The years that a message may mean without saying them: those about its own, and so many away from it.

    A count may be of years, an age, or of months; "'98", "12.5.24" and "the 90s" name a year or a decade.
    """
    said, now = _with_plain_digits(exchange.user), exchange.today.year
    found = {_COUNTS.get(count) or int(count) for count in _COUNT.findall(said.lower())}
    found |= {tens + ones for tens in found if tens % 10 == 0 for ones in found if ones < 10}
    years = {now - 1, now, now + 1}
    for count in found:
        years |= {now - count - 1, now - count, now + count, now - -(-count // 12), now + -(-count // 12)}
        years.update(range(1900 + count, 1910 + count) if count % 10 == 0 and 30 <= count < 100 else ())
    return years | {century + int(year) for year in _SHORT_YEAR.findall(said) for century in (1900, 2000)}


def _with_plain_digits(text: str) -> str:
    return "".join(str(unicodedata.decimal(c)) if c.isdecimal() else c for c in text)


def _add(fact: Fact, quote: str, replaced: Sequence[Memory], exchange: Exchange, learning: LearningSource) -> Add:
    scope = _scope(fact, replaced, learning)
    owner = Owner.agent(learning.agent) if scope is Scope.AGENT and learning.agent else learning.owner
    draft = Draft(
        fact.text,
        owner,
        scope=scope,
        category=next((name for name in exchange.categories if name.lower() == fact.category.lower()), "other"),
        session_id=learning.session_id if scope is Scope.SESSION else None,
        agent=learning.agent,
        metadata=learning.metadata,
        valid_from=fact.valid_from,
        valid_to=fact.valid_to,
        expires_at=learning.expires_at,
        cues=fact.cues,
        standing=fact.standing,
        source=Source.SAID,
        evidence=Evidence(learning.message_id, learning.session_id, quote, learning.model),
    )
    same_reach = tuple(memory.id for memory in replaced if memory.owner == owner and memory.scope is scope)
    return Add(draft, same_reach, mistaken=fact.mistaken, reason="said in conversation")


def _scope(fact: Fact, replaced: Sequence[Memory], learning: LearningSource) -> Scope:
    """A fact reaches as far as what it replaces; agent memory needs the agent's leave, and is of no person."""
    if learning.scope is not None:
        return learning.scope
    if learning.owner.kind is not Scope.USER:
        return learning.owner.kind
    if fact.scope is Scope.AGENT and (
        not (learning.learns_agent and learning.agent) or _ABOUT_THE_PERSON.match(fact.text)
    ):
        return Scope.USER
    reaches = {memory.scope for memory in replaced} - {Scope.AGENT}
    if not reaches or fact.scope in reaches:
        return fact.scope
    return Scope.USER if Scope.USER in reaches else Scope.SESSION


def _asked_to_forget(
    extraction: Extraction, exchange: Exchange, known: Mapping[int, Memory], message: _Message
) -> tuple[list[str], list[MemoryReference]]:
    """The ids of what the person asked to forget, and the mentions that only say that something is over.

    "Don't forget that I…" is neither.
    """
    mentioned = [m for m in extraction.forget if m.number in known and message.quoted(m.quote)]
    if _ASKS_TO_FORGET.search(_ASKS_NO_FORGETTING.sub("", exchange.user)):
        return list(dict.fromkeys(known[mention.number].id for mention in mentioned)), []
    return [], [] if _ASKS_NO_FORGETTING.search(exchange.user) else mentioned


def _other_decisions(
    extraction: Extraction, exchange: Exchange, known: Mapping[int, Memory], settled: Collection[str]
) -> list[Decision]:
    """What becomes of the known memories that are neither replaced nor forgotten, each decided on once."""
    decisions: list[Decision] = []
    touched = set(settled)

    def fates_of(numbers: Sequence[int]) -> list[Memory]:
        memories = [known[n] for n in dict.fromkeys(numbers) if n in known and known[n].id not in touched]
        touched.update(memory.id for memory in memories)
        return memories

    for mention in extraction.ended:
        for memory in fates_of([mention.number]):
            decisions.append(End(memory.id, mention.valid_to or exchange.today, "said to be over"))
    decisions += [Confirm(memory.id, "said again") for memory in fates_of(extraction.confirmed)]
    decisions += [MarkOutdated(memory.id, "what it hung on has changed") for memory in fates_of(extraction.outdated)]
    return decisions
