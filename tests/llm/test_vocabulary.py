"""Which texts are taken for English."""

import pytest

from memchat.llm.vocabulary import BuiltinVocabulary, Language, is_english_request, is_readable, language_of
from memchat.llm.wordpieces import EnglishWordPieces, MultilingualWordPieces

ENGLISH = [
    "What should I cook tonight?",
    "where do I live",
    "Remind me what my sister's dog is called",
    "how tall am I",
    "What is the function of mitochondria?",
    "How does photosynthesis work?",
    "What is the difference between a sonata and a symphony?",
]
OTHER = [
    "Was soll ich heute Abend kochen?",
    "An welchem Tag ist die Hochzeit in Graz?",
    "Se me antojó algo de postre, ¿qué me recomiendas?",
    "Qual era o nome do restaurante a que fomos no domingo?",
    "今夜は何を作ろう？",
    "เย็นนี้จะทำอะไรดี",
    "Что приготовить сегодня вечером?",
    "ما الذي أطبخه الليلة؟",
    "오늘 저녁에 뭐 해 먹지?",
    "Tối nay nên nấu món gì?",
]


@pytest.mark.parametrize("request_", ENGLISH)
def test_an_english_request_is_known_by_its_words(request_: str) -> None:
    """By common words, and by words the English vocabulary has whole."""
    assert is_english_request(request_)


@pytest.mark.parametrize("request_", [*OTHER, "", "42", "🌷"])
def test_a_request_in_another_language_is_not_english(request_: str) -> None:
    """Nor is one without words."""
    assert not is_english_request(request_)


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("User is vegetarian.", Language.ENGLISH),
        ("User's husband Chidi Okafor teaches high school chemistry.", Language.ENGLISH),
        ("Der Nutzer wohnt im vierten Stock eines Leipziger Altbaus ohne Aufzug.", Language.OTHER),
        ("ผู้ใช้แพ้ถั่วลิสง", Language.OTHER),
        ("ユーザーは猫を飼っている。", Language.OTHER),
        ("用户养了一只猫。", Language.CHINESE),
        ("사용자는 漢字를 배운다.", Language.OTHER),
        ("Пользователь живёт в Казани.", Language.OTHER),
    ],
)
def test_the_language_of_a_memory_is_read_off_its_words(text: str, language: Language) -> None:
    """Also of those in scripts of which the English vocabulary has one piece for every word."""
    assert language_of(text) is language


def test_english_pieces_compare_english_with_english_alone() -> None:
    """Everywhere else the multilingual ones do."""
    vocabulary = BuiltinVocabulary()
    assert isinstance(vocabulary.between("Where do I live?", "User lives in Graz."), EnglishWordPieces)
    for request, memory in (
        ("Where do I live?", "Der Nutzer wohnt in einem Leipziger Altbau."),
        ("Wo wohne ich?", "User lives in Graz."),
    ):
        assert isinstance(vocabulary.between(request, memory), MultilingualWordPieces)


@pytest.mark.parametrize("text", ["Người dùng bị dị ứng hạt phỉ.", "Người dùng là y tá ở Đà Nẵng."])
def test_short_pieces_with_accents_are_not_english(text: str) -> None:
    """The pieces leave accents out, and what is left of Vietnamese looks like English ones."""
    assert not is_readable(text)
    assert language_of(text) is Language.OTHER


def test_a_few_accents_leave_a_text_english() -> None:
    """Names and loan words have them."""
    assert language_of("User's favourite café is Chez André in Montréal.") is not Language.OTHER
    assert is_english_request("Where did I eat that crème brûlée?")
