"""Numbers that are written in words or in the signs of East Asia, and years of other calendars."""

import re
import unicodedata
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from memchat.text.normalize import is_unspaced, without_accents

_SIGNS = dict(zip("〇零一二三四五六七八九两兩일이삼사오육칠팔구", [0, *range(10), 2, 2, *range(1, 10)], strict=True))
_TENS = {"十": 10, "百": 100, "千": 1_000, "십": 10, "백": 100, "천": 1_000}
_MYRIADS = {"万": 10_000, "萬": 10_000, "만": 10_000, "億": 10**8, "亿": 10**8, "억": 10**8}
_HAN = "〇零一二三四五六七八九两兩十百千万萬億亿"
_HANGUL = "일이삼사오육칠팔구십백천만억"
_SIGN_RUN = re.compile(
    rf"(?=[\d.]*[{_HAN}])[\d{_HAN}]{{2,}}"
    rf"|(?<![가-힣])(?![만억])(?=[\d{_HANGUL}]*[십백천만억])[\d{_HANGUL}]{{2,}}(?=\s?(?:원|년|월|일|개|명|살|세|번|대|시|층|호|평|미터|킬로|달러)|$|[^\w])"
)
"""Signs of which at least two stand together: one alone is part of many words."""
_HANGUL_COUNT = re.compile(
    r"(?<![가-힣])(일|이|삼|사|오|육|칠|팔|구|십|한|두|세|네|다섯|여섯|일곱|여덟|아홉|열|스무|서른|마흔|쉰)"
    r"\s?(?:년|해|개월|달|살|세|주|시간)"
)
_HANGUL_COUNTS = dict(
    zip(
        "일 이 삼 사 오 육 칠 팔 구 십 한 두 세 네 다섯 여섯 일곱 여덟 아홉 열 스무 서른 마흔 쉰".split(),
        [*range(1, 11), *range(1, 11), 20, 30, 40, 50],
        strict=True,
    )
)
_ERA = re.compile(r"(令和|平成|昭和|大正|明治|民[國国])(元|\d{1,4}|[一二三四五六七八九十])")
_ERAS = {"令和": 2018, "平成": 1988, "昭和": 1925, "大正": 1911, "明治": 1867, "民國": 1911, "民国": 1911}
_STEM = 5
"""A numeral from so many letters on may end in other letters: inflections."""
_ENDING = 4


def with_plain_numbers(text: str) -> str:
    """Write the digits of every script in `text` as 0 to 9, and numerals such as 三百 and 삼백 as 300."""
    plain = "".join(str(unicodedata.decimal(c)) if c.isdecimal() else c for c in text)
    return _SIGN_RUN.sub(lambda run: str(_value(run[0])), plain)


def _value(signs: str) -> int:
    """Return the value of a run of numerals: 三百二十五万, 2百, or digits in order (二〇二四)."""
    if not any(sign in _TENS or sign in _MYRIADS for sign in signs):
        return int("".join(str(_SIGNS.get(sign, sign)) for sign in signs))
    total = section = figure = 0
    for sign in signs:
        if sign in _MYRIADS:
            total += (section + figure or 1) * _MYRIADS[sign]
            section = figure = 0
        elif sign in _TENS:
            section += (figure or 1) * _TENS[sign]
            figure = 0
        else:
            figure = 10 * figure + _SIGNS[sign] if sign in _SIGNS else 10 * figure + int(sign)
    return total + section + figure


def spelled_counts(text: str) -> Iterator[int]:
    """Yield the numbers from 1 to 99 that `text` spells out, inflected or not; longer numerals yield their parts."""
    numerals, unspaced = _numerals()
    said = re.findall(r"[^\W\d_]+(?:['ʼ\u0300-\u036f\u0900-\u0963\u0c00-\u0dff]+[^\W\d_]*)*", _folded(text))
    for at, word in enumerate(said):
        for phrase in (word, " ".join(said[at : at + 2])):
            if found := numerals.get(phrase):
                yield found
        # A form of a numeral: with another ending, or with a letter of Hebrew or Arabic before it.
        for end in range(max(_STEM, len(word) - _ENDING), len(word)):
            if found := numerals.get(f"{word[:end]}-"):
                yield found
        if len(word) > 2 and "\u0590" <= word[0] <= "\u06ff" and (found := numerals.get(word[1:])):
            yield found
    yield from (number for numeral, number in unspaced.items() if numeral in text)
    yield from (_HANGUL_COUNTS[count] for count in _HANGUL_COUNT.findall(text))


@cache
def _numerals() -> tuple[dict[str, int], dict[str, int]]:
    """Return the numbers by numeral, whose stem a hyphen marks, and those by numeral of scripts without spaces."""
    spaced: dict[str, int] = {}
    unspaced: dict[str, int] = {}
    for line in Path(__file__).with_suffix(".txt").read_text(encoding="utf-8").splitlines():
        number, _, numerals = line.partition(": ")
        if not number.isdecimal():
            continue
        for numeral in numerals.split(", "):
            if is_unspaced(numeral[0]):
                unspaced[numeral] = int(number)
                continue
            plain = _folded(numeral)
            spaced.setdefault(plain, int(number))
            if len(plain) > _STEM:
                spaced.setdefault(f"{plain[:-1]}-", int(number))
    return spaced, unspaced


def _folded(text: str) -> str:
    return without_accents(text.casefold().replace("’", "'"))


def years_named(text: str) -> set[int]:
    """Return the common years that `text`, with plain numbers, names in another calendar: 昭和60年, 2567, ١٤٤٥.

    A Buddhist year is 543 ahead; Hijri years, solar and lunar, and Hebrew years begin within a common year.
    """
    found = {_ERAS[era] + (1 if year == "元" else _value(year)) for era, year in _ERA.findall(text)}
    for year in map(int, re.findall(r"(?<!\d)\d{4}(?!\d)", text)):
        found |= in_common_calendar(year)
    return found


def in_common_calendar(year: int) -> set[int]:
    """Return the common years that `year` may mean in another calendar; empty if no calendar has that year now."""
    if 2440 <= year <= 2650:
        return {year - 543}
    if 1300 <= year <= 1500:
        by_the_moon = int(year * 0.970224 + 621.5774)
        return {year + 621, year + 622, by_the_moon, by_the_moon + 1}
    return {year - 3761, year - 3760} if 5650 <= year <= 5850 else set()
