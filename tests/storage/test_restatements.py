"""What answers repeat of a forgotten memory goes with it."""

from pathlib import Path

import pytest

from memchat.app import App
from memchat.config import Settings
from memchat.core.types import MessageStatus, Owner
from memchat.text.normalize import sentences_restating


def test_sentences_that_say_it_again_are_found() -> None:
    """Every word of the fact must be there, inflected or not; what shares only some of them stays."""
    fact = "User is allergic to peanuts."
    answer = "Sure.\n- You are allergic to peanuts, a peanut allergy.\n- Peanuts grow underground."
    assert sentences_restating(fact, answer) == ["- You are allergic to peanuts, a peanut allergy."]
    assert sentences_restating("User lives in Berlin.", "You live in Berlin. Berlin is large.") == [
        "You live in Berlin."
    ]
    assert sentences_restating("User is vegetarian.", "Try the vegetable stall.") == []


@pytest.mark.parametrize(
    ("fact", "said", "other"),
    [
        ("Die Nutzerin ist Laborantin.", "Sie sind Laborantin.", "Der Himmel ist blau."),
        ("El usuario vive en Sevilla.", "Usted vive en Sevilla.", "Sevilla es bonita."),
        ("L'utilisatrice est allergique aux noix.", "Vous êtes allergique aux noix.", "Les noix sont grasses."),
        ("Пользователь работает в банке.", "Вы работаете в банке.", "Банки закрыты."),
        ("用户住在柏林。", "你住在柏林。", "柏林很大。"),
        ("ユーザーは猫を飼っている。", "あなたは猫を飼っている。", "犬もかわいい。"),
    ],
)
def test_sentences_that_say_it_again_are_found_in_other_languages(fact: str, said: str, other: str) -> None:
    """They say "you", not "the user", and conjugate another verb."""
    assert sentences_restating(fact, f"{other}\n{said}") == [said]


def test_an_answer_that_used_a_memory_no_longer_repeats_it(home: Path) -> None:
    """The sentence of the answer is blanked and nothing of it is left in any file; the rest of the answer stays."""
    with App(Settings(home, "alice")) as app:
        memory = app.rememberer.remember("User is allergic to peanuts.", Owner.user("alice")).memory
        conversations = app.store.conversations
        asked = conversations.begin_turn(conversations.new_session("alice", None), "What should I avoid?", None)
        answer = "Here is what I know.\nYou are allergic to peanuts."
        conversations.end_turn(asked, answer, MessageStatus.COMPLETE, "test", [memory.id])
        receipt = app.memory_service.forget([memory.id])
        assert receipt.left == ()
        assert [message.text for message in conversations.messages(asked.session_id)] == [
            "What should I avoid?",
            "Here is what I know.\n[forgotten]",
        ]
    assert not any(b"peanut" in path.read_bytes() for path in home.rglob("*") if path.is_file())
