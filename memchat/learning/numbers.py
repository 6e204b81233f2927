"""Numbers in a fact that must have been said: orders, phones, amounts, and the years to which a message leads."""

import re
import unicodedata
from collections.abc import Sequence

from memchat.core.types import Role
from memchat.learning.extraction import Exchange, Fact

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


class NumberCheck:
    """The numbers that an exchange says, and those to which it leads."""

    def __init__(self, exchange: Exchange) -> None:
        known = [f"{memory.text} ({memory.valid_from}, {memory.valid_to})" for memory in exchange.known]
        self._said = with_plain_digits("\n".join((exchange.user, *(text for _, text in exchange.earlier), *known)))
        own = (text for role, text in exchange.earlier if role is Role.USER)
        dated = with_plain_digits("\n".join((exchange.user, *own, *known)))
        self._years = {*map(int, re.findall(rf"(?<!\d){_YEAR}(?!\d)", dated)), *_derivable_years(exchange)}
        self._in_words = _MAGNITUDE.search(self._said) is not None

    def supports(self, fact: Fact) -> bool:
        """Whether the long numbers in a fact were said, so that no order or phone number is made up or misheard.

        The number of a case may come from the assistant ("that ticket"), a year may not. Times and dates may have been
        reckoned, but for a year to which nothing leads; round numbers written out.
        """
        found = _LONG_NUMBER.findall(with_plain_digits(fact.text))
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
    said, now = with_plain_digits(exchange.user), exchange.today.year
    found = {_COUNTS.get(count) or int(count) for count in _COUNT.findall(said.lower())}
    found |= {tens + ones for tens in found if tens % 10 == 0 for ones in found if ones < 10}
    years = {now - 1, now, now + 1}
    for count in found:
        years |= {now - count - 1, now - count, now + count, now - -(-count // 12), now + -(-count // 12)}
        years.update(range(1900 + count, 1910 + count) if count % 10 == 0 and 30 <= count < 100 else ())
    return years | {century + int(year) for year in _SHORT_YEAR.findall(said) for century in (1900, 2000)}


def has_number(text: str) -> bool:
    """Whether `text` says a number, in digits or in words."""
    return _COUNT.search(with_plain_digits(text).lower()) is not None or re.search(r"\d", text) is not None


def with_plain_digits(text: str) -> str:
    """`text` with the digits of every script written as 0 to 9."""
    return "".join(str(unicodedata.decimal(c)) if c.isdecimal() else c for c in text)
