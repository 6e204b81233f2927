"""Question marks and sentence ends of many scripts."""

import pytest

from memchat.learning.clauses import is_question
from memchat.recall.requests import questions_in
from memchat.recall.scoring import asks
from memchat.recall.sentence_kinds import only_asks
from memchat.text.normalize import sentences
from memchat.text.punctuation import ends_with_question_mark, has_question_mark

QUESTIONS = {
    "English": "Where do I live?",
    "Chinese": "我住在哪里？",
    "Arabic": "أين أسكن؟",
    "Greek": "Πού μένω;",
    "Greek with a mark of its own": "Πού μένω\u037e",
    "Armenian": "Որտե՞ղ եմ ապրում։",
    "Amharic": "የት ነው የምኖረው፧",
}


@pytest.mark.parametrize("question", QUESTIONS.values(), ids=QUESTIONS)
def test_a_question_is_recognised_by_the_mark_of_its_script(question: str) -> None:
    """Recall, quotes and learning agree on it."""
    assert has_question_mark(question)
    assert ends_with_question_mark(question)
    assert asks(question)
    assert only_asks(question)
    assert is_question(question)
    assert questions_in(f"I moved to another city.\n{question}") == [question]


@pytest.mark.parametrize(
    "sentence",
    ["I asked why.", "I live in Berlin;", "int x = 3;", "Μένω στην Αθήνα.", "ሰላም።", ""],
)
def test_a_sentence_without_a_question_mark_asks_nothing(sentence: str) -> None:
    """A semicolon is a question mark in Greek only."""
    assert not ends_with_question_mark(sentence)
    assert not has_question_mark(sentence)


@pytest.mark.parametrize("sentence", ['Did she say "no?"', "(Is it late?)", "彼は「行く？」", "Where to? "])
def test_quotes_and_brackets_may_follow_the_mark(sentence: str) -> None:
    """So may spaces."""
    assert ends_with_question_mark(sentence)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("मैं दिल्ली में रहता हूँ। मेरा कुत्ता छोटा है।", 2),
        ("ما اسم كلبي؟ أسكن في القاهرة.", 2),
        ("میں لاہور میں رہتا ہوں۔ میرا کتا چھوٹا ہے۔", 2),
        ("Ես ապրում եմ Երևանում։ Ես շուն ունեմ։", 2),
        ("我住在北京。你好吗？", 2),
        ("Er kommt am 3. Juli. Wann? Abends!", 3),
        ("Version 3.14 of memchat.db", 1),
    ],
)
def test_a_text_is_split_at_the_sentence_ends_of_its_script(text: str, expected: int) -> None:
    """A point within a number or a name ends nothing."""
    assert len(sentences(text)) == expected
