"""Check that the numbers of a fact were said or can be computed: orders, phones, amounts, years."""

import re
import unicodedata

from memchat.core.types import Role
from memchat.learning.extraction import Exchange, Fact
from memchat.learning.numerals import in_common_calendar, spelled_counts, with_plain_numbers, years_named

_LONG_NUMBER = re.compile(r"\d[\d.,-]*\d\d|\d{3,}")
_YEAR, _MONTH, _DAY = r"(?:19|20)\d\d", r"(?:0?[1-9]|1[0-2])", r"(?:0?[1-9]|[12]\d|3[01])"
_TIME = re.compile(r"(?:[01]?\d|2[0-4])\.[0-5]\d")
_DATE = re.compile(rf"{_YEAR}(?:-{_YEAR})?|{_YEAR}([-.]){_MONTH}(?:\1{_DAY})?|{_DAY}([-.]){_DAY}\2{_YEAR}")
_COUNT = re.compile(r"(?<!\d)\d{1,3}(?!\d)")
_SIGN = re.compile("[一二三四五六七八九十]")
_SHORT_YEAR = re.compile(r"(?:['’]|\d[./-])(\d\d)(?!\d)")
_ROUND = re.compile(r"\d{1,3}0+")
_MAGNITUDE = re.compile(
    r"hundred|thousand|million|\d ?[km]\b|hundert|tausend|\bmio\b|\bcien|\bmil\b|\bmille\b|\bcents?\b"
    r"|[百千万萬億만천백]|hon(?:derd|dra)|duizend|tus[ei]n|\btys|tysi[ąa]c|tisíc|hundra|tuhat|tuhan|sata[aä]?\b|ezer|\bbin\b|\byüz\b"
    r"|ribu|juta|nghìn|ngàn|triệu|trăm|тысяч|тыс\b|\bсто\b|тисяч|миллион|мільйон|χιλι|εκατ|ألف|آلاف|مئ|مائ|مليون|אלף|אלפ|מאות|מיליון"
    r"|सौ|हज़?ार|लाख|करोड़|হাজার|লাখ|พัน|หมื่น|แสน|ล้าน|ร้อย",
    re.IGNORECASE,
)
_BETWEEN_DIGITS = r"(?:[\s.,'’/٬٫،，．-]|\) ?|-?\()?"


class NumberCheck:
    """The numbers in an exchange, and the years that can be computed from them."""

    def __init__(self, exchange: Exchange) -> None:
        known = [f"{memory.text} ({memory.valid_from}, {memory.valid_to})" for memory in exchange.known]
        self._said = with_plain_numbers("\n".join((exchange.user, *(text for _, text in exchange.earlier), *known)))
        own = (text for role, text in exchange.earlier if role is Role.USER)
        dated = with_plain_numbers("\n".join((exchange.user, *own, *known)))
        self._years = {*map(int, re.findall(rf"(?<!\d){_YEAR}(?!\d)", dated)), *_derivable_years(exchange)}
        self._years |= years_named(dated)
        self._in_words = _MAGNITUDE.search(self._said) is not None

    def supports(self, fact: Fact) -> bool:
        """Return whether the long numbers in a fact were said, so that no order or phone number is made up or misheard.

        The number of a case may come from the assistant ("that ticket"), a year may not. Times and dates may have been
        reckoned, but for a year to which nothing leads; round numbers written out.
        """
        found = _LONG_NUMBER.findall(with_plain_numbers(fact.text))
        return all(
            self._has(number) or all(len(part) > 2 and self._has(part) for part in re.split(r"\D+", number))
            for number in found
        )

    def _has(self, number: str) -> bool:
        digits = re.sub(r"\D", "", number)
        if _TIME.fullmatch(number) or (self._in_words and _ROUND.fullmatch(digits)):
            return True
        if _DATE.fullmatch(number):
            return self._years.issuperset(map(int, re.findall(_YEAR, number)))
        if len(digits) == len(number) == 4 and not self._years.isdisjoint(in_common_calendar(int(digits))):
            return True
        return re.search(rf"(?<!\d)(?<!\d[.,]){_BETWEEN_DIGITS.join(digits)}(?![.,]?\d)", self._said) is not None


def _derivable_years(exchange: Exchange) -> set[int]:
    """Return the years that a message may mean without naming them.

    They are those around the present one, and those that a count in the message leads to: a number of years or months,
    or an age. "'98", "12.5.24" and "the 90s" name a year or a decade.
    """
    said, now = with_plain_numbers(exchange.user), exchange.today.year
    signs = (int(unicodedata.numeric(sign)) for sign in _SIGN.findall(said))
    found = {*map(int, _COUNT.findall(said)), *spelled_counts(said), *signs}
    found |= {tens + ones for tens in found if tens % 10 == 0 for ones in found if ones < 10}
    years = {now - 1, now, now + 1, *years_named(said)}
    for count in found:
        years |= {now - count - 1, now - count, now + count, now - -(-count // 12), now + -(-count // 12)}
        years.update(range(1900 + count, 1910 + count) if count % 10 == 0 and 30 <= count < 100 else ())
        years.update({1900 + count} if 30 <= count < 100 else ())
    return years | {century + int(year) for year in _SHORT_YEAR.findall(said) for century in (1900, 2000)}


def has_number(text: str) -> bool:
    """Return whether `text` says a number, in digits, signs or words."""
    plain = with_plain_numbers(text)
    return re.search(r"\d", plain) is not None or _SIGN.search(plain) is not None or any(spelled_counts(plain))
