"""Numbers in words, in the signs of East Asia and in other calendars, and the years to which they lead."""

from datetime import date

import pytest

from memchat.learning.extraction import Exchange, Fact
from memchat.learning.numbers import NumberCheck, has_number
from memchat.learning.numerals import spelled_counts, with_plain_numbers, years_named

TODAY = date(2026, 6, 3)


def supports(text: str, said: str) -> bool:
    return NumberCheck(Exchange(TODAY, said)).supports(Fact(text, said))


LEADS_TO = [
    ("I moved to Leeds fifteen years ago", "2011"),
    ("Ich bin vor fünfzehn Jahren nach Ulm gezogen", "2011"),
    ("Vivo en Cádiz desde hace veintidós años", "2004"),
    ("J'habite à Lyon depuis vingt-deux ans", "2004"),
    ("Mi sono trasferita a Torino tre anni fa", "2023"),
    ("Moro em Braga há oito anos", "2018"),
    ("Drie jaar geleden ben ik naar Gent verhuisd", "2023"),
    ("Od dwóch lat mieszkam w Gdyni", "2024"),
    ("Urodziłam się w osiemdziesiątym piątym", "1985"),
    ("Пять лет назад родилась дочка", "2021"),
    ("Я живу у Львові вже десять років", "2016"),
    ("Před dvěma lety jsem se přestěhoval", "2024"),
    ("Muutin Turkuun kolme vuotta sitten", "2023"),
    ("Jag flyttade till Umeå för fem år sedan", "2021"),
    ("Öt éve lakom Szegeden", "2021"),
    ("Locuiesc la Cluj de patru ani", "2022"),
    ("İki yıl önce taşındım", "2024"),
    ("On yıl önce evlendim", "2016"),
    ("Μετακόμισα πριν από τρία χρόνια", "2023"),
    ("Saya pindah ke Bandung tiga tahun lalu", "2023"),
    ("Tôi chuyển đến Huế ba năm trước", "2023"),
    ("ฉันย้ายมาเมื่อสองปีก่อน", "2024"),
    ("עברתי לחיפה לפני שלוש שנים", "2023"),
    ("עברתי לפני שנתיים", "2024"),
    ("انتقلت إلى الرباط قبل سنتين", "2024"),
    ("عمري ثلاثون سنة", "1996"),
    ("मैं तीन साल पहले पुणे आया", "2023"),
    ("이 년 전부터 은행에서 일해요", "2024"),
    ("다섯 살이에요", "2021"),
    ("我十五年前搬到成都", "2011"),
]


@pytest.mark.parametrize(("said", "year"), LEADS_TO)
def test_a_count_in_words_leads_to_a_year(said: str, year: str) -> None:
    """Years ago or of age, in any language and inflected; a year to which it does not lead is made up."""
    assert supports(f"User: {year}", said)
    assert not supports("User: 1957", said)


NO_COUNT = [
    "Я живу в Москве",
    "Mieszkam w Krakowie",
    "أسكن في القاهرة",
    "부산에 살아요",
    "ฉันอยู่เชียงใหม่",
    "Ζω στην Πάτρα",
]


@pytest.mark.parametrize("said", NO_COUNT)
def test_without_a_count_a_year_is_made_up(said: str) -> None:
    """Letters that some language counts with are no number within other words."""
    assert not supports("User: 2008", said)
    assert not has_number(said)


@pytest.mark.parametrize(
    ("said", "year"),
    [
        ("昭和60年生まれです", 1985),
        ("令和三年に結婚しました", 2021),
        ("平成元年", 1989),
        ("民國110年結婚", 2021),
        ("ฉันย้ายมาเมื่อปี ๒๕๖๖", 2023),
        ("ولدت عام ١٤٠٥", 1985),
        ("متولد ۱۳۶۵", 1986),
        ("נולדתי ב-5745", 1985),
    ],
)
def test_a_year_of_another_calendar_is_the_same_year(said: str, year: int) -> None:
    """The model may write it in either calendar."""
    assert year in years_named(with_plain_numbers(said))
    assert supports(f"User: {year}", said)


def test_a_year_may_be_written_in_the_calendar_of_the_person() -> None:
    """ "Two years ago" is 2567 to a Thai, and 1445 to an Arab; another year is made up."""
    assert supports("ผู้ใช้ย้ายมาเชียงใหม่ในปี 2567", "ฉันย้ายมาเชียงใหม่เมื่อสองปีก่อน")
    assert not supports("ผู้ใช้ย้ายมาเชียงใหม่ในปี 2540", "ฉันย้ายมาเชียงใหม่เมื่อสองปีก่อน")


@pytest.mark.parametrize(
    ("signs", "number"),
    [
        ("三百二十五万円", "3250000円"),
        ("二〇一九年", "2019年"),
        ("三千五百块", "3500块"),
        ("一千零五", "1005"),
        ("삼백오십만 원", "3500000 원"),
        ("٤٨٢١٧", "48217"),
        ("१२,५००", "12,500"),
        ("2万3千", "23000"),
    ],
)
def test_the_signs_of_a_number_are_its_digits(signs: str, number: str) -> None:
    """In both the message and the fact."""
    assert with_plain_numbers(signs) == number


@pytest.mark.parametrize("words", ["一起去", "만일", "이사했어요", "十分", "일요일"])
def test_a_sign_within_a_word_is_no_number(words: str) -> None:
    """They stand for what they are part of."""
    assert with_plain_numbers(words) == words


@pytest.mark.parametrize(
    ("fact", "said"),
    [
        ("رقم طلب المستخدم هو 48217.", "رقم طلبي ٤٨٢١٧"),
        ("إيجار المستخدم 3500 درهم.", "الإيجار ٣٬٥٠٠ درهم"),
        ("ব্যবহারকারীর অর্ডার নম্বর 77312।", "আমার অর্ডার নম্বর ৭৭৩১২"),
        ("사용자의 월세는 3,500,000원이다.", "월세는 삼백오십만 원이에요"),
        ("Użytkownik zarabia 5000 zł.", "zarabiam pięć tysięcy złotych"),
        ("Пользователь платит 30000 рублей.", "плачу тридцать тысяч рублей"),
        ("उपयोगकर्ता का किराया 20000 रुपये है।", "किराया बीस हज़ार रुपये है"),
    ],
)
def test_a_long_number_may_be_said_in_any_digits_or_words(fact: str, said: str) -> None:
    """A number that was not said in any of them is made up."""
    assert supports(fact, said)
    assert not supports("User: 77413", said)


@pytest.mark.parametrize(
    ("text", "counts"),
    [
        ("dwadzieścia dwa lata", {20, 2}),
        ("the severe thread", set()),
        ("quatre-vingts ans", {80}),
        ("بثلاث سنوات", {3}),
    ],
)
def test_counts_are_read_in_their_parts(text: str, counts: set[int]) -> None:
    """Whole words alone count, but for endings of long ones and letters put before them."""
    assert counts <= set(spelled_counts(text))
    assert counts or not set(spelled_counts(text))
