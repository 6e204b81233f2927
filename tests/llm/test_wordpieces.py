"""Word pieces and their vectors."""

import numpy as np
import pytest

from memchat.core.protocols import WordPieces
from memchat.llm.minilm import MODEL_FILE
from memchat.llm.wordpieces import _ZERO_POINT, EnglishWordPieces, MultilingualWordPieces, _table


@pytest.fixture(scope="module")
def word_pieces() -> EnglishWordPieces:
    return EnglishWordPieces()


def vector(word_pieces: EnglishWordPieces, word: str) -> "np.ndarray[tuple[int], np.dtype[np.float32]]":
    (pieces,) = word_pieces.pieces([word])
    assert len(pieces) == 1
    row: np.ndarray[tuple[int], np.dtype[np.float32]] = word_pieces.vectors(pieces)[0]
    return row


def test_pieces_are_those_of_the_text_alone(word_pieces: EnglishWordPieces) -> None:
    """No special tokens, no padding to a common length, no cut of long texts."""
    short, long, none = word_pieces.pieces(["Cat cat", "dog " * 700, ""])
    assert short.dtype == np.int64
    assert len(short) == 2
    assert short[0] == short[1]
    assert len(long) == 700
    assert len(none) == 0
    assert not {101, 102, 0} & set(short.tolist())


def test_related_words_are_nearer_than_unrelated_ones(word_pieces: EnglishWordPieces) -> None:
    """The rows found in the file are the words they should be."""
    cat = vector(word_pieces, "cat")
    assert cat @ vector(word_pieces, "dog") > cat @ vector(word_pieces, "seven") + 0.2
    assert vector(word_pieces, "monday") @ vector(word_pieces, "tuesday") > 0.5


def test_the_table_is_where_the_model_file_has_it() -> None:
    """In the file its bytes stand behind its name, the tag of raw data (field 9) and their count as a varint."""
    content, size = MODEL_FILE.read_bytes(), 30_522 * 384
    count = bytes([size & 127 | 128, size >> 7 & 127 | 128, size >> 14 & 127 | 128, size >> 21])
    head = b"m.embeddings.word_embeddings.weight_quantized" + b"J" + count
    start = content.index(head) + len(head)
    assert _table().tobytes() == content[start : start + size]
    zero = b"*\x01" + bytes([_ZERO_POINT])
    assert zero + b"B.m.embeddings.word_embeddings.weight_zero_point" in content


def test_vectors_are_of_unit_length_one_row_a_piece(word_pieces: EnglishWordPieces) -> None:
    """Every row of the table can be asked for, in any order and more than once."""
    rows = word_pieces.vectors(np.array([30521, 2000, 2000, 0], dtype=np.int64))
    assert rows.shape == (4, 384)
    assert rows.dtype == np.float32
    assert np.linalg.norm(rows, axis=1) == pytest.approx(np.ones(4), abs=1e-5)
    assert (rows[1] == rows[2]).all()


def test_no_pieces_give_no_rows(word_pieces: EnglishWordPieces) -> None:
    """A text of nothing but spaces has no pieces and no vectors."""
    (pieces,) = word_pieces.pieces(["  "])
    assert word_pieces.vectors(pieces).shape == (0, 384)


@pytest.mark.parametrize("text", ["\ud800", "a\0b", "🙂🙂", "w" * 20_000, "ꙮ" * 9_000])
@pytest.mark.parametrize("word_pieces", [EnglishWordPieces(), MultilingualWordPieces()])
def test_any_string_can_be_taken_apart(word_pieces: WordPieces, text: str) -> None:
    """Lone surrogates, NULs, emoji and endless words are no reason to fail."""
    (pieces,) = word_pieces.pieces([text])
    assert word_pieces.vectors(pieces).shape == (len(pieces), 384)


def test_words_english_pieces_cannot_spell_match_nothing(word_pieces: EnglishWordPieces) -> None:
    """One piece stands for all of them, and would make any two texts in such a script alike."""
    (pieces,) = word_pieces.pieces(["ธนาคาร"])
    assert not word_pieces.vectors(pieces).any()


@pytest.mark.parametrize(
    ("one", "related", "unrelated"),
    [("Hund", "Katze", "sieben"), ("猫", "犬", "七"), ("собака", "кошка", "семь"), ("dog", "Hund", "Steuer")],
)
def test_multilingual_pieces_of_related_words_are_near(one: str, related: str, unrelated: str) -> None:
    """Within a language and across."""
    multilingual = MultilingualWordPieces()
    first, near, far = (multilingual.vectors(pieces) for pieces in multilingual.pieces([one, related, unrelated]))
    assert float((first @ near.T).max()) > float((first @ far.T).max())


def test_multilingual_pieces_ignore_case() -> None:
    """As the index of words does."""
    one, other = MultilingualWordPieces().pieces(["Straße nach Graz", "STRASSE NACH GRAZ"])
    assert one.tolist() == other.tolist()


def test_a_run_no_multilingual_piece_spells_matches_itself_alone() -> None:
    """It has an id of its own, so that the exact word can still be found."""
    multilingual = MultilingualWordPieces()
    one, same, other = multilingual.pieces(["ꙮꙮ", "a ꙮꙮ b", "ꔀꔁ"])
    assert one[-1] in same
    assert one[-1] not in other
    assert abs(float((multilingual.vectors(one[-1:]) @ multilingual.vectors(other[-1:]).T).item())) < 0.3


def test_what_is_common_is_expected_in_more_texts() -> None:
    """In either vocabulary; a word without pieces is taken for a common one."""
    for word_pieces in (EnglishWordPieces(), MultilingualWordPieces()):
        the, squirrel = word_pieces.expected_shares(word_pieces.pieces(["the", "squirrel"]))
        assert 0 < squirrel < the <= 0.5
