"""Word pieces and their vectors."""

import numpy as np
import pytest

from memchat.llm.builtin_embedder import MODEL_FILE
from memchat.llm.wordpieces import _ZERO_POINT, BuiltinWordPieces, _table


@pytest.fixture(scope="module")
def lexicon() -> BuiltinWordPieces:
    return BuiltinWordPieces()


def vector(lexicon: BuiltinWordPieces, word: str) -> "np.ndarray[tuple[int], np.dtype[np.float32]]":
    (pieces,) = lexicon.pieces([word])
    assert len(pieces) == 1
    row: np.ndarray[tuple[int], np.dtype[np.float32]] = lexicon.vectors(pieces)[0]
    return row


def test_pieces_are_those_of_the_text_alone(lexicon: BuiltinWordPieces) -> None:
    """No special tokens, no padding to a common length, no cut of long texts."""
    short, long, none = lexicon.pieces(["Cat cat", "dog " * 700, ""])
    assert short.dtype == np.int64
    assert len(short) == 2
    assert short[0] == short[1]
    assert len(long) == 700
    assert len(none) == 0
    assert not {101, 102, 0} & set(short.tolist())


def test_related_words_are_nearer_than_unrelated_ones(lexicon: BuiltinWordPieces) -> None:
    """The rows found in the file are the words they should be."""
    cat = vector(lexicon, "cat")
    assert cat @ vector(lexicon, "dog") > cat @ vector(lexicon, "seven") + 0.2
    assert vector(lexicon, "monday") @ vector(lexicon, "tuesday") > 0.5


def test_the_table_is_where_the_model_file_has_it() -> None:
    """In the file its bytes stand behind its name, the tag of raw data (field 9) and their count as a varint."""
    content, size = MODEL_FILE.read_bytes(), 30_522 * 384
    count = bytes([size & 127 | 128, size >> 7 & 127 | 128, size >> 14 & 127 | 128, size >> 21])
    head = b"m.embeddings.word_embeddings.weight_quantized" + b"J" + count
    start = content.index(head) + len(head)
    assert _table().tobytes() == content[start : start + size]
    zero = b"*\x01" + bytes([_ZERO_POINT])
    assert zero + b"B.m.embeddings.word_embeddings.weight_zero_point" in content


def test_vectors_are_of_unit_length_one_row_a_piece(lexicon: BuiltinWordPieces) -> None:
    """Every row of the table can be asked for, in any order and more than once."""
    rows = lexicon.vectors(np.array([30521, 2000, 2000, 0], dtype=np.int64))
    assert rows.shape == (4, 384)
    assert rows.dtype == np.float32
    assert np.linalg.norm(rows, axis=1) == pytest.approx(np.ones(4), abs=1e-5)
    assert (rows[1] == rows[2]).all()


def test_no_pieces_give_no_rows(lexicon: BuiltinWordPieces) -> None:
    """A text of nothing but spaces has no pieces and no vectors."""
    (pieces,) = lexicon.pieces(["  "])
    assert lexicon.vectors(pieces).shape == (0, 384)


@pytest.mark.parametrize("text", ["\ud800", "a\0b", "🙂🙂"])
def test_any_string_can_be_taken_apart(lexicon: BuiltinWordPieces, text: str) -> None:
    """Lone surrogates, NULs and emoji are no reason to fail."""
    (pieces,) = lexicon.pieces([text])
    assert lexicon.vectors(pieces).shape == (len(pieces), 384)
