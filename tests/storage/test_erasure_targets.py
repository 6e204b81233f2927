import random
from pathlib import Path

import pytest

from memchat.errors import StoreError
from memchat.storage.erasure.byte_search import FEW, ByteSearcher
from memchat.storage.erasure.targets import CHUNK_BYTES, ErasureTargets, search_files_isolated


def naive(data: bytes, needles: list[bytes]) -> set[tuple[int, bytes]]:
    return {(at, n) for n in needles for at in range(len(data)) if data.startswith(n, at)}


@pytest.mark.parametrize("seed", range(8))
def test_many_needles_are_found_exactly_where_they_are(seed: int) -> None:
    """As a plain search finds them, for few and for many, overlapping, nested, at both ends."""
    chance = random.Random(seed)
    letters = bytes(chance.choices(b"ab\0", k=900)) + chance.randbytes(300)
    number = FEW // 2 if seed % 2 else FEW * 4
    needles = {bytes(chance.choices(b"ab\0", k=chance.randint(4, 20))) for _ in range(number)}
    needles |= {letters[: chance.randint(4, 40)], letters[-chance.randint(4, 40) :], letters[100:107], letters}
    for _ in range(number):
        start = chance.randrange(len(letters) - 40)
        needles.add(letters[start : start + chance.randint(4, 40)])
    chosen = sorted(needles)
    assert set(ByteSearcher(chosen).within(letters)) == naive(letters, chosen)


def test_needles_that_differ_only_at_their_end_cost_no_more(tmp_path: Path) -> None:
    """Twenty thousand sentences with the same beginning in a file that holds each of the even ones."""
    traces = ErasureTargets()
    sentences = [f"User likes the item with the number {number:06d}" for number in range(20_000)]
    for sentence in sentences:
        traces.add_text(sentence)
    (tmp_path / "file").write_text("\n".join(sentences[::2]))
    searched = search_files_isolated(tmp_path, traces)
    assert {found.needle.decode() for found in searched.findings} == set(sentences[::2])


def test_a_needle_across_two_pieces_of_a_file_is_found(tmp_path: Path) -> None:
    """Files are read in pieces, which overlap."""
    traces = ErasureTargets()
    traces.add_text("an unmistakable sentence")
    content = bytearray(CHUNK_BYTES + 1000)
    content[CHUNK_BYTES - 10 : CHUNK_BYTES + 14] = b"an unmistakable sentence"
    (tmp_path / "large").write_bytes(content)
    (tmp_path / "empty").write_bytes(b"")
    searched = search_files_isolated(tmp_path, traces)
    assert [found.file for found in searched.findings] == ["large"]
    assert (searched.files, searched.bytes) == (2, len(content))


def test_a_search_that_fails_is_an_error_of_the_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says that the erasure itself is done."""
    (tmp_path / "bisect.py").write_text("raise RuntimeError")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(StoreError, match="The data is deleted"):
        search_files_isolated(tmp_path, ErasureTargets())


def test_texts_are_blanked_the_longest_first() -> None:
    """So that no half of a longer one is left; what is too short to mean anything stays."""
    traces = ErasureTargets()
    for text in ("I like tea", "I like tea with milk", "yes", "日本茶が好き"):
        traces.add_text(text)
    given = ["Well, I like tea with milk. I like tea!", "yes", "日本茶が好きです", "", "I like", "tea"]
    assert traces.blank(given, "[x]") == ["Well, [x]. [x]!", "yes", "[x]です", "", "I like", "tea"]


def test_words_are_not_found_across_two_texts() -> None:
    """Texts are searched as one, but are not one."""
    traces = ErasureTargets()
    traces.add_text("tea with milk")
    assert traces.blank(["I like tea", " with milk", "tea with", " milk"], "[x]") == [
        "I like tea",
        " with milk",
        "tea with",
        " milk",
    ]


def test_ten_thousand_texts_are_blanked_in_twenty_thousand_messages() -> None:
    """Each where it stands and nowhere else: the cost is that of one search."""
    traces = ErasureTargets()
    for number in range(10_000):
        traces.add_text(f"I like the thing {number:05d}.")
    messages = [f"Well, I like the thing {number:05d}. And more." for number in range(20_000)]
    blanked = traces.blank(messages, "[x]")
    assert blanked[:10_000] == ["Well, [x] And more."] * 10_000
    assert blanked[10_000:] == messages[10_000:]


def test_cues_and_metadata_are_searched_for_and_blanked_nowhere() -> None:
    """They are nobody's words."""
    traces = ErasureTargets()
    traces.add_cue("choosing a restaurant")
    traces.add_metadata("kind", "shipping")
    traces.add_metadata("order", 482113)
    traces.add_metadata("short", "x yz")
    assert traces.blank(["choosing a restaurant, shipping 482113"], "[x]") == ["choosing a restaurant, shipping 482113"]
    assert traces.needles == {
        b"choosing a restaurant": "cue",
        b"shipping": "metadata",
        b'"order": 482113': "metadata",
    }


def test_vectors_are_known_by_the_beginning_of_each_row() -> None:
    """Whatever their length; rows of nothing but zeros are everywhere."""
    traces = ErasureTargets()
    rows = bytes(range(256)) * 3 + bytes(256)
    traces.add_vectors(rows, 4)
    traces.add_vectors(b"", 0)
    assert traces.needles == {bytes(range(64)): "vector"}
