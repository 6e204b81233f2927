"""What is told by a command: kept as it is written, held against what is known."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from memchat.app import App
from memchat.config import Settings
from memchat.core.protocols import MemoryFilter
from memchat.core.types import Draft, Owner
from memchat.errors import UsageError
from memchat.memories.remember import MANY_MEMORIES, RememberOptions, RememberResult
from memchat.recall.retriever import Query
from tests.storage.memory_factories import memories_of

AL = Owner.user("al")


@pytest.fixture
def app(tmp_path: Path) -> Iterator[App]:
    with App(Settings(tmp_path, "al")) as app:
        yield app


def current(app: App) -> list[str]:
    return [memory.text for memory in reversed(memories_of(app.store, "al"))]


def told(app: App, text: str, manner: RememberOptions | None = None, **draft: object) -> RememberResult:
    (one,) = app.rememberer.tell([text], Draft("", AL, **draft), manner)  # type: ignore[arg-type]
    return one


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("User lives in Berlin.", "I live in Amsterdam"),
        ("I live in Oslo.", "I live in Bergen now."),
        ("Always answer me in German.", "Always answer in English"),
        ("User works at Acme.", "I quit my job at Acme"),
    ],
)
def test_what_is_told_takes_the_place_of_what_it_changes(app: App, before: str, after: str) -> None:
    """Whoever wrote the former; the words are kept as they are, and undo brings the former back."""
    app.rememberer.remember(before, Owner.user("al"))
    one = app.rememberer.remember(after, Owner.user("al"))
    assert [memory.text for memory in one.replaced] == [before]
    assert current(app) == [after]
    assert app.memory_service.undo(one.memory).text == before


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("Ben owes Anna 5 euros.", "Anna owes Ben 5 euros."),
        ("User owns lamp 2-5.", "User owns lamp 5-2."),
        ("I met Ann before Bob.", "I met Bob before Ann."),
    ],
)
def test_the_same_words_in_another_order_are_something_else(app: App, first: str, second: str) -> None:
    """Both are kept, and a search shows both."""
    app.rememberer.remember(first, Owner.user("al"))
    assert not app.rememberer.remember(second, Owner.user("al")).known
    assert current(app) == [first, second]
    assert {hit.memory.text for hit in app.recall.search(Query(second, MemoryFilter((AL,))))} == {first, second}


def test_what_a_move_puts_in_doubt_becomes_doubtful(app: App) -> None:
    """As when it is learned."""
    app.rememberer.remember("User lives in Berlin.", Owner.user("al"))
    app.rememberer.remember("User's commute takes 20 minutes.", Owner.user("al"))
    app.rememberer.remember("I moved to Lyon", Owner.user("al"))
    assert {m.text: m.doubtful for m in memories_of(app.store, "al")} == {
        "I moved to Lyon": False,
        "User's commute takes 20 minutes.": True,
    }


@pytest.mark.parametrize("again", ["I am vegetarian.", "user is VEGETARIAN", "I'm a vegetarian"])
def test_what_is_known_is_not_kept_twice(app: App, again: str) -> None:
    """In these words or in others."""
    first = app.rememberer.remember("User is vegetarian.", Owner.user("al")).memory
    one = app.rememberer.remember(again, Owner.user("al"))
    assert (one.known, one.memory.id) == (True, first.id)
    assert current(app) == ["User is vegetarian."]


def test_what_says_less_is_kept_beside_what_says_more(app: App) -> None:
    """A sentence told is never lost for being shorter."""
    app.rememberer.remember("User loves hiking in the Alps.", Owner.user("al"))
    one = app.rememberer.remember("I love hiking", Owner.user("al"))
    assert not one.known
    assert [memory.text for memory in one.similar] == ["User loves hiking in the Alps."]
    assert len(current(app)) == 2


def test_what_is_close_is_named_and_what_is_not_is_not(app: App) -> None:
    """No rule says that one wifi takes the place of another."""
    for text in ("The wifi is called Falcon.", "User has a rabbit.", "User is allergic to nuts."):
        app.rememberer.remember(text, Owner.user("al"))
    one = app.rememberer.remember("The wifi is called Hawk.", Owner.user("al"))
    assert [memory.text for memory in one.similar] == ["The wifi is called Falcon."]
    assert app.rememberer.remember("My bicycle is red.", Owner.user("al")).similar == ()


def test_a_person_may_say_what_it_replaces(app: App) -> None:
    """Also afterwards, with the words that are there already."""
    old = app.rememberer.remember("The wifi is called Falcon.", Owner.user("al")).memory
    new = app.rememberer.remember("The wifi is called Hawk.", Owner.user("al")).memory
    again = told(app, "The wifi is called Hawk.", RememberOptions(replaces=[old]))
    assert (again.memory.id, [memory.id for memory in again.replaced]) == (new.id, [old.id])
    assert current(app) == ["The wifi is called Hawk."]


@pytest.mark.parametrize(
    ("text", "standing"),
    [
        ("Always answer me in German.", True),
        ("Be brief.", True),
        ("Call me Al", True),
        ("I like tea.", False),
        ("Call the plumber on Monday.", False),
        ("Réponds-moi en français.", False),
    ],
)
def test_a_wish_for_every_answer_is_seen_as_one(app: App, text: str, standing: bool) -> None:
    """In English, which is all that the rules read; the person's word goes before them."""
    assert app.rememberer.remember(text, Owner.user("al")).memory.standing is standing
    other = Draft("", Owner.user("bo"))
    assert app.rememberer.tell([text], other, RememberOptions(standing=not standing))[0].memory.standing is not standing


def test_what_is_known_becomes_a_wish_when_told_so(app: App) -> None:
    """The same sentence told once more, for every answer."""
    app.rememberer.remember("Réponds-moi en français.", Owner.user("al"))
    assert app.rememberer.remember("Réponds-moi en français.", Owner.user("al"), standing=True).memory.standing
    app.rememberer.remember("User is vegetarian.", Owner.user("al"))
    one = told(app, "I am vegetarian.", RememberOptions(standing=True))
    assert (one.memory.text, one.memory.standing) == ("I am vegetarian.", True)
    assert current(app) == ["Réponds-moi en français.", "I am vegetarian."]


def test_people_and_agents_are_held_apart(app: App) -> None:
    """Nothing of one is replaced, confirmed or shown by what another is told."""
    app.rememberer.remember("I live in Oslo.", Owner.user("bo"))
    app.rememberer.remember("I live in Oslo.", Owner.agent("shop"))
    one = app.rememberer.remember("I live in Bergen.", Owner.user("al"))
    assert (one.replaced, one.similar, one.known) == ((), (), False)
    assert [memory.text for memory in memories_of(app.store, "bo")] == ["I live in Oslo."]


def test_several_texts_are_held_against_each_other(app: App) -> None:
    """The later one counts."""
    app.rememberer.tell(["I live in Oslo.", "I live in Bergen."], Draft("", AL))
    assert current(app) == ["I live in Bergen."]


def test_several_texts_are_refused_together(app: App) -> None:
    """Before anything is stored."""
    with pytest.raises(UsageError):
        app.rememberer.tell(["User likes tea", ""], Draft("", AL))
    assert current(app) == []


def test_a_list_is_kept_as_it_stands(app: App) -> None:
    """In order, all of it or nothing, and none of it in the place of another."""
    app.rememberer.remember("User lives in Berlin.", Owner.user("al"))
    texts = [
        "I live in Oslo.",
        "I live in Bergen now.",
        *(f"Likes tea number {number}." for number in range(MANY_MEMORIES)),
    ]
    kept = app.rememberer.tell(texts, Draft("", AL), RememberOptions(standing=True))
    assert [one.memory.text for one in kept] == texts
    assert all(one.memory.standing for one in kept)
    assert current(app) == ["User lives in Berlin.", *texts]
    with pytest.raises(UsageError):
        app.rememberer.tell([*texts, " "], Draft("", AL))
    assert len(current(app)) == len(texts) + 1


WISHES = [
    "Antworte immer kurz",
    "Contesta siempre en gallego",
    "Appelle-moi Jo",
    "Mów do mnie na ty",
    "Зови меня Шурик",
    "必ず日本語で返事して",
    "回答要用繁体字",
    "반말로 대답해",
    "أجب بالفصحى دائما",
    "ענה תמיד בעברית",
    "ตอบเป็นภาษาไทยเสมอ",
    "Vastaa aina lyhyesti",
]
FACTS = [
    "Mein Auto steht in Ulm",
    "Trabajo en un banco",
    "住所は金沢",
    "Мой врач — Иванова",
    "Çay severim",
    "אני מלמדת עברית",
    "Orders ship within two days.",
    "Wifi password is tulip",
]


def test_a_wish_told_in_another_language_stands_in_every_prompt(app: App) -> None:
    """As it does in English, without a model to say so; what the person says of it counts first."""
    assert [wish for wish in WISHES if not app.rememberer.remember(wish, AL).memory.standing] == []
    assert not app.rememberer.remember("Antworte niemals lang", AL, standing=False).memory.standing


def test_a_fact_told_in_few_words_or_another_language_does_not_stand(app: App) -> None:
    """It is recalled where it bears on a request."""
    assert [fact for fact in FACTS if app.rememberer.remember(fact, AL).memory.standing] == []


@pytest.mark.parametrize(
    ("known", "new", "other"),
    [
        ("Das WLAN heißt Habicht", "Das WLAN heißt Falke", "Meine Schwester spielt Cello"),
        ("Вайфай называется Сокол", "Вайфай называется Ястреб", "Моя сестра играет на скрипке"),
        ("Wi-Fiの名前は鷹です", "Wi-Fiの名前は隼です", "妹はチェロを弾く"),
        ("我的猫叫豆包", "我的猫叫年糕", "我妹妹拉小提琴"),
        ("แมวของฉันชื่อข้าวปั้น", "แมวของฉันชื่อถั่วแดง", "พี่สาวฉันเล่นไวโอลิน"),
        ("اسم شبكة البيت صقر", "اسم شبكة البيت نسر", "أختي تعزف على الكمان"),
    ],
)
def test_what_is_told_is_held_against_what_is_known_in_every_script(app: App, known: str, new: str, other: str) -> None:
    """What is about the same thing is shown to the person, and nothing else is."""
    for text in (known, other):
        app.rememberer.remember(text, AL)
    assert [one.text for one in app.rememberer.remember(new, AL).similar] == [known]
