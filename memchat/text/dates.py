"""Write out dates as people say them ('yesterday', 'next month', 'on 2 April'), from the day of the message."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache, lru_cache

MONTHS = "january february march april may june july august september october november december".split()
WEEKDAYS = "monday tuesday wednesday thursday friday saturday sunday".split()
_NUMBERS = "zero one two three four five six seven eight nine ten eleven twelve".split()
_NAMED = {"day before yesterday": -2, "yesterday": -1, "last night": -1, "day after tomorrow": 2, "tomorrow": 1}
_STEPS = {"last": -1, "past": -1, "this": 0, "next": 1, "coming": 1}
_SEASONS = {"winter": 12, "spring": 3, "summer": 6, "autumn": 9, "fall": 9}
"""The month in which each season begins."""
_BEGINNINGS = ("since", "from", "starting", "as of")
_AHEAD = ("to", "by", "until", "till", "before", "for", "from")

PAST_VERBS = frozenset(
    """was were had did got went came met quit sold bought took left began sent wrote moved made became broke gave lost
    found said saw ran flew drove grew kept knew paid put set spent started taught thought told won built chose cut hurt
    spoke stood swam wore woke rode fell felt held led learnt tore rang met became""".split()
) - {"put", "cut", "set", "hurt"}

_CASELESS_LOOKALIKES = frozenset("İıſ")
"""A pattern that ignores case takes them for an i and an s, which the tables here do not."""

_NO_PAST = r"(?:need|feed|speed|seed|weed|breed|bleed|indeed|bed|red|shed|wed|hundred|embed|exceed|proceed|succeed)"
_PAST = re.compile(rf"(?i)\b(?:{'|'.join(sorted(PAST_VERBS))}|(?<!getting )(?!{_NO_PAST}\b)\w+ed)\b")
_FUTURE = re.compile(r"(?i)\b(?:is|am|are|will|booked|planned|scheduled|signed up|registered|invited)\b|'(?:m|s|re)\b")


_WEEKLY = re.compile(r"(?i)\bday(?: off)? (?:is|was) $")
"""'Bin day is Thursday' names a day of every week."""


@dataclass(frozen=True, slots=True)
class Dated:
    """A text with its dates written out, and the first day they name; `begins` if something began then ('since')."""

    text: str
    day: date | None = None
    begins: bool = False


@dataclass(frozen=True, slots=True)
class _DateMatch:
    """One date in a sentence: its match, the day of the message, and whether the date is in the past."""

    match: re.Match[str]
    today: date
    past: bool


_Words = tuple[str, date]
"""A date in words and its first day."""
_Reading = Callable[[_DateMatch], _Words | None]


def resolve_dates(sentence: str, today: date) -> Dated:
    """Resolve the dates that `sentence` gives relative to `today`. Repeated days ('on Mondays') and bare years stay."""
    parts: list[str] = []
    day: date | None = None
    begins, at = False, 0
    while (found := _next(sentence, at, today)) is not None:
        match, (words, first) = found
        preposition, bare = match["prep"] or "", re.sub(r"^(?:on|in) ", "", words)
        replaced = not preposition or (preposition.lower() in ("on", "in", "at") and bare != words)
        parts += sentence[at : match.start()], words if replaced else f"{preposition} {bare}"
        begins = begins or preposition.lower() in _BEGINNINGS
        day, at = day or first, match.end()
    return Dated("".join([*parts, sentence[at:]]), day, begins)


def _next(sentence: str, at: int, today: date) -> tuple[re.Match[str], _Words] | None:
    """Find the first readable date from `at` on, the longest of those that begin at one place."""
    found = []
    for pattern, reading in _patterns():
        for match in pattern.finditer(sentence, at):
            if not _CASELESS_LOOKALIKES.isdisjoint(match[0]):
                continue
            # The last verb before the date tells whether it is past, or else the first one after it.
            verbs = [(verb.start(), tense is _PAST) for tense in (_PAST, _FUTURE) for verb in tense.finditer(sentence)]
            verbs.sort(key=lambda verb: verb[0])
            before = [verb for verb in verbs if verb[0] < match.start()]
            looks_back = any(is_past for _, is_past in before[-1:] or verbs[:1])
            past = looks_back and (match["prep"] or "").lower() not in _AHEAD
            if (words := reading(_DateMatch(match, today, past))) is not None:
                found.append((match, words))
                break
    return min(found, key=lambda pair: (pair[0].start(), -pair[0].end()), default=None)


@lru_cache(maxsize=4_096)
def format_date(day: date) -> str:
    """Return `day` as people write it: 8 May 2023."""
    return f"{day.day} {day:%B %Y}"


def _on(day: date) -> _Words:
    return f"on {format_date(day)}", day


def _month(year: int, month: int) -> _Words:
    first = date(year + (month - 1) // 12, (month - 1) % 12 + 1, 1)
    return f"in {first:%B %Y}", first


def _named_day(seen: _DateMatch) -> _Words:
    day = seen.today + timedelta(days=_NAMED.get((seen.match["name"] or "").lower(), 0))
    return _part_of(day, seen.match["part"] or seen.match["this"])


def _read_count(seen: _DateMatch) -> _Words | None:
    ago = seen.match["ago"] is not None
    if not ago and (seen.past or (seen.match["prep"] or "").lower() != "in"):
        return None
    said, unit = seen.match["count"].lower(), seen.match["unit"].lower()
    count = int(said) if said.isdecimal() else 1 if said in ("a", "an") else _NUMBERS.index(said)
    return _step(seen.today, -count if ago else count, unit)


def _period(seen: _DateMatch) -> _Words:
    step, unit = _STEPS[seen.match["which"].lower()], seen.match["unit"].lower()
    if unit not in _SEASONS:
        return _step(seen.today, step, unit)
    begun = _SEASONS[unit] <= seen.today.month
    year = seen.today.year + (step if begun == (step > 0) else 0)
    return f"in {unit} {year}", date(year, _SEASONS[unit], 1)


def _step(today: date, count: int, unit: str) -> _Words:
    if unit == "day":
        return _on(today + timedelta(days=count))
    if unit == "week":
        monday = today + timedelta(weeks=count) - timedelta(days=today.weekday())
        return f"in the week of {format_date(monday)}", monday
    if unit == "weekend":
        saturday = today + timedelta(days=5 - today.weekday(), weeks=count)
        return f"on the weekend of {format_date(saturday)}", saturday
    if unit == "month":
        return _month(today.year, today.month + count)
    return f"in {today.year + count}", date(today.year + count, 1, 1)


def _part_of(day: date, part: str | None) -> _Words:
    return (f"on the {part.lower()} of {format_date(day)}", day) if part else _on(day)


def _weekday(seen: _DateMatch) -> _Words | None:
    if _WEEKLY.search(seen.match.string[: seen.match.start()]):
        return None
    which = (seen.match["which"] or "").lower()
    ahead = (WEEKDAYS.index(seen.match["weekday"].lower()) - seen.today.weekday()) % 7
    if which in ("last", "past") or (not which and seen.past):
        return _part_of(seen.today - timedelta(days=(7 - ahead) % 7 or 7), seen.match["part"])
    if which == "next" and 0 < ahead < 7 - seen.today.weekday():
        ahead += 7
    return _part_of(seen.today + timedelta(days=ahead or 7), seen.match["part"])


def _number_of(month: str) -> int:
    return [name[:3] for name in MONTHS].index(month[:3].lower()) + 1


def _day_and_month(seen: _DateMatch) -> _Words | None:
    month, day, year = _number_of(seen.match["month"]), int(seen.match["day"]), seen.match["year"]
    try:
        found = date(int(year or seen.today.year), month, day)
        if not year and seen.past and found > seen.today:
            found = found.replace(year=found.year - 1)
        elif not year and not seen.past and found < seen.today:
            found = found.replace(year=found.year + 1)
    except ValueError:
        return None
    return _on(found)


def _day_of_month(seen: _DateMatch) -> _Words | None:
    try:
        found = seen.today.replace(day=int(seen.match["day"]))
        if seen.past and found > seen.today:
            found = (found.replace(day=1) - timedelta(days=1)).replace(day=found.day)
        elif not seen.past and found < seen.today:
            found = (found.replace(day=1) + timedelta(days=32)).replace(day=found.day)
    except ValueError:
        return None
    return _on(found)


def _month_alone(seen: _DateMatch) -> _Words | None:
    """Read a month only after a word that makes it one: June, April and May are also names and words."""
    prep, which = (seen.match["prep"] or "").lower(), (seen.match["which"] or "").lower()
    if not (
        prep in ("in", "by", "before", "until", "till", "since", "from", "starting") or which or seen.match["part"]
    ):
        return None
    month, now = _number_of(seen.match["month"]), seen.today.month
    past = seen.past or prep == "since" or which == "last"
    year = int(seen.match["year"] or seen.today.year - (past and month > now) + (not past and month < now))
    words, first = _month(year, month)
    return (f"{seen.match['part']}{first:%B %Y}", first) if seen.match["part"] else (words, first)


@cache
def _patterns() -> list[tuple[re.Pattern[str], _Reading]]:
    before = (
        r"(?<!every )(?<!each )(?<!week of )\b"
        r"(?:(?P<prep>on|in|to|by|before|until|till|since|from|starting|as of|for|at)\s+)?"
    )
    part = "morning|afternoon|evening|night"
    count = r"\d{1,3}|an?|" + "|".join(_NUMBERS[1:])
    month = "|".join(f"{name}|{name[:3]}" for name in MONTHS if name != "may") + "|may"
    day = r"(?P<day>[0-3]?\d)(?:st|nd|rd|th)?"
    year = r"(?:,? (?P<year>(?:19|20)\d\d))?"
    rows: list[tuple[str, _Reading]] = [
        (
            rf"(?:the )?(?P<name>{'|'.join(_NAMED)}|today)(?: (?P<part>{part}))?|this (?P<this>{part})|tonight",
            _named_day,
        ),
        (rf"(?P<count>{count}) (?P<unit>day|week|month|year)s?(?P<ago> ago)?(?:['’]? time)?", _read_count),
        (
            rf"(?:the )?(?P<which>last|past|this|next|coming) (?P<unit>weekend|week|month|year|{'|'.join(_SEASONS)})",
            _period,
        ),
        (
            rf"(?:(?:the |this )?(?P<which>{'|'.join(_STEPS)}) )?(?P<weekday>{'|'.join(WEEKDAYS)})"
            rf"(?! \w+s\b)(?: (?P<part>{part}))?",
            _weekday,
        ),
        (rf"(?:the )?{day}(?: of)? (?P<month>{month})\b{year}", _day_and_month),
        (rf"(?P<month>{month}) (?:the )?{day}(?![:.]\d){year}", _day_and_month),
        (r"the (?P<day>[0-3]?\d)(?:st|nd|rd|th)(?= of this month|\s*(?:[,.;!]|$|and |because |so ))", _day_of_month),
        (
            r"(?:(?P<part>(?:the )?(?:(?:end|beginning|start|middle) of |early |late |mid[ -]))"
            r"|(?P<which>last|next) )?"
            rf"(?P<month>{month}){year}(?! \d)",
            _month_alone,
        ),
    ]
    return [(re.compile(rf"(?i){before}(?:{pattern})\b"), reading) for pattern, reading in rows]
