"""What a sentence does, told by its meaning in languages whose words no list holds."""

import pytest

from memchat.core.types import Add, End, Forget, Memory, Owner, Scope
from memchat.learning.extraction import Exchange, Extraction, Fact, MemoryReference
from memchat.learning.reconcile import LearningSource, decide
from memchat.learning.sentence_kinds import SentenceKinds
from tests.learning.harness import AL, NOON, REQUEST_EMBEDDER

KINDS = SentenceKinds(REQUEST_EMBEDDER.embed)
LEARNING = LearningSource(AL, session_id="s1", message_id="m1", model="test/model", kinds=KINDS)


def proposed_to_forget(said: str) -> list[type]:
    """What becomes of a memory that a model proposes to forget because of `said`."""
    memory = Memory("id-1", Owner.user("al"), "User lives in Utrecht.", Scope.USER, "place", NOON, NOON)
    found = Extraction(forget=(MemoryReference(1, said),))
    return [type(one) for one in decide(found, Exchange(NOON.date(), said, known=[memory]), LEARNING)]


@pytest.mark.parametrize(
    "said",
    [
        "Wis mijn adres",
        "Usuń mój numer telefonu",
        "Sil adresimi lütfen",
        "Забудь мой адрес",
        "Видали мою адресу",
        "تمام معلومات آدرس من را پاک کن",
        "תמחק את הכתובת שלי",
        "मेरा पता भूल जाओ",
        "ลบที่อยู่ของฉันด้วย",
        "Lupakan alamat saya",
        "Unohda osoitteeni",
        "내 주소는 지워 줘",
        "Zapomeň na mou adresu",
    ],
)
def test_a_request_to_forget_is_understood_in_languages_without_a_list(said: str) -> None:
    """The model proposes it, the quote was said, and the sentence means it."""
    assert proposed_to_forget(said) == [Forget]


@pytest.mark.parametrize(
    "said",
    [
        "We sold the house in Utrecht",
        "Ik woon niet meer in Utrecht",
        "Nie mieszkam już w Utrechcie",
        "Artık Utrecht'te oturmuyorum",
        "Я больше не живу в Утрехте",
        "אני כבר לא גר באוטרכט",
        "अब मैं उट्रेख्ट में नहीं रहता",
        "이제 위트레흐트에 안 살아요",
        "En asu enää Utrechtissa",
        "Tôi không còn sống ở Utrecht nữa",
    ],
)
def test_what_is_only_over_is_not_deleted(said: str) -> None:
    """A model that proposes to forget it ends it at most."""
    assert proposed_to_forget(said) in ([End], [])


@pytest.mark.parametrize(
    "said",
    [
        "Vergeet mijn adres niet",
        "Adresimi unutma",
        "לא לשכוח את הכתובת שלי",
        "내 주소 잊지 마",
        "Unutma, adresim Utrecht'te",
    ],
)
def test_a_reminder_neither_deletes_nor_ends(said: str) -> None:
    """ "Do not forget" is the contrary."""
    assert proposed_to_forget(said) == []


def standing(said: str, category: str = "preference") -> bool:
    """Whether what a model calls a wish for every answer is kept as one."""
    fact = Fact(said, said, category, standing=True)
    (added,) = decide(Extraction((fact,)), Exchange(NOON.date(), said), LEARNING)
    assert isinstance(added, Add)
    return added.draft.standing


@pytest.mark.parametrize(
    "said",
    [
        "Mów mi Kasia",
        "Odpowiadaj po polsku",
        "Відповідай українською",
        "Απάντα μου στα ελληνικά",
        "तुम मुझे हिंदी में जवाब दो",
        "Kısa cevap ver",
        "Panggil saya Budi",
        "קרא לי דני",
        "אל תשתמש באימוג'י",
        "Käytä metrejä",
    ],
)
def test_a_wish_is_understood_in_languages_without_a_list(said: str) -> None:
    """How to be answered or addressed stands in every prompt."""
    assert standing(said)


@pytest.mark.parametrize("said", ["Kahvaltıda çay içerim", "मैं शाम को दौड़ता हूँ", "Ζω στην Πάτρα", "Syön puuroa aamuisin"])
def test_a_fact_is_no_wish(said: str) -> None:
    """Whatever the model says of it."""
    assert not standing(said)
    assert not standing("Odpowiadaj po polsku", "work")
