"""How texts are compared: what counts as the same sentence, as a word, as a sentence of its own."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memchat.text.normalize import (
    STOP_WORDS,
    content_words,
    fix_surrogates,
    is_unspaced,
    normalize,
    sentences,
    speaker,
    without_accents,
    without_speaker,
    words,
)

SAME = [
    ("User likes Tea.", "user likes  tea"),
    ("User's dog", "User’s dog!"),
    ("Straße", "STRASSE"),
    ("Café", "cafe\u0301"),
    ("Ｔｅａ", "tea"),
    ("User likes tea", "\u200bUser likes tea\n"),
]
DIFFERENT = [
    ("C", "C++"),
    ("C", "C#"),
    ("User has 2 cats", "User has 3 cats"),
    ("User likes 🐈", "User likes 🐕"),
    ("user likes tea", "user like tea"),
    ("35 km", "3.5 km"),
    ("東京", "京都"),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_the_same_sentence_has_one_normal_form(one: str, other: str) -> None:
    """Whatever its case, punctuation, width and spacing."""
    assert normalize(one) == normalize(other)


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_different_sentences_have_different_normal_forms(one: str, other: str) -> None:
    """Numbers, emoji and the names of languages tell them apart."""
    assert normalize(one) != normalize(other)


@given(st.text())
def test_a_normal_form_is_its_own(text: str) -> None:
    """Comparing twice changes nothing, and no line break or double space is left."""
    form = normalize(text)
    assert normalize(form) == form
    assert form == " ".join(form.split())


WORDS = [
    ("User's e-mail is a_b@x.org", ["user", "s", "e", "mail", "is", "a", "b", "x", "org"]),
    ("Order 4821, please!", ["order", "4821", "please"]),
    ("Größe STRASSE", ["grösse", "strasse"]),
    ("東京タワー", ["東京", "京タ", "タワ", "ワー"]),
    ("犬", ["犬"]),
    ("iPhone15を買う", ["iphone15", "を買", "買う"]),
    ("नमस्ते दुनिया", ["नमस्ते", "दुनिया"]),
    ("می‌خواهم", ["می‌خواهم"]),
    ("cafe\u0301 noir", ["café", "noir"]),
    ("🙂 …", ["🙂"]),
    ("ភាសាខ្មែរ", ["ភា", "ាស", "សា", "ាខ", "ខ្", "្ម", "មែ", "ែរ"]),
    ("שָׁלוֹם", ["שלום"]),
    ("مُحَمَّد", ["محمد"]),
    ("Ｆｕｌｌ　ｗｉｄｔｈ", ["full", "width"]),
    ('" OR NEAR(x) *', ["or", "near", "x"]),
]


@pytest.mark.parametrize(("text", "found"), WORDS)
def test_words_are_found_in_every_script(text: str, found: list[str]) -> None:
    """Scripts without spaces come in pairs of characters; marks stay with their letters."""
    assert words(text) == found


@given(st.text())
def test_no_word_can_be_part_of_a_query_language(text: str) -> None:
    """Words hold no quotes, spaces, brackets or lone surrogates, so they can be looked up as they are."""
    for word in words(text):
        assert word
        assert not set(word) & set("\"'()*:^+- \n\x00")
        word.encode()


def test_content_words_leave_out_what_every_sentence_has() -> None:
    """Each once, in order; where nothing is left of a text, all its words are its content."""
    assert content_words("Where is the red, RED house of my sister?") == ["red", "house", "sister"]
    assert content_words("I do what you would") == ["i", "do", "what", "you", "would"]
    assert content_words("5 犬") == ["5", "犬"]
    assert content_words("…") == []
    assert "not" not in STOP_WORDS


def test_sentences_end_at_marks_and_lines() -> None:
    """None is empty, and decimals do not end one."""
    assert sentences("One. Two?\n\nThree!  ") == ["One.", "Two?", "Three!"]
    assert sentences("これは犬です。猫もいる！はい") == ["これは犬です。", "猫もいる！", "はい"]
    assert sentences("It costs 3.50 euros") == ["It costs 3.50 euros"]
    assert sentences(" \n ") == []


def test_the_point_of_an_ordinal_number_ends_no_sentence() -> None:
    """As German writes dates; an age ends one."""
    assert sentences("Am 3. Juli ziehe ich um. Ich bin 34. Und du?") == [
        "Am 3. Juli ziehe ich um.",
        "Ich bin 34.",
        "Und du?",
    ]
    assert sentences("Wir wohnen im 2. Stock.\nI'm 34. Maria is 30.") == [
        "Wir wohnen im 2. Stock.",
        "I'm 34.",
        "Maria is 30.",
    ]


def test_a_speaker_is_a_name_before_a_colon() -> None:
    """A sentence with a colon is not."""
    assert speaker("Ana: I like tea") == "Ana"
    assert without_speaker("Ana: I like tea") == "I like tea"
    assert speaker("I like: tea") is None
    assert speaker("note: tea") is None
    assert without_speaker("note: tea") == "note: tea"


def test_halves_of_pairs_are_replaced_and_pairs_put_together() -> None:
    """What no encoder takes becomes U+FFFD; everything else stays as it is."""
    assert fix_surrogates("a\ud83db\udcff 😀") == "a\ufffdb\ufffd 😀"
    assert fix_surrogates("tea \ud83d\ude00 \0 é 日本") == "tea 😀 \0 é 日本"


@given(st.text())
def test_a_well_formed_text_can_be_encoded(text: str) -> None:
    """And one that could be is as it was."""
    encoded = fix_surrogates(text).encode().decode()
    assert encoded == fix_surrogates(encoded)
    assert (encoded == text) is not any("\ud800" <= character <= "\udfff" for character in text)


def test_scripts_without_spaces_are_known() -> None:
    """Japanese, Chinese, Korean particles and Thai; not Latin, Cyrillic or Arabic."""
    assert all(map(is_unspaced, "あア漢한ก"))
    assert not any(map(is_unspaced, "aßжع1 ."))


def test_accents_are_left_out_and_vowel_signs_are_not() -> None:
    """As people write who have another keyboard."""
    assert without_accents("phở đà lạt, żółć, ışıl, ζαχαρένια") == "pho da lat, zolc, isil, ζαχαρενια"
    for text in ("ธนาคาร", "नमस्ते", "ガギグ", "한국어"):
        assert without_accents(text) == text
