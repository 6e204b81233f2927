"""Which vectors a memory gets, in which order, and that a batch keeps them apart."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from memchat.core.protocols import VectorKind
from memchat.core.types import Draft, Owner
from memchat.text.embedding import MAX_SENTENCES, embed, texts_to_embed

if TYPE_CHECKING:
    from memchat.core.protocols import Vectors

AL = Owner.user("al")


class CountingEmbedder:
    """Gives text number n the vector of n, and keeps what it was asked."""

    fingerprint = "counting/1"
    dimension = 1

    def __init__(self) -> None:
        self.calls: list[list[str]] = []

    def embed(self, texts: Sequence[str]) -> "Vectors":
        self.calls.append(list(texts))
        return np.arange(len(texts), dtype=np.float32).reshape(-1, 1)


def test_a_memory_is_embedded_by_text_joined_and_cues() -> None:
    """Without cues its text is all there is."""
    assert texts_to_embed(Draft("User is vegan.", AL)) == [(VectorKind.TEXT, "User is vegan.")]
    assert texts_to_embed(Draft("User is vegan.", AL, cues=("eating out", "recipes"))) == [
        (VectorKind.TEXT, "User is vegan."),
        (VectorKind.JOINED, "User is vegan.; eating out; recipes"),
        (VectorKind.CUE, "eating out"),
        (VectorKind.CUE, "recipes"),
    ]


def test_a_turn_is_embedded_with_the_one_before_and_by_its_sentences() -> None:
    """The speaker's name is left out of all of them; a lone sentence is not said twice."""
    assert texts_to_embed(Draft("Ana: Yes.", AL, verbatim=True)) == [(VectorKind.TEXT, "Yes.")]
    assert texts_to_embed(Draft("Ana: Yes. In May.", AL, verbatim=True), "Leo: Are you moving?") == [
        (VectorKind.WINDOW, "Are you moving?\nYes. In May."),
        (VectorKind.SENTENCE, "Yes."),
        (VectorKind.SENTENCE, "In May."),
    ]
    assert texts_to_embed(Draft("Ana: Yes.", AL, verbatim=True), "Leo: Are you moving?") == [
        (VectorKind.WINDOW, "Are you moving?\nYes."),
        (VectorKind.SENTENCE, "Yes."),
    ]


def test_a_long_turn_has_a_bounded_number_of_vectors() -> None:
    """Its first sentences; the rest is in its own vector."""
    long = "Word one. " * 100
    kinds = [kind for kind, _ in texts_to_embed(Draft(long, AL, verbatim=True))]
    assert kinds == [VectorKind.TEXT, *[VectorKind.SENTENCE] * MAX_SENTENCES]


def test_a_batch_is_one_call_and_every_draft_gets_its_own_rows() -> None:
    """In the order given; the turn before goes with its draft."""
    embedder = CountingEmbedder()
    drafts = [
        Draft("User is vegan.", AL, cues=("eating out",)),
        Draft("Yes.", AL, verbatim=True),
        Draft("User has a cat.", AL),
    ]
    found = embed(embedder, drafts, [None, "Leo: Really?", None])
    assert len(embedder.calls) == 1
    assert [one.kinds for one in found] == [
        (VectorKind.TEXT, VectorKind.JOINED, VectorKind.CUE),
        (VectorKind.WINDOW, VectorKind.SENTENCE),
        (VectorKind.TEXT,),
    ]
    assert [one.rows[:, 0].tolist() for one in found] == [[0, 1, 2], [3, 4], [5]]
    assert embedder.calls[0][3] == "Really?\nYes."


def test_nothing_to_embed_gives_nothing() -> None:
    """A turn that taught nothing costs no model run of its own."""
    assert embed(CountingEmbedder(), []) == []


def test_no_drafts_ask_nobody() -> None:
    """An exchange that teaches nothing costs no call."""
    embedder = CountingEmbedder()
    assert embed(embedder, []) == []
    assert embedder.calls == []
