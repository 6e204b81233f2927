"""Date the facts of small models by rules: write out their dates, and tell since when they hold.

`memchat.text.dates` reads English; this module adds the most frequent words of other languages.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta

from memchat.learning.extraction import Fact
from memchat.learning.numerals import spelled_counts, with_plain_numbers
from memchat.text.dates import resolve_dates
from memchat.text.normalize import is_unspaced, sentences

_SINCE_YEAR = re.compile(
    r"(?:\b(?:since|seit|desde|depuis|dal|sinds|sedan)(?: (?:about|around|etwa|el año|l['’]année|early|late))?\s+"
    r"|\bв\s+|\bс\s+)(?P<year>(?:19|20)\d\d)\b|(?P<kanji>(?:19|20)\d\d)年(?:から|以来|起)",
    re.IGNORECASE,
)
_FOR_YEARS = re.compile(
    r"\bfor (?:the (?:last|past) )?(?P<count>\d{1,2}|[a-z]+)"
    r" (?P<unit>month|year)s? (?:now|already)\b",
    re.IGNORECASE,
)
_TODAY = re.compile(
    r"\b(?:heute|ab (?:heute|sofort|jetzt)|hoy|a partir de (?:hoy|ahora)|aujourd['’]hui|oggi|hoje|vandaag|сегодня)\b"
    r"|今日|今天|오늘",
    re.IGNORECASE,
)
_NAMED_DAYS = (
    (re.compile(r"\bvorgestern\b|\banteayer\b|\bavant-hier\b|おととい|一昨日|前天", re.IGNORECASE), 2),
    (
        re.compile(
            r"\bgestern\b|\bayer\b|(?<!avant-)\bhier\b(?! (?:ist|wohn|und))|\bieri\b|\bontem\b|昨日|昨天", re.IGNORECASE
        ),
        1,
    ),
    (_TODAY, 0),
)
_AGO = re.compile(
    r"\b(?:vor|hace|il y a|há)\s+(?P<count>\d{1,2}|\w+)\s+(?P<unit>tag|día|jour|dia|woche|semana|semaine|monat|mes|mois"
    r"|jahr|año|an\b|ano)\w*|(?P<kanji>\d{1,2})(?P<measure>日|週間|か月|ヶ月|年)前",
    re.IGNORECASE,
)
_ONE = frozenset("a an einem einer un una une um uma".split())
_DAYS_OF = {"tag": 1, "día": 1, "jour": 1, "dia": 1, "日": 1, "woche": 7, "semana": 7, "semaine": 7, "週間": 7}
_MONTHS_OF = {
    "monat": 1,
    "mes": 1,
    "mois": 1,
    "か月": 1,
    "ヶ月": 1,
    "jahr": 12,
    "año": 12,
    "an": 12,
    "ano": 12,
    "年": 12,
}
_IN_YEAR = re.compile(
    r"\b(?:moved|came|started|began|joined|founded|opened|bought|sold|married|divorced|adopted|retired|quit|became"
    r"|switched|graduated|left|built|got|met)\b[^.!?;]*?\bin (?P<year>(?:19|20)\d\d)\b",
    re.IGNORECASE,
)
_NEW = re.compile(
    r"\bnow\b(?=.*\b(?:am|is|are|live|lives|work|works|have|has)\b)|\b(?:am|are|live|work|have)\b.*\bnow\b|'m .*\bnow\b"
    r"|\bjust (?:moved|started|became|got|bought|joined|switched|changed|quit|retired|adopted|signed|had|turned)\b"
    r"|\b(?:wohne|bin|arbeite|haben?)\b.*\b(?:jetzt|nun)\b|\b(?:ahora|maintenant|adesso|agora)\b",
    re.IGNORECASE,
)
_NO_BEGINNING = re.compile(r"\b(?:birthday|born|anniversary|geburtstag|cumpleaños|anniversaire)\b", re.IGNORECASE)


_STILL_THERE = re.compile(
    r"\b(?:been|lived|worked) (?:t?here|at it|with them|doing (?:it|that|this)) since (?P<year>(?:19|20)\d\d)\b",
    re.IGNORECASE,
)


def since_said_beside(facts: Sequence[Fact], message: str) -> tuple[Fact, ...]:
    """Give `facts` the year that the rest of their sentence says ("I'm a nurse at St Ann's, been there since 2017")."""
    done = []
    for fact in facts:
        sentence = next((one for one in sentences(message) if fact.quote in one), "")
        found = None if fact.valid_from or fact.standing else _STILL_THERE.search(sentence)
        done.append(replace(fact, valid_from=date(int(found["year"]), 1, 1)) if found else fact)
    return tuple(done)


def date_facts(facts: Sequence[Fact], today: date) -> tuple[Fact, ...]:
    """Write out the dates in the texts of `facts`, and set the day since which each is true, if it is said."""
    done = []
    for fact in facts:
        text, unspaced = resolve_dates(fact.text, today).text, is_unspaced(fact.text[-2:][:1] or " ")
        for pattern, ago in _NAMED_DAYS:
            day = today - timedelta(days=ago)
            text = pattern.sub(f"{day.year}年{day.month}月{day.day}日" if unspaced else day.isoformat(), text)
        done.append(replace(fact, text=text, valid_from=_beginning(fact, today)))
    return tuple(done)


def _beginning(fact: Fact, today: date) -> date | None:
    """Return the day since which `fact` is true by the user's words; not a day in the future."""
    quote = with_plain_numbers(fact.quote)
    if fact.valid_from is not None or fact.standing or _NO_BEGINNING.search(quote):
        return fact.valid_from
    day: date | None
    if found := _SINCE_YEAR.search(quote):
        day = date(int(found["year"] or found["kanji"]), 1, 1)
    elif found := _IN_YEAR.search(quote):
        day = date(int(found["year"]), 1, 1)
    elif (found := _FOR_YEARS.search(quote)) and (count := _count(found["count"])):
        day = _months_before(today, count * (12 if found["unit"].lower() == "year" else 1))
    elif named := [ago for pattern, ago in _NAMED_DAYS if pattern.search(quote)]:
        day = today - timedelta(days=named[0])
    elif (found := _AGO.search(quote)) and (count := _count(found["count"] or found["kanji"])):
        unit = (found["unit"] or found["measure"]).lower()
        days = _DAYS_OF.get(unit, 0) * count
        day = today - timedelta(days=days) if days else _months_before(today, _MONTHS_OF[unit] * count)
    else:
        day = resolve_dates(quote, today).day or (today if _NEW.search(quote) else None)
    return day if day is not None and day <= today else None


def _count(said: str) -> int:
    """Parse a number in digits or in words; return 0 if there is none."""
    if said.isdecimal():
        return int(said)
    return 1 if said.lower() in _ONE else next(spelled_counts(said), 0)


def _months_before(today: date, count: int) -> date:
    months = today.year * 12 + today.month - 1 - count
    return date(months // 12, months % 12 + 1, 1)
