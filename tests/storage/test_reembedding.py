"""Vectors of an earlier built-in embedder give way to those of the present one."""

from pathlib import Path

import pytest

from memchat.core.protocols import MemoryFilter
from memchat.recall.retriever import Query
from memchat.storage.vectors.reembedding import Reembedding, moves_by_itself, others, others_notice
from tests.learning.harness import AL, EMBEDDER, Home

FORMER = "builtin/all-MiniLM-L6-v2-int8:384"


def aged(home: Home, fingerprint: str) -> None:
    """Make all stored vectors those of another embedder."""
    home.store.database.execute("UPDATE vectors SET fingerprint = ?", (fingerprint,))


def found(home: Home, request: str) -> list[str]:
    return [hit.memory.text for hit in home.recall.search(Query(request, MemoryFilter((AL,))))]


def test_outdated_vectors_are_made_again_and_an_interruption_loses_nothing(tmp_path: Path) -> None:
    """The rest is done by whoever goes on; once nothing is left there is nothing to do."""
    with Home(tmp_path) as home:
        home.keep(*(f"User owns book number {number}." for number in range(40)))
        aged(home, FORMER)
        first = Reembedding(home.store.memories).renew_outdated(EMBEDDER)
        assert next(first) == 16
        first.close()
        assert others(home.store.database, EMBEDDER.fingerprint) == {FORMER: 24}
        assert list(Reembedding(home.store.memories).renew_outdated(EMBEDDER)) == [16, 8]
        assert others(home.store.database, EMBEDDER.fingerprint) == {}
        assert list(Reembedding(home.store.memories).renew_outdated(EMBEDDER)) == []


def test_memories_are_found_by_meaning_again_once_all_are_renewed(tmp_path: Path) -> None:
    """Caches that were read before know of the new vectors."""
    with Home(tmp_path) as home:
        home.keep("Der Nutzer wohnt in Hamburg.", "Der Nutzer fährt einen Traktor.")
        aged(home, FORMER)
        request = "In welcher Stadt bin ich zu Hause?"
        assert found(home, request) == []
        list(Reembedding(home.store.memories).renew_outdated(EMBEDDER))
        assert found(home, request) == ["Der Nutzer wohnt in Hamburg."]


@pytest.mark.parametrize(("fingerprint", "found"), [("openai/small:1536", [FORMER]), (FORMER, ["openai/small:1536"])])
def test_vectors_of_a_chosen_model_are_left_to_reindex(fingerprint: str, found: list[str]) -> None:
    """They may cost money, or have cost some."""
    assert not moves_by_itself(fingerprint, found)


def test_the_notice_says_what_happens_by_itself(tmp_path: Path) -> None:
    """And how to have it at once."""
    with Home(tmp_path) as home:
        home.keep("User has a cat.")
        assert others_notice(home.store.database, EMBEDDER.fingerprint) is None
        aged(home, FORMER)
        notice = others_notice(home.store.database, EMBEDDER.fingerprint) or ""
        assert "1 memory was read with an earlier built-in model" in notice
        assert "memchat reindex" in notice
