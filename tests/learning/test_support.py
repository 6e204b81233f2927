"""The evidence gate: no answer of a model gets into the store what the person's words do not bear."""

import re
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memchat.core.types import Add, Memory, Owner, Role, Scope
from memchat.learning.evidence import EvidenceGate
from memchat.learning.extraction import Exchange, Extraction, Fact, MemoryReference
from memchat.learning.quote_matching import find_quote
from memchat.learning.reconcile import LearningSource, decide
from memchat.text.normalize import words

NOON = datetime(2026, 6, 3, 12, tzinfo=UTC)
AL = Owner.user("al")
LEARNING = LearningSource(AL, session_id="s1", message_id="m1", model="test/model")


def known(text: str) -> Memory:
    return Memory("id-1", AL, text, Scope.USER, "place", NOON, NOON)


def exchange(said: str, *memories: Memory, assistant: str = "", asked: str = "") -> Exchange:
    earlier = [(Role.ASSISTANT, asked)] if asked else []
    return Exchange(date(2026, 6, 3), said, assistant, earlier, memories)


def added(fact: Fact, heard: Exchange) -> list[Add]:
    return [one for one in decide(Extraction((fact,)), heard, LEARNING) if isinstance(one, Add)]


BORNE = [
    ("User is vegetarian and lives in Berlin.", "I'm vegetarian and I live in Berlin."),
    ("User's sister Ana is vegan.", "my sister ana went vegan"),
    ("User runs 40 km a week.", "I've been running about 40 km every week"),
    ("User's boss says the launch is on 3 May.", "My boss says we launch on the 3rd of May"),
    ("Der Nutzer wohnt in Köln und arbeitet als Lehrerin.", "ich wohne in koeln bzw. Köln und arbeite als Lehrerin"),
    ("El usuario vive en Bogotá.", "vivo en bogota"),
    ("L'utilisateur est allergique aux arachides.", "je suis allergique aux arachides"),
    ("ユーザーは東京に住んでいる。", "東京に住んでます"),
    ("用户对花生过敏。", "我对花生过敏"),
    ("사용자는 채식주의자이다.", "저는 채식주의자예요"),
    ("Пользователь живёт в Москве.", "Я живу в Москве"),
    ("المستخدم يسكن في القاهرة", "أسكن في القاهرة"),
    ("Kullanıcı Ankara'da yaşıyor.", "Ankara'da yaşıyorum"),
    ("Имя пользователя — Олег.", "Меня зовут Олег"),
    ("Siostra użytkownika to Ola.", "Ola to moja siora"),
    ("Η αδελφή του χρήστη είναι η Ελένη.", "η Ελένη είναι αδερφή μου"),
]


@pytest.mark.parametrize(("text", "said"), BORNE)
def test_a_sentence_in_the_persons_words_is_kept(text: str, said: str) -> None:
    """Put about the person, inflected, in any language."""
    assert added(Fact(text, said), exchange(said))


NOT_BORNE = [
    ("User lives in Berlin.", "I live in Porto."),
    ("User's name is Zoltan.", "I live in Porto."),
    ("User works as a nurse in Berlin.", "I work as a nurse"),
    ("User enjoys sailing and opera.", "I live in Porto."),
    ("quote", "I said quote, and I live in Porto."),
    ("text", "text"),
    ("Der Nutzer wohnt in Hamburg.", "Ich wohne in Köln"),
    ("ユーザーは大阪に住んでいる。", "東京に住んでます"),
    ("用户对花生过敏。", "你好，今天天气很好"),
    ("Пользователь живёт в Москве.", "Я люблю чай"),
]


@pytest.mark.parametrize(("text", "said"), NOT_BORNE)
def test_a_sentence_beside_a_true_quote_is_not_kept(text: str, said: str) -> None:
    """The whole message is quoted, and still it says something else."""
    assert not added(Fact(text, said), exchange(said))


def test_the_reply_is_no_source_even_beside_a_true_quote() -> None:
    """Neither word for word, nor what only the assistant said."""
    said = "My order #4821 has not arrived. Just checking this while I make coffee."
    reply = "Your order #4821 has not arrived, and you've been in contact with the support team."
    heard = exchange(said, assistant=reply)
    for text in (reply, "User has been in contact with the support team.", "Support team is in contact with User."):
        assert not added(Fact(text, "My order #4821 has not arrived"), heard)
    assert added(Fact("User's order #4821 has not arrived.", "My order #4821 has not arrived"), heard)


def test_what_was_referred_to_may_be_named() -> None:
    """ "The second one" has a name, which the assistant gave."""
    heard = exchange("book the second hotel for my mother", asked="There are the Ibis and the Ritz.")
    assert added(Fact("User's mother stays at the second hotel, the Ritz.", "the second hotel"), heard)
    assert not added(Fact("User's mother stays at the second hotel, the Hilton.", "the second hotel"), heard)


def test_a_known_memory_bears_what_its_successor_repeats() -> None:
    """A fact that completes another holds what stays true of it."""
    heard = exchange("and she's 6 now", known("User's daughter Mia is allergic to peanuts."))
    assert added(Fact("User's daughter Mia is 6 and allergic to peanuts.", "she's 6 now"), heard)


WISHES = [
    ("User wants short answers.", "keep your answers short please", "preference", True),
    ("User goes by Al.", "call me Al", "identity", True),
    ("Der Nutzer möchte geduzt werden.", "Bitte duze mich", "preference", True),
    ("ユーザーはタメ口を希望している。", "敬語じゃなくて、タメ口で話して。", "preference", True),
    ("User lives in Porto.", "I live in Porto", "place", False),
    ("User lives in Porto.", "I live in Porto", "other", False),
    ("User wants to be a nurse.", "I always wanted to be a nurse", "work", False),
]


@pytest.mark.parametrize(("text", "said", "category", "stands"), WISHES)
def test_only_what_reads_as_a_wish_stands_in_every_prompt(text: str, said: str, category: str, stands: bool) -> None:
    """A model that calls everything a wish does not bend the answers."""
    (one,) = added(Fact(text, said, category=category, standing=True), exchange(said))
    assert one.draft.standing is stands


def test_a_memory_is_confirmed_by_words_of_the_person_only() -> None:
    """By what is quoted, or by a message that says all of it."""
    heard = exchange("I just moved to Amsterdam.", known("User lives in Berlin."))
    for reference in (MemoryReference(1, ""), MemoryReference(1, "I live in Berlin")):
        assert decide(Extraction(confirmed=(reference,)), heard, LEARNING) == []
    again = exchange("As I said, I live in Berlin.", known("User lives in Berlin."))
    for reference in (MemoryReference(1, ""), MemoryReference(1, "I live in Berlin")):
        assert len(decide(Extraction(confirmed=(reference,)), again, LEARNING)) == 1


MARKED = [
    ("I'm allergic to nuts", "Mind you, I'm **allergic** to `nuts`", "I'm **allergic** to `nuts`"),
    ("allergic", "I'm **allergic** to nuts", "allergic"),
    ("I **live** in _Porto_", "I live in Porto now", "I live in Porto"),
    ("I live in Porto", "I <b>live</b> in&nbsp; <i>x</i> I <em>live</em> in Porto", "I <em>live</em> in Porto"),
    ("I like tea... and cake", "I like tea and cake", "I like tea and cake"),
    ("I like tea and cake", "I like tea… and cake", "I like tea… and cake"),
    ("I live … in Porto", "I live with Tom, as I said, in Porto.", "I live with Tom, as I said, in Porto"),
    ("I live [...] Porto", "I live with Tom in Porto.", "I live with Tom in Porto"),
    ("caf\u00e9 \u201cBlau\u201d", "das\u00a0Cafe\u0301\u00a0*\u201eBlau\u201c*", "Cafe\u0301\u00a0*\u201eBlau"),
    ("I'm ve\u200bgan", "I\u2019m ~vegan~", "I\u2019m ~vegan~"),
]


@pytest.mark.parametrize(("quote", "said", "found"), MARKED)
def test_marks_of_emphasis_markup_and_gaps_do_not_hide_a_quote(quote: str, said: str, found: str) -> None:
    """On either side of the comparison."""
    assert find_quote(quote, said) == found


def test_parts_that_stand_far_apart_or_in_another_order_are_no_quote() -> None:
    """An ellipsis stands for a few words, not for a conversation."""
    assert find_quote("in Porto … I live", "I live with Tom in Porto.") is None
    assert find_quote("I live … in Porto", f"I live. {'And so on. ' * 60} in Porto") is None


OWN = ["Porto", "vegan", "sister", "Ana", "order", "4821", "guitar", "plays", "nurse", "Bonn"]
FOREIGN = ["Berlin", "Zoltan", "opera", "diabetes", "9913", "yacht", "Rome", "vodka", "felony", "millionaire"]
WORDS = st.lists(st.sampled_from([*OWN, *FOREIGN, "User", "is", "has", "the", "in", "quote", "likes"]), min_size=1)


@given(
    said=st.lists(st.sampled_from(OWN), min_size=1, max_size=6),
    text=WORDS.map(" ".join),
    quoted=st.tuples(st.integers(0, 5), st.integers(1, 6)),
    replied=WORDS.map(" ".join),
    standing=st.booleans(),
)
def test_no_answer_gets_into_the_store_what_was_not_said(
    said: list[str], text: str, quoted: tuple[int, int], replied: str, standing: bool
) -> None:
    """Beside any true quote: the names and numbers of a text that is kept were said, and half of it at least."""
    message = " ".join(said)
    quote = " ".join(said[quoted[0] : quoted[0] + quoted[1]]) or message
    fact = Fact(text, quote, standing=standing)
    heard = exchange(message, assistant=replied)
    assert (EvidenceGate(heard).quote_of(fact) is not None) == bool(added(fact, heard))
    for one in added(fact, heard):
        content = {word for word in words(one.draft.text) if word in set(words(" ".join((*OWN, *FOREIGN))))}
        own = content & set(words(message))
        assert len(own) * 2 >= len(content) > 0
        assert not re.search(r"9913", one.draft.text) or "9913" in replied
        assert not (content - own) & set(words("berlin zoltan rome")) - set(words(replied))
        assert not one.draft.standing or "likes" in text
        assert one.draft.evidence is not None
        assert one.draft.evidence.quote in message


@pytest.mark.parametrize("standing", [False, True])
def test_what_is_only_called_a_wish_needs_half_its_words(standing: bool) -> None:
    """A model cannot bring in more words of its own by marking a fact as a standing wish."""
    fact = Fact("Porto vegan sister Ana order", "Porto", standing=standing)
    assert not added(fact, exchange("Porto Ana"))


@pytest.mark.parametrize(
    ("quote", "said", "found"),
    [
        ("אני גרה בחיפה", "קוראים לי נעמה ואני גרה בחיפה.", True),
        ("חיפה", "עברתי לחיפה לפני שנה", True),
        ("בית", "אני עובדת בבית", True),
        ("أسكن في الرباط", "اسمي سلمى وأسكن في الرباط", True),
        ("قطة", "عندي القطة الصغيرة", True),
        ("ספר", "קניתי צספר", False),
        ("רכבת", "ברכבת", True),
        ("לב", "הכלב ישן", False),
        ("ملك", "المالك", False),
        ("art", "the smart", False),
        ("он", "звон", False),
    ],
)
def test_a_quote_may_begin_behind_a_joined_particle(quote: str, said: str, found: bool) -> None:
    """Hebrew and Arabic write "and", "the" and "in" joined to the next word; elsewhere a word begins where it does."""
    assert (find_quote(quote, said) == quote) is found


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("המשתמשת רוצה תמיד תשובות קצרות ובעברית.", "תעני לי תמיד בקצרה ובעברית"),
        ("Użytkownik chce, by odpowiadać mu zawsze krótko.", "Pisz mi zawsze krótko"),
        ("Kullanıcı cevapların hep Türkçe olmasını istiyor.", "Bana hep Türkçe yaz"),
        ("Käyttäjä haluaa vastaukset aina suomeksi.", "Puhu minulle aina suomeksi"),
    ],
)
def test_a_wish_may_be_put_in_more_words_than_a_fact(text: str, said: str) -> None:
    """ "User wants answers" is how it is said of somebody; as a fact the same words are too many."""
    assert added(Fact(text, said, "preference", standing=True), exchange(said))


def test_a_wish_of_other_words_is_dropped_all_the_same() -> None:
    """What nobody said is no wish either."""
    fact = Fact("المستخدم يريد إجابات قصيرة بلا رموز", "تحدث معي بالعربية", "preference", standing=True)
    assert not added(fact, exchange("تحدث معي بالعربية"))
