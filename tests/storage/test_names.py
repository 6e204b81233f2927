"""Names that differ only in their Unicode form are one person, agent or conversation, in new stores and in old ones."""

import sqlite3
import unicodedata
from pathlib import Path

import pytest

from memchat.app import App
from memchat.chat.sessions import ChatOptions, open_session
from memchat.config import Settings
from memchat.core.names import composed, composed_id
from memchat.core.protocols import MemoryFilter
from memchat.core.types import Owner, Role, run_session
from memchat.recall.retriever import Query
from memchat.storage.migrations import MIGRATIONS

NAMES = [
    "Jörg",
    "José",
    "Zoë Ångström",
    "Nguyễn Văn Ảnh",
    "각하나",
    "がぎ",
    "Ćwikła",
    "אַבָּא",
    "ผู้ใช้น้ำ",
    "क़लम",
    "Ἀχιλλεύς",
]


def apart(name: str) -> str:
    return unicodedata.normalize("NFD", name)


def app_of(home: Path, user: str) -> App:
    return App(Settings(home, user, model="offline"))


def told(home: Path, user: str, *texts: str) -> None:
    with app_of(home, user) as app:
        for text in texts:
            app.rememberer.remember(text, Owner.user(user))


def texts_of(home: Path, user: str) -> list[str]:
    with app_of(home, user) as app:
        return sorted(one.text for one in app.store.memories.memories(MemoryFilter((Owner.user(user),))))


def spelled_apart(home: Path, *changes: tuple[str, tuple[str, ...]]) -> None:
    """Make the store one of a version that kept names as they came."""
    connection = sqlite3.connect(next(home.glob("*.db")))
    for sql, values in changes:
        connection.execute(sql, values)
    before = [name for name, _ in MIGRATIONS].index("names in one Unicode form")
    connection.execute(f"PRAGMA user_version = {before}")
    connection.commit()
    connection.close()


@pytest.mark.parametrize("name", NAMES)
def test_a_person_is_the_same_in_either_form(tmp_path: Path, name: str) -> None:
    """What is told under one is found under the other, and what is forgotten there is forgotten."""
    told(tmp_path, name, "I live in Graz")
    assert texts_of(tmp_path, apart(name)) == ["I live in Graz"]
    assert Owner.user(name) == Owner.user(apart(name))
    assert run_session(name, None, name) == run_session(apart(name), None, apart(name))
    with app_of(tmp_path, apart(name)) as app:
        app.store.erase_person(apart(name))
    assert texts_of(tmp_path, name) == []


@pytest.mark.parametrize("name", NAMES)
def test_a_conversation_is_taken_up_by_its_name_in_either_form(tmp_path: Path, name: str) -> None:
    """Its agent may be spelled in either, too."""
    with app_of(tmp_path, name) as app:
        conversations = app.store.conversations
        first = open_session(ChatOptions(name, agent=name, session=name), conversations, app.settings)
        conversations.begin_turn(first, "hello")
        options = ChatOptions(apart(name), agent=apart(name), session=apart(name))
        again = open_session(options, conversations, app.settings)
        assert (again.id, again.messages) == (first.id, 1)
        assert conversations.latest_session(apart(name)) == again


def test_a_store_with_the_other_form_alone_keeps_working(tmp_path: Path) -> None:
    """Memories, conversations, runs and pending work are found under the one form that is left."""
    run = run_session("Jörg", None, "Kür")
    with app_of(tmp_path, "Jörg") as app:
        session = app.store.conversations.new_session("Jörg", "Börse", name=run)
        app.store.conversations.begin_turn(session, "I like tea")
    told(tmp_path, "Jörg", "I live in Graz")
    old_run = "Ku%CC%88r@Jo%CC%88rg"
    spelled_apart(
        tmp_path,
        ("UPDATE owners SET name = ?", (apart("Jörg"),)),
        ("PRAGMA foreign_keys = OFF", ()),
        ("UPDATE sessions SET user = ?, agent = ?, id = ?", (apart("Jörg"), apart("Börse"), old_run)),
        ("UPDATE messages SET session_id = ?", (old_run,)),
        ("UPDATE work SET session_id = ?", (old_run,)),
    )
    assert texts_of(tmp_path, "Jörg") == ["I live in Graz"]
    with app_of(tmp_path, "Jörg") as app:
        (session,) = app.store.conversations.sessions("Jörg")
        assert (session.id, session.agent, session.messages) == (run, "Börse", 1)


def test_a_store_with_both_forms_has_them_merged(tmp_path: Path) -> None:
    """What both said is one memory; all of it is recalled by words and by meaning, and in the right order."""
    told(tmp_path, "Jörg", "My dog is called Bodo", "I live in Graz")
    told(tmp_path, "other", "I live in Graz", "My sister plays the cello")
    spelled_apart(tmp_path, ("UPDATE owners SET name = ? WHERE name = 'other'", (apart("Jörg"),)))
    assert texts_of(tmp_path, "Jörg") == ["I live in Graz", "My dog is called Bodo", "My sister plays the cello"]
    with app_of(tmp_path, apart("Jörg")) as app:
        view = MemoryFilter((Owner.user("Jörg"),))
        for request in ("cello", "What instrument does my sister play?"):
            assert "My sister plays the cello" in [hit.memory.text for hit in app.recall.search(Query(request, view))]
        history = app.store.memories.memories(MemoryFilter((Owner.user("Jörg"),), superseded=True))
        assert [one.text for one in history].count("I live in Graz") == 2


def test_conversations_of_one_name_are_merged_unless_they_are_of_two_people(tmp_path: Path) -> None:
    """Nobody gets to see what another said."""
    with app_of(tmp_path, "Jörg") as app:
        for user, name, words in (
            ("Jörg", "Küche", "first"),
            ("Jörg", "kueche", "second"),
            ("ann", "Börse", "of ann"),
            ("bob", "boerse", "of bob"),
        ):
            session = app.store.conversations.new_session(user, None, name=name)
            app.store.conversations.begin_turn(session, words)
    changes = []
    for old, new in (("kueche", apart("Küche")), ("boerse", apart("Börse"))):
        changes += [
            ("UPDATE sessions SET id = ? WHERE id = ?", (new, old)),
            ("UPDATE messages SET session_id = ? WHERE session_id = ?", (new, old)),
            ("UPDATE work SET session_id = ? WHERE session_id = ?", (new, old)),
        ]
    spelled_apart(tmp_path, ("PRAGMA foreign_keys = OFF", ()), *changes)
    with app_of(tmp_path, "Jörg") as app:
        conversations = app.store.conversations

        def said(user: str) -> list[list[str]]:
            return [
                [one.text for one in conversations.messages(session.id) if one.role is Role.USER]
                for session in conversations.sessions(user)
            ]

        assert said("Jörg") == [["first", "second"]]
        assert said("ann") == [["of ann"]]
        assert said("bob") == [["of bob"]]


def test_after_the_merge_a_person_is_forgotten_down_to_the_bytes(tmp_path: Path) -> None:
    """In no file is left what either form told."""
    told(tmp_path, "Jörg", "My dog is called Bodolino")
    told(tmp_path, "other", "My sister plays the violoncello")
    spelled_apart(tmp_path, ("UPDATE owners SET name = ? WHERE name = 'other'", (apart("Jörg"),)))
    with app_of(tmp_path, "Jörg") as app:
        app.store.erase_person("Jörg")
        app.store.finish_erasures()
    left = [file for file in tmp_path.rglob("*") if file.is_file()]
    for trace in ("Bodolino", "violoncello", "Jörg", apart("Jörg")):
        assert not [file.name for file in left if trace.encode() in file.read_bytes()], trace


@pytest.mark.parametrize(
    ("id_", "one"),
    [
        ("plain", "plain"),
        ("a@b@c", "a@b@c"),
        ("50% off@al", "50% off@al"),
        (apart("Küche"), "Küche"),
        ("Ku%CC%88r@Jo%CC%88rg", "K%C3%BCr@J%C3%B6rg"),
        ("Ku%CC%88r@/Jo%CC%88rg", "K%C3%BCr@/J%C3%B6rg"),
        ("run 1: x@Jo%CC%88rg", "run 1: x@J%C3%B6rg"),
    ],
)
def test_an_id_made_of_names_is_made_of_composed_ones(id_: str, one: str) -> None:
    """An id that only looks like one stays as it is."""
    assert composed_id(id_) == one
    assert composed(None) is None
