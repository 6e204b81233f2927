"""Recognise periods that people name relative to the present day ("last week", "in May", "vor drei Tagen").

A request names the period in which its answer was said; a message names the days that it is about.
"""

import re
import unicodedata
from calendar import monthrange
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache, lru_cache

from memchat.recall.calendar_words import (
    AFTERWARDS,
    COMING,
    LAST,
    MONTH,
    MONTHS,
    NEXT,
    NUMBERS,
    SHORT_WEEKDAYS,
    UNIT_DAYS,
    UNITS,
    WEEK,
    WEEKDAYS,
    YEAR,
)
from memchat.text.dates import format_date
from memchat.text.normalize import without_accents


@dataclass(frozen=True, slots=True)
class Period:
    """From `since` to `until`, both inclusive; None is an open end."""

    since: date | None
    until: date | None
    about: bool = False
    """Whether a single day, month or year near its middle was named ("two months ago")."""

    def holds(self, day: date) -> bool:
        return (self.since is None or day >= self.since) and (self.until is None or day <= self.until)

    def overlaps(self, other: "Period") -> bool:
        return (self.since is None or other.until is None or other.until >= self.since) and (
            self.until is None or other.since is None or other.since <= self.until
        )


def period_of(text: str, today: date) -> Period | None:
    """Return the past period that `text` names as of `today`, or None.

    "before" and "until" open its beginning, "since" and "after" its end.
    """
    for pattern, reading in (*_dated(), *_rolling(), *_relative(), *_loose()):
        match = pattern.search(text)
        if match is None:
            continue
        period = reading(match, today)
        if period is None or (period.since is not None and period.since > today):
            continue
        said = match.groupdict().get("prep")
        word = re.search(r"(\w+)\s+(?:the\s+|der\s+|dem\s+)?$", (f"{said} " if said else text[: match.start()]).lower())
        if word and word[1] in {"before", "until", "till", "vor", "bis", "antes", "avant", "prima"}:
            return Period(None, period.since and period.since - timedelta(days=1))
        if word and word[1] in {"since", "seit", "desde", "depuis"}:
            return Period(period.since, None)
        if word and word[1] in {"after", "nach", "después", "après", "dopo"}:
            return Period(period.until and period.until + timedelta(days=1), None)
        return period
    return None


def with_days(text: str, said_on: date) -> str:
    """Insert after each relative period in `text` the days it meant: last week [= 1-7 May 2023]."""
    parts: list[str] = []
    at = 0
    for one in periods_in(text, said_on):
        end = one.end + 2 * text.startswith(("'s", "’s"), one.end)
        parts += text[at:end], f" [{'since ' if one.lasting else '= '}{format_period(one.period)}]"
        at = end
    return "".join([*parts, text[at:]])


@dataclass(frozen=True, slots=True)
class NamedPeriod:
    """The period named by a text from `start` to `end`; with `lasting`, the time when something lasting began."""

    start: int
    end: int
    period: Period
    lasting: bool


@lru_cache(maxsize=512)
def periods_in(text: str, said_on: date) -> tuple[NamedPeriod, ...]:
    """Return the periods that a message names relative to its day `said_on`, in order."""
    if not _MAYBE.search(without_accents(text.casefold())):
        return ()
    found = [
        NamedPeriod(match.start(), match.end(), period, lasting)
        for lasting, rows in ((False, (*_relative(), *_ahead())), (True, _lasting()))
        for pattern, reading in rows
        for match in pattern.finditer(text)
        if (period := reading(match, said_on))
    ]
    kept: list[NamedPeriod] = []
    for one in sorted(found, key=lambda one: (one.start - one.end, one.start)):
        if not any(other.start < one.end and one.start < other.end for other in kept):
            kept.append(one)  # Longest first: "the day before yesterday" contains "yesterday".
    return tuple(sorted(kept, key=lambda one: one.start))


def format_period(period: Period) -> str:
    """Format a period with two ends as people write it: 7 May 2023, 1-7 May 2023, May 2023, about 2021."""
    first, last = period.since, period.until
    assert first is not None
    assert last is not None
    if period.about:
        middle, days = first + (last - first) / 2, (last - first).days
        return f"about {format_date(middle)}" if days < 10 else f"about {middle:{'%B %Y' if days < 100 else '%Y'}}"
    if (first.month, first.day, last.month, last.day) == (1, 1, 12, 31) and first.year == last.year:
        return f"{first:%Y}"
    if first.day == 1 and last == _month_of(first, 0).until:
        return f"{first:%B %Y}"
    if first == last:
        return format_date(last)
    same_month = (first.month, first.year) == (last.month, last.year)
    return f"{first.day}-{format_date(last)}" if same_month else f"{format_date(first)} - {format_date(last)}"


_MAYBE = re.compile(
    r"yesterday|tomorrow|\bago\b|\bback\b|\bnow\b|\bbeen\b|last|past|previous|next|coming|this week|dieses|morgen"
    r"|gestern|vor |vorige|letzte|vergangen|kommend|nachste|seit|ayer|anoche|hace|pasad|manana|proxim|hier|il y a"
    r"|depuis|demain|dernier|passe|prochain|ieri|domani|scors|prossim|ontem|\bha |passad|amanha|gisteren|wczoraj"
    r"|[^\x00-\u036f\u1e00-\u20ff]"
)
"""One of these stands in every relative period once accents are gone. Few messages name one, and looking for them one
by one takes half a millisecond. The last one is any letter that is not Latin."""

_FRENCH = re.compile(
    r"\b(?:je|j['’]|tu|il|elle|on|nous|vous|ils|elles|ai|est|était|c['’]|qu['’]|que|avec|chez|soir|matin|le|les|une|pas"
    r"|et|mon|mes|à)\b",
    re.IGNORECASE,
)
"""Words of French, in which "hier" is yesterday; in German and Dutch it means here."""

_Reading = Callable[[re.Match[str], date], Period | None]
_Rows = list[tuple[re.Pattern[str], _Reading]]
_COUNT = r"(?P<{}>\d{{1,3}}|" + "|".join(sorted(NUMBERS, key=len, reverse=True)) + ")"
_UNIT = "|".join(f"(?P<{name}>{forms})" for name, forms in UNITS.items())


def _compile(rows: list[tuple[str, _Reading]]) -> _Rows:
    return [(re.compile(pattern, re.IGNORECASE), reading) for pattern, reading in rows]


@cache
def _dated() -> _Rows:
    """Build the patterns of days and months of the calendar."""
    months, year = "|".join(MONTHS), r"(?P<year>(?:19|20)\d\d)"
    prep = "in|during|last|this|since|before|until|after|early|late|im|en|letzten|seit|em|desde|depuis|vor"
    return _compile(
        [
            (
                rf"\b{year}-(?P<month>\d\d)-(?P<day>\d\d)\b",
                lambda m, t: _single(int(m["year"]), int(m["month"]), int(m["day"])),
            ),
            (rf"\b(?P<day>[0-3]?\d)(?:st|nd|rd|th|\.)?(?: of| de)? (?P<name>{months})\b(?:,? {year})?", _day),
            (rf"\b(?P<name>{months}) (?P<day>[0-3]?\d)(?:st|nd|rd|th)?\b(?:,? {year})?", _day),
            (rf"\b(?P<name>{months})(?: de)? {year}\b", _month),
            (rf"\b(?P<prep>{prep}) (?P<name>{months})\b", _month),
        ]
    )


@cache
def _rolling() -> _Rows:
    """Build the patterns of periods that end today ("the last three weeks")."""
    return _compile(
        [
            (
                rf"\bthe (?:last|past) (?:{_COUNT.format('count')} )?(?:{_UNIT})\b",
                lambda m, t: _days(t, _count(m["count"] or "a") * _unit_days(m), 0),
            )
        ]
    )


@cache
def _relative() -> _Rows:
    """Build the patterns of periods before the present day."""
    count, again = _COUNT.format("count"), _COUNT.format("count2")
    last = rf"(?<!the )(?:{LAST})"
    weekdays = "|".join(WEEKDAYS)
    return _compile(
        [
            (
                r"\b(?:day before yesterday|vorgestern|anteayer|avant-hier|l['’]altro ieri|anteontem|позавчера)\b"
                r"|前天|一昨日|おととい",
                lambda m, t: _days(t, 2, 2),
            ),
            (
                r"\b(?:yesterday|last night|gestern|ayer|anoche|(?P<hier>hier)|ieri|ontem|gisteren|wczoraj|вчера)\b"
                r"|昨[天日]|어제",
                lambda m, t: None if m["hier"] and not _FRENCH.search(m.string) else _days(t, 1, 1),
            ),
            (rf"\b(?:{count} (?:{_UNIT}) ago|(?:vor|hace|il y a|há) {again} (?:{_again(_UNIT)}))\b", _ago),
            (rf"\b{count} (?:{_UNIT}) back\b(?! (?:at|in|to|from|home|on|with)\b)", _ago),
            (
                rf"\b{last} (?:{WEEK})\b|\b(?:{WEEK}) (?:{AFTERWARDS})\b"
                r"|\bна прошлой неделе\b|上个?周|先週|지난\s?주",
                _last_week,
            ),
            (rf"\b(?:{LAST}) (?:weekend|wochenende)\b", lambda m, t: _weekend(t, -1)),
            (
                rf"\b{last} (?:{MONTH})\b|\b(?:{MONTH}) (?:{AFTERWARDS})\b"
                r"|\bв прошлом месяце\b|上个?月|先月|지난\s?달",
                lambda m, t: _month_of(t, -1),
            ),
            (
                rf"\b{last} (?:{YEAR})\b|\b(?:{YEAR}) (?:{AFTERWARDS})\b|\bв прошлом году\b|去年|작년",
                lambda m, t: _year_of(t.year - 1),
            ),
            (rf"\b(?:{LAST}) (?P<weekday>{weekdays}|{SHORT_WEEKDAYS})\b", _weekday),
            (rf"\b(?P<weekday>{weekdays}) (?:{AFTERWARDS})\b", _weekday),
        ]
    )


@cache
def _loose() -> _Rows:
    """Build the patterns of days and years in requests; in messages they could be in the future or say nothing new."""
    year = r"(?P<year>(?:19|20)\d\d)"
    return _compile(
        [
            (r"\b(?:today|this morning|heute|hoy|aujourd['’]hui|oggi|hoje)\b|今[天日]", lambda m, t: _days(t, 0, 0)),
            (
                rf"\b(?:this|diese[rn]?|esta|cette) (?:{WEEK})\b",
                lambda m, t: Period(t - timedelta(t.weekday()), t),
            ),
            (rf"\b(?:this|diesen|este|ce) (?:{MONTH})\b", lambda m, t: _month_of(t, 0)),
            (rf"\b(?:on|am|el|le|il) (?P<weekday>{'|'.join(WEEKDAYS)})\b", _weekday),
            (rf"\b(?P<prep>in|during|since|before|after|im Jahr|en) {year}\b", lambda m, t: _year_of(int(m["year"]))),
            (r"\b(?:the other day|recently|lately|neulich|kürzlich|recientemente)\b", lambda m, t: _days(t, 21, 0)),
        ]
    )


@cache
def _ahead() -> _Rows:
    """Build the patterns of periods after the present day. "Next Friday" on a Wednesday is ambiguous and left out."""
    weekdays = "|".join(WEEKDAYS)
    return _compile(
        [
            (
                r"\b(?:day after tomorrow|übermorgen|pasado mañana|après-demain|dopodomani|depois de amanhã)\b"
                r"|\bпослезавтра\b|后天|明後日",
                lambda m, t: _days(t, -2, -2),
            ),
            (
                r"(?<!guten )(?<!heute )(?<!am )(?<!jeden )\b(?-i:morgen)\b|(?<!la )(?<!esta )\bmañana\b"
                r"|\b(?:tomorrow|demain|domani|amanhã|завтра)\b|明[天日]|내일",
                lambda m, t: _days(t, -1, -1),
            ),
            (r"\b(?:this|dieses) (?:weekend|wochenende)\b", lambda m, t: _weekend(t, 0)),
            (
                rf"\b(?:{NEXT}) (?:{WEEK})\b|\b(?:{COMING}) (?:{WEEK})\b|下周|来週|다음\s?주",
                lambda m, t: _days(t, t.weekday() - 7, t.weekday() - 13),
            ),
            (
                rf"\b(?:{NEXT}|{COMING}) (?:{MONTH})\b|\b(?:{MONTH}) (?:{COMING})\b|下个月|来月",
                lambda m, t: _month_of(t, 1),
            ),
            (
                rf"\b(?:{NEXT}|{COMING}) (?:{YEAR})\b|\b(?:{YEAR}) (?:{COMING})\b|明年|来年",
                lambda m, t: _year_of(t.year + 1),
            ),
            (rf"\b(?:{NEXT}) (?P<weekday>{weekdays}|{SHORT_WEEKDAYS})\b", _next_weekday),
        ]
    )


@cache
def _lasting() -> _Rows:
    """Build the patterns of periods that last until the present day."""
    count, again = _COUNT.format("count"), _COUNT.format("count2")
    some = r"(?:(?:about|around|almost|nearly|(?:just )?over|just under|more than|some|etwa|fast|unos|casi|environ) )?"
    return _compile(
        [
            (rf"\b(?:have|has|['’]ve|['’]s) been\b[^.?!]{{0,60}}? for {some}{count} (?:{_UNIT})(?: now)?\b", _ago),
            (rf"\bfor {some}{count} (?:{_UNIT}) now\b", _ago),
            (rf"\b(?:seit|depuis|desde hace) {some}{again} (?:{_again(_UNIT)})\b", _ago),
        ]
    )


def _again(unit: str) -> str:
    """Rename the groups of `unit`, to use them a second time in one pattern."""
    return re.sub(r"\?P<(\w+)>", r"?P<\g<1>2>", unit)


def _days(today: date, first: int, last: int) -> Period | None:
    """Return the period from `first` to `last` days before `today`; None outside the calendar."""
    try:
        return Period(today - timedelta(days=first), today - timedelta(days=last))
    except OverflowError:
        return None


def _lower(word: str) -> str:
    """Return `word` in lower case, also where a pattern that ignores case has matched "İ", "ſ" or "K"."""
    return unicodedata.normalize("NFKC", word).lower().replace("\u0307", "")


def _single(year: int, month: int, day: int) -> Period | None:
    try:
        found = date(year, month, day)
    except ValueError:
        return None
    return Period(found, found)


def _number(name: str) -> int:
    return next(at for at, names in enumerate(MONTHS, 1) if _lower(name) in names.split("|"))


def _day(match: re.Match[str], today: date) -> Period | None:
    month, day = _number(match["name"]), int(match["day"])
    if match["year"]:
        return _single(int(match["year"]), month, day)
    found = _single(today.year, month, day)
    return found if found is None or (found.since or today) <= today else _single(today.year - 1, month, day)


def _month(match: re.Match[str], today: date) -> Period | None:
    month, given = _number(match["name"]), match.groupdict().get("year")
    year = int(given) if given else today.year - (month > today.month)
    return Period(date(year, month, 1), date(year, month, monthrange(year, month)[1]))


def _month_of(today: date, step: int) -> Period:
    months = today.year * 12 + today.month - 1 + step
    year, month = months // 12, months % 12 + 1
    return Period(date(year, month, 1), date(year, month, monthrange(year, month)[1]))


def _year_of(year: int) -> Period:
    return Period(date(year, 1, 1), date(year, 12, 31))


def _last_week(match: re.Match[str], today: date) -> Period:
    """Return last calendar week, extended to seven days ago, which people also call last week."""
    monday = today - timedelta(days=today.weekday() + 7)
    return Period(monday, max(monday + timedelta(days=6), today - timedelta(days=4)))


def _weekend(today: date, weeks: int) -> Period:
    """Return Saturday and Sunday of the week `weeks` after that of `today`."""
    saturday = today + timedelta(days=5 - today.weekday(), weeks=weeks)
    return Period(saturday, saturday + timedelta(days=1))


def _weekday(match: re.Match[str], today: date) -> Period:
    day = today - timedelta(days=(today.weekday() - _named_weekday(match)) % 7 or 7)
    return Period(day, day)


def _next_weekday(match: re.Match[str], today: date) -> Period | None:
    ahead = (_named_weekday(match) - today.weekday()) % 7 or 7
    if ahead < 7 - today.weekday():
        return None
    return _days(today, -ahead, -ahead)


def _named_weekday(match: re.Match[str]) -> int:
    said = _lower(match["weekday"])
    return next(at for at, names in enumerate(WEEKDAYS) if said in names.split("|") or names.startswith(said))


def _ago(match: re.Match[str], today: date) -> Period | None:
    groups = match.groupdict()
    count, days = _count(groups.get("count") or groups["count2"]), _unit_days(match)
    if groups.get("weekend") or groups.get("weekend2"):
        return _weekend(today, -count)
    slack = 0 if days == 1 else days // 2
    found = _days(today, days * count + slack, days * count - slack)
    return found and Period(found.since, found.until, about=days > 1)


def _count(said: str) -> int:
    return int(said) if said.isdecimal() else NUMBERS[_lower(said)]


def _unit_days(match: re.Match[str]) -> int:
    groups = match.groupdict()
    return next(days for name, days in UNIT_DAYS.items() if groups.get(name) or groups.get(f"{name}2"))
