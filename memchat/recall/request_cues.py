"""What a request says about where its answer was said: in small talk nowhere, by the assistant, in some period."""

import re
from calendar import monthrange
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache

from memchat.text.normalize import words

SMALL_TALK = frozenset(
    """
    hi hello hey hiya yo greetings howdy good morning afternoon evening night day everyone there again thanks thank
    you thx ty cheers please welcome ok okay k yes yeah yep no nope sure right fine great nice cool perfect awesome
    wonderful
    alright bye goodbye see later soon take care how are is it going doing been what s up everything lol haha hehe
    hmm oh ah wow so much very a lot for your the help that this was well and im i am m re me too appreciate got
    love sounds to hear talk nothing much today have one who do
    hallo guten morgen tag abend nacht danke schön vielen dank bitte ja nein gut gern tschüss bis bald wie geht s dir es
    ihnen servus moin super
    hola buenos buenas días dias tardes noches gracias muchas por favor sí si vale adiós adios hasta luego cómo como
    estás estas está qué que tal bien muy
    bonjour bonsoir salut merci beaucoup oui non ça ca va bien au revoir comment vas tu allez vous bonne nuit journée
    ciao buongiorno buonasera grazie mille prego sì arrivederci come stai va bene
    olá ola oi bom dia boa tarde noite obrigado obrigada tudo bem sim não tchau
    hoi goedemorgen dank je wel bedankt doei hoe gaat het met
    cześć czesc dzień dobry dziękuję dzięki tak nie jak się masz
    привет здравствуйте спасибо пока да нет как дела доброе утро добрый день вечер
    你好 谢谢 谢谢你 再见 早上好 晚安 你好吗 好的
    こん んに にち ちは おは はよ よう あり りが がと とう ござ ざい いま ます さよ よう うな なら 元気
    สวัสดี ขอบคุณ
    """.split()
)
"""Words of which greetings, thanks and good-byes are made; what is made of nothing else asks for nothing."""

_ASKED_ABOUT = (
    "said|say|told|tell|recommended|recommend|suggested|suggest|mentioned|mention|explained|explain|advised|advise|"
    "proposed|propose|gave|give|listed|list|named|name|described|describe|wrote|write|called|call|answered|answer|"
    "come up with|came up with|think of|thought of|promised|promise|warned|warn|quoted|quote|pointed out"
)
_PAST = (
    "said|told|recommended|suggested|mentioned|explained|advised|proposed|gave|listed|named|described|wrote|called|"
    "answered|came up with|thought of|promised|warned|quoted|pointed out"
)
_BY_ASSISTANT = (
    rf"\b(?:did|had|have) you (?:\w+ ){{0,3}}?(?:{_ASKED_ABOUT})\b",
    rf"\byou(?:['’](?:d|ve))? (?:had |have |just |once |already |also |last |recently |previously )*(?:{_PAST})\b",
    r"\byour (?:\w+ )?(?:recommendation|suggestion|advice|tip|answer|explanation|list|idea|proposal|reply|warning)s?\b",
    r"\b(?:hast|hattest|habt) du\b.*\b(?:gesagt|empfohlen|vorgeschlagen|geraten|erwähnt|genannt|erklärt|gemeint)\b",
    r"\bdu\b.*\b(?:gesagt|empfohlen|vorgeschlagen|geraten|erwähnt|genannt|erklärt) (?:hast|hattest)\b",
    r"\b(?:sagtest|empfahlst|nanntest|erwähntest|rietst) du\b|\bhaben sie\b.*\b(?:gesagt|empfohlen|vorgeschlagen)\b",
    r"\bdeine?[rnms]? (?:empfehlung|vorschl[aä]g|rat\b|tipp|antwort|idee|liste)",
    r"\b(?:recomendaste|dijiste|sugeriste|aconsejaste|mencionaste|explicaste|propusiste|nombraste)\b",
    r"\b(?:has|habías) (?:recomendado|dicho|sugerido|aconsejado|mencionado|propuesto)\b",
    r"\btus? (?:recomendaci|consejo|sugerencia|respuesta|propuesta)",
    r"\b(?:as[- ]tu|tu as|tu avais|t['’]as|avez[- ]vous|vous avez|vous aviez) (?:\w+ )?"
    r"(?:dit|recommandé|conseillé|suggéré|proposé|mentionné|expliqué)",
    r"\b(?:ta|tes|ton|vos|votre) (?:recommandation|conseil|suggestion|réponse|proposition)",
    r"\b(?:hai|avevi) (?:\w+ )?(?:detto|consigliato|raccomandato|suggerito|proposto|menzionato|spiegato)\b",
    r"\b(?:você|vc|tu) (?:\w+ )?(?:disse|recomendou|sugeriu|aconselhou|mencionou|indicou|disseste|recomendaste)\b",
    r"\b(?:heb|had|hebt) je\b.*\b(?:gezegd|aangeraden|aanbevolen|voorgesteld|genoemd)\b|\b(?:raadde|zei|stelde) je\b",
    r"\b(?:poleciłeś|poleciłaś|radziłeś|mówiłeś|sugerowałeś|zaproponowałeś)\b",
    r"\b(?:ты|вы) (?:\w+ )?(?:говорил|сказал|советовал|посоветовал|рекомендовал|порекомендовал|предлагал|предложил)",
    r"你.{0,6}(?:说|推荐|建议|提到|告诉)|(?:勧め|薦め|すすめ|推薦し|提案し|言っ|教え)(?:てくれ|てい|て|た)|추천했|말했|추천해",
)


def is_small_talk(text: str) -> bool:
    """Whether `text` is a greeting, thanks or a good-bye, and nothing besides."""
    found = words(text)
    return len(found) <= 12 and all(word in SMALL_TALK for word in found)


def asks_about_assistant(text: str) -> bool:
    """Whether `text` asks for what the assistant has said ("what did you recommend?")."""
    return _by_assistant().search(text) is not None


@cache
def _by_assistant() -> re.Pattern[str]:
    return re.compile("|".join(_BY_ASSISTANT), re.IGNORECASE)


# Periods.


@dataclass(frozen=True, slots=True)
class Period:
    """From `since` to `until`, both included; an end that is None is open."""

    since: date | None
    until: date | None

    def holds(self, day: date) -> bool:
        return (self.since is None or day >= self.since) and (self.until is None or day <= self.until)


_MONTHS = (
    "january|januar|enero|janvier|gennaio|janeiro|januari",
    "february|februar|febrero|février|febbraio|fevereiro|februari",
    "march|märz|marzo|mars|março|maart",
    "april|abril|avril|aprile",
    "may|mai|mayo|maggio|maio|mei",
    "june|juni|junio|juin|giugno|junho",
    "july|juli|julio|juillet|luglio|julho",
    "august|agosto|août|augustus",
    "september|septiembre|septembre|settembre|setembro",
    "october|oktober|octubre|octobre|ottobre|outubro",
    "november|noviembre|novembre|novembro",
    "december|dezember|diciembre|décembre|dicembre|dezembro",
)
_WEEKDAYS = (
    "monday|montag|lunes|lundi|lunedì",
    "tuesday|dienstag|martes|mardi|martedì",
    "wednesday|mittwoch|miércoles|mercredi|mercoledì",
    "thursday|donnerstag|jueves|jeudi|giovedì",
    "friday|freitag|viernes|vendredi|venerdì",
    "saturday|samstag|sábado|samedi|sabato",
    "sunday|sonntag|domingo|dimanche|domenica",
)
_LAST = r"last|past|previous|letzte[rnms]?|vorige[rnms]?|vergangene[rnms]?"
_AFTERWARDS = r"pasad[oa]|derni(?:er|ère)|pass[ée]e?|scors[oa]|passad[oa]"
_WEEK = "week|woche|semana|semaine|settimana"
_MONTH = "month|monat|mes|mois|mese|mês"
_YEAR = "year|jahr|año|année|anno|ano"
_NUMBERS = {
    word: number
    for number, words_ in enumerate(
        "a an einem einer un una une uma one|two zwei dos deux due dois|three drei tres trois tre três|four vier|"
        "five|six|seven|eight|nine|ten".split("|"),
        1,
    )
    for word in words_.split()
}
_UNIT_DAYS = {"day": 1, "week": 7, "month": 30, "year": 365}
_UNITS = {
    "day": "days?|tag(?:en?)?|días?|jours?|giorni|giorno|dias?",
    "week": "weeks?|wochen?|semanas?|semaines?|settiman[ae]",
    "month": "months?|monat(?:en?)?|mes(?:es)?|mois|mes[ei]|mês",
    "year": "years?|jahr(?:en?)?|años?|ans?|années?|ann[io]|anos?",
}


def period_of(text: str, today: date) -> Period | None:
    """The period in the past that `text` speaks of, read from `today`; None where it names none.

    "before" and "until" open its beginning, "since" and "after" its end.
    """
    for pattern, reading in _readings():
        match = pattern.search(text)
        if match is None:
            continue
        period = reading(match, today)
        if period is None or (period.since is not None and period.since > today):
            continue
        said = match.groupdict().get("prep")
        return _opened(period, f"{said} " if said else text[: match.start()])
    return None


def _opened(period: Period, before: str) -> Period:
    word = re.search(r"(\w+)\s+(?:the\s+|der\s+|dem\s+)?$", before.lower())
    if word and word[1] in {"before", "until", "till", "vor", "bis", "antes", "avant", "prima"}:
        return Period(None, period.since and period.since - timedelta(days=1))
    if word and word[1] in {"since", "seit", "desde", "depuis"}:
        return Period(period.since, None)
    if word and word[1] in {"after", "nach", "después", "après", "dopo"}:
        return Period(period.until and period.until + timedelta(days=1), None)
    return period


_Reading = Callable[[re.Match[str], date], Period | None]


@cache
def _readings() -> list[tuple[re.Pattern[str], _Reading]]:
    months, days = "|".join(_MONTHS), "|".join(_WEEKDAYS)
    unit = "|".join(f"(?P<{name}>{forms})" for name, forms in _UNITS.items())
    year = r"(?P<year>(?:19|20)\d\d)"
    prep = "in|during|last|this|since|before|until|after|early|late|im|en|letzten|seit|em|desde|depuis|vor"
    count = r"(?P<{}>\d{{1,3}}|" + "|".join(_NUMBERS) + ")"
    ago = rf"{count.format('count')} (?:{unit}) ago|(?:vor|hace|il y a|há) {count.format('count2')} (?:{_again(unit)})"
    rows: list[tuple[str, _Reading]] = [
        (rf"\b{year}-(?P<month>\d\d)-(?P<day>\d\d)\b", _iso),
        (rf"\b(?P<day>[0-3]?\d)(?:st|nd|rd|th|\.)?(?: of| de)? (?P<name>{months})\b(?:,? {year})?", _day),
        (rf"\b(?P<name>{months}) (?P<day>[0-3]?\d)(?:st|nd|rd|th)?\b(?:,? {year})?", _day),
        (rf"\b(?P<name>{months})(?: de)? {year}\b", _month),
        (rf"\b(?P<prep>{prep}) (?P<name>{months})\b", _month),
        (r"\b(?:day before yesterday|vorgestern|anteayer|avant-hier)\b", lambda m, t: _days(t, 2, 2)),
        (
            r"\b(?:yesterday|last night|gestern|ayer|anoche|hier|ieri|ontem|вчера)\b|昨[天日]",
            lambda m, t: _days(t, 1, 1),
        ),
        (r"\b(?:today|this morning|heute|hoy|aujourd['’]hui|oggi|hoje)\b|今[天日]", lambda m, t: _days(t, 0, 0)),
        (rf"\b(?:{ago})\b", _ago),
        (rf"\b(?:{_LAST}) (?:{_WEEK})\b|\b(?:{_WEEK}) (?:{_AFTERWARDS})\b|上周|先週", _last_week),
        (rf"\b(?:{_LAST}) weekend\b", _last_weekend),
        (rf"\b(?:this|diese[rn]?|esta|cette) (?:{_WEEK})\b", lambda m, t: Period(t - timedelta(t.weekday()), t)),
        (
            rf"\b(?:{_LAST}) (?:{_MONTH})\b|\b(?:{_MONTH}) (?:{_AFTERWARDS})\b|上个月|先月",
            lambda m, t: _month_of(t, -1),
        ),
        (rf"\b(?:this|diesen|este|ce) (?:{_MONTH})\b", lambda m, t: _month_of(t, 0)),
        (rf"\b(?:{_LAST}) (?:{_YEAR})\b|\b(?:{_YEAR}) (?:{_AFTERWARDS})\b|去年", lambda m, t: _year_of(t.year - 1)),
        (rf"\b(?:(?:{_LAST}|on|am|el|le|il) )(?P<weekday>{days})\b", _weekday),
        (rf"\b(?P<prep>in|during|since|before|after|im Jahr|en) {year}\b", lambda m, t: _year_of(int(m["year"]))),
        (r"\b(?:the other day|recently|lately|neulich|kürzlich|recientemente)\b", lambda m, t: _days(t, 21, 0)),
    ]
    return [(re.compile(pattern, re.IGNORECASE), reading) for pattern, reading in rows]


def _again(unit: str) -> str:
    """The same named groups a second time, under names of their own."""
    return re.sub(r"\?P<(\w+)>", r"?P<\g<1>2>", unit)


def _days(today: date, first: int, last: int) -> Period:
    return Period(today - timedelta(days=first), today - timedelta(days=last))


def _iso(match: re.Match[str], today: date) -> Period | None:
    return _single(int(match["year"]), int(match["month"]), int(match["day"]))


def _single(year: int, month: int, day: int) -> Period | None:
    try:
        found = date(year, month, day)
    except ValueError:
        return None
    return Period(found, found)


def _number(name: str) -> int:
    return next(at for at, names in enumerate(_MONTHS, 1) if name.lower() in names.split("|"))


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
    """The calendar week before, and what of this one lies as near: people say it of seven days ago, too."""
    monday = today - timedelta(days=today.weekday() + 7)
    return Period(monday, max(monday + timedelta(days=6), today - timedelta(days=4)))


def _last_weekend(match: re.Match[str], today: date) -> Period:
    saturday = today - timedelta(days=(today.weekday() - 5) % 7 or 7)
    return Period(saturday, saturday + timedelta(days=1))


def _weekday(match: re.Match[str], today: date) -> Period:
    at = next(at for at, names in enumerate(_WEEKDAYS) if match["weekday"].lower() in names.split("|"))
    day = today - timedelta(days=(today.weekday() - at) % 7 or 7)
    return Period(day, day)


def _ago(match: re.Match[str], today: date) -> Period | None:
    said = (match["count"] or match["count2"]).lower()
    count = int(said) if said.isdecimal() else _NUMBERS[said]
    unit = next(name for name in _UNIT_DAYS if match[name] or match[f"{name}2"])
    days = count * _UNIT_DAYS[unit]
    slack = 0 if unit == "day" else _UNIT_DAYS[unit] // 2
    try:
        return _days(today, days + slack, days - slack)
    except OverflowError:
        return None
