"""The summands of a score, each by itself, on the built-in embedder's own word pieces."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from memchat.core.protocols import VectorKind, WordPieces
from memchat.llm.wordpieces import EnglishWordPieces, MultilingualWordPieces
from memchat.recall.scoring import (
    ANSWERED_WEIGHT,
    NEIGHBOUR_WEIGHT,
    as_first_person,
    asks,
    common_names,
    floor,
    meaning,
    names_in,
    neighbours,
    soft_match,
    subjects_in,
    without_names,
    word_score,
    word_weights,
)

LEXICON = EnglishWordPieces()


def shares(request: str, *texts: str, weights: Sequence[float] | None = None) -> list[float]:
    (query,) = LEXICON.pieces([request])
    weighed = np.asarray(weights or [1.0] * len(query), dtype=np.float32)
    return [float(share) for share in soft_match(query, weighed, LEXICON.pieces(list(texts)), LEXICON)]


# Words.


def test_a_memory_with_all_the_words_has_them_wholly_and_one_with_none_not_at_all() -> None:
    """Between them stand words of like meaning."""
    same, alike, other = shares("dog", "the dog barks", "two puppies and dogs", "quarterly tax report")
    assert same == pytest.approx(1.0, abs=1e-3)
    assert 0 < alike < same
    assert other == 0


def test_rare_words_weigh_more_than_common_ones() -> None:
    """A memory with the heavy half of a request beats one with the light half."""
    heavy, light = shares("tokyo blue", "tokyo", "blue", weights=[9.0, 1.0])
    assert heavy == pytest.approx(0.9, abs=0.05)
    assert light < 0.2
    rare, common = word_weights([1, 900], 1_000, [0.0001, 0.5])
    assert rare > common > 0


@pytest.mark.parametrize("word_pieces", [EnglishWordPieces(), MultilingualWordPieces()])
def test_a_small_store_takes_what_is_common_from_general_language(word_pieces: WordPieces) -> None:
    """With no memories at all, 'the' weighs less than a rare word."""
    the, rare = word_weights([0, 0], 0, word_pieces.expected_shares(word_pieces.pieces(["the", "squirrel"])))
    assert the < rare


@given(st.lists(st.tuples(st.integers(0, 10**6), st.floats(0, 1)), min_size=1), st.integers(0, 10**6))
def test_weights_are_always_positive_and_finite(words: list[tuple[int, float]], memories: int) -> None:
    """Whatever the counts say, also where they run ahead of the number of memories."""
    weights = word_weights([found for found, _ in words], memories, [share for _, share in words])
    assert np.isfinite(weights).all()
    assert (weights > 0).all()


def test_empty_requests_and_memories_share_nothing() -> None:
    """No division by nothing."""
    empty = np.zeros(0, dtype=np.int64)
    assert soft_match(empty, np.zeros(0, dtype=np.float32), LEXICON.pieces(["a"]), LEXICON).tolist() == [0]
    assert shares("dog") == []
    assert shares("dog", "", "dog") == pytest.approx([0, 1], abs=1e-3)


def test_few_alike_words_among_many_cues_prove_little() -> None:
    """All words count wholly either way."""
    assert word_score(0.5, cued=False) == 0.5
    assert word_score(0.5, cued=True) < 0.5
    assert word_score(1.0, cued=True) == 1.0


# Meaning.


def test_meaning_is_half_the_own_vector_and_half_the_best_other() -> None:
    """The joined vector is the memory's own where there is one, else its text."""
    text, joined, cue = VectorKind.TEXT, VectorKind.JOINED, VectorKind.CUE
    assert meaning([[0.0, 0.7, 1.0]], (text, joined, cue)) == pytest.approx(0.85)
    assert meaning([[0.0, 0.7, 1.0]], (text, cue, cue)) == pytest.approx(0.5)
    assert meaning([[0.7]], (text,)) == pytest.approx(0.7)


def test_the_nearest_text_of_a_request_counts_as_a_whole() -> None:
    """Its best own and its best other are not mixed from two texts."""
    kinds = (VectorKind.TEXT, VectorKind.CUE)
    assert meaning([[1.0, 0.0], [0.0, 1.0]], kinds) == pytest.approx(0.5)
    assert meaning([[1.0, 0.0], [0.7, 0.7]], kinds) == pytest.approx(0.7)


# Neighbours, questions, names.


def test_a_turn_gains_most_from_the_question_it_answers() -> None:
    """Otherwise from the better of the turns beside it, halved."""
    assert neighbours(0.4, 0.2, answered=True) == pytest.approx(ANSWERED_WEIGHT * 0.4)
    assert neighbours(0.4, 0.2, answered=False) == pytest.approx(NEIGHBOUR_WEIGHT * 0.4)
    assert neighbours(0.1, 0.6, answered=False) == pytest.approx(NEIGHBOUR_WEIGHT * 0.6)


def test_a_question_ends_with_its_mark() -> None:
    """One early in a long text is none."""
    assert asks("Where do you live?")
    assert asks("Really? Oh.")
    assert not asks("Why? " + "Because it was late. " * 5)
    assert not asks("I live here.")
    assert not asks(None)


def test_names_are_capitalised_words_that_open_no_sentence() -> None:
    """Months, weekdays and question words are none."""
    assert names_in("When did Ana meet Léon in May?") == {"Ana", "Léon"}
    assert names_in("User likes tea.") == frozenset()


def test_a_request_is_put_as_the_named_person_would() -> None:
    """Or without the name, for facts about somebody."""
    names = frozenset({"Ana"})
    assert as_first_person("Where is Ana's cat and what does Ana eat? Anabel?", names) == (
        "Where is my cat and what does I eat? Anabel?"
    )
    assert without_names("Where is Ana’s cat, Ana? Anabel", names) == "Where is cat,? Anabel"
    assert without_names("Ana", names) == ""


def test_only_names_in_many_texts_are_those_of_speakers() -> None:
    """Of the others the texts tell in the third person, so that a request for them is left as it is."""
    assert common_names(frozenset({"Ana", "Max"}), {"ana": 60, "max": 3}, 100) == {"Ana"}
    assert common_names(frozenset({"Ana"}), {}, 0) == frozenset()


def test_the_floor_rises_slowly_with_the_number_of_memories() -> None:
    """The best of many unrelated ones scores higher than the best of few."""
    floors = [floor(memories) for memories in (0, 1, 10, 1_000, 100_000)]
    assert floors[0] == floors[1]
    assert floors[1:] == sorted(set(floors[1:]))
    assert 0 < floors[0] < floors[-1] < 0.6


def test_a_request_is_about_those_whom_it_names_without_a_possessive() -> None:
    """Unless all names are possessive."""
    both = frozenset({"Ann", "Ben"})
    assert subjects_in("What does Ann think of Ben's plan?", both) == {"Ann"}
    assert subjects_in("What have Ann and Ben done?", both) == both
    assert subjects_in("What is Ann's view of Ben's plan?", both) == both
