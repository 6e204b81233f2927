"""Other programs' files: recognised by what is in them, read within bounds, whatever they hold."""

import gzip
import io
import json
import zipfile
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memchat.core.types import Owner, Role
from memchat.errors import UsageError
from memchat.importers import files
from memchat.importers.files import read_file
from memchat.importers.found import Found, Reading
from tests.importers.samples import DIALOGUES, FACTS, as_json, as_lines, chatgpt, zipped

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def read(raw: bytes) -> Found:
    return read_file(raw, Reading(Owner.user("alice"), NOW, str.strip))


@pytest.mark.parametrize(("name", "raw"), DIALOGUES.items(), ids=DIALOGUES.keys())
def test_a_dialogue_is_read_in_order_with_its_dates(name: str, raw: bytes) -> None:
    """What was hidden, replaced or said by tools is no part of it."""
    found = read(raw)
    assert found.formats == [name]
    (dialogue,) = found.dialogues
    assert (dialogue.messages[0].role, dialogue.messages[0].text) == (Role.USER, "I live in Berlin.")
    assert [said.text.removesuffix(".") for said in dialogue.messages][1:] in (["Noted"], ["Noted & kept"])
    if name != "chat messages":
        assert {said.at.year for said in dialogue.messages} <= {2023, 2024}
    assert found.skipped == []


@pytest.mark.parametrize(("raw", "texts"), FACTS.values(), ids=FACTS.keys())
def test_facts_are_read_without_furniture(raw: bytes, texts: list[str]) -> None:
    """Headings, rules, tables, code and what was deleted are none."""
    assert [record.memory.text for record in read(raw).facts] == texts


def test_a_bad_record_is_named_by_its_place_and_the_others_are_read() -> None:
    """In an archive by the file as well."""
    lines = as_lines({"text": "Likes tea"}) + b'\n{"text": \n' + as_lines({"text": "Likes jam"})
    found = read(lines)
    assert [record.memory.text for record in found.facts] == ["Likes tea", "Likes jam"]
    assert [(one.place, one.reason) for one in found.skipped] == [("Line 2", "is not valid JSON")]
    assert [one.place for one in read(zipped(a__jsonl=lines)).skipped] == ["a.jsonl, line 2"]
    assert [one.place for one in read(as_json([chatgpt(), 7])).skipped] == ["Entry 2"]


def test_an_archive_is_unpacked_within_bounds_and_never_to_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that leads out of a folder is a name; more bytes than allowed are refused whatever the header says."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("../../etc/memories.json", json.dumps(["Likes tea"]))
        archive.writestr("/absolute.json", json.dumps(["Likes jam"]))
    assert [record.memory.text for record in read(target.getvalue()).facts] == ["Likes tea", "Likes jam"]
    monkeypatch.setattr(files, "MOST_BYTES", 1 << 20)
    with pytest.raises(UsageError, match="larger than 1 MB"):
        read(zipped(a__json=b"[" + b" " * (2 << 20) + b"]"))


@pytest.mark.parametrize("cut", [10, 30, 60, 100, -1])
def test_a_truncated_archive_is_refused(cut: int) -> None:
    """With a sentence."""
    raw = zipped(conversations__json=as_json([chatgpt(number) for number in range(50)]))
    with pytest.raises(UsageError):
        read(raw[:cut])


@pytest.mark.parametrize(
    "raw",
    [
        as_json([{"mapping": {"a": {"parent": "a", "message": None}}, "current_node": "a"}]),
        as_json([{"mapping": {"a": None, "b": 7}, "current_node": 3}]),
        as_json([{"mapping": {"a": {"message": {"author": [], "content": 1, "metadata": "x"}}}}]),
        as_json([{"chat_messages": [None, 3, {"sender": []}], "uuid": 7}]),
        as_json([{"chat": {"history": {"currentId": "a", "messages": {"a": {"parentId": "a", "role": "user"}}}}}]),
        as_json([{"header": "Gemini", "title": 1, "time": "soon", "products": 3}]),
        as_lines({"type": "entity", "name": None, "observations": 3}),
        as_lines({"messages": [{"role": None, "content": None}]}),
        b"[" * 50_000,
        b"\x00" * 100,
        b'role,content\n"user',
        b"",
    ],
)
def test_odd_files_are_read_without_a_bug(raw: bytes) -> None:
    """Nothing of them can be used, and that is all."""
    try:
        found = read(raw)
    except UsageError:
        return
    assert all(not dialogue.messages for dialogue in found.dialogues)


SAMPLES = DIALOGUES | {name: raw for name, (raw, _) in FACTS.items()}
"""A file of each format, as its program writes it."""


@pytest.mark.parametrize("raw", SAMPLES.values(), ids=SAMPLES.keys())
def test_a_file_of_any_format_that_was_cut_off_is_read_as_far_as_it_goes(raw: bytes) -> None:
    """Or refused with a sentence, wherever it was cut."""
    for cut in {*range(0, len(raw), max(len(raw) // 60, 1)), len(raw) - 1}:
        with suppress(UsageError):
            read(raw[:cut])


@pytest.mark.parametrize("raw", SAMPLES.values(), ids=SAMPLES.keys())
@pytest.mark.parametrize(
    "put",
    [b"\x00", b"\\u0000", b"\\ud800", b'" ' + b"[" * 50_000, b'": ' + b'{"a":' * 50_000, b"\xff\xfe", b"\r\x1b[2J"],
    ids=["NUL", "escaped NUL", "half a pair", "deep lists", "deep objects", "no UTF-8", "terminal codes"],
)
def test_a_file_of_any_format_may_be_hostile(raw: bytes, put: bytes) -> None:
    """Whatever stands in the middle of it, at its first quotation mark and at its end."""
    middle, quote = len(raw) // 2, raw.find(b'"') + 1
    for at in (middle, quote, len(raw)):
        with suppress(UsageError):
            read(raw[:at] + put + raw[at:])


@pytest.mark.parametrize(
    "wrap",
    [gzip.compress, lambda raw: zipped(a__json=raw), lambda raw: zipped(a__gz=gzip.compress(raw))],
    ids=["gzip", "archive", "gzip in an archive"],
)
def test_a_bomb_is_refused_before_it_is_unpacked(
    monkeypatch: pytest.MonkeyPatch, wrap: Callable[[bytes], bytes]
) -> None:
    """In gzip, in an archive, and in gzip in an archive."""
    monkeypatch.setattr(files, "MOST_BYTES", 1 << 20)
    with pytest.raises(UsageError, match="larger than 1 MB"):
        read(wrap(b"[" + b" " * (8 << 20) + b"]"))


def test_an_archive_in_an_archive_stays_closed() -> None:
    """It is named and left out, and so is what comes of archives in each other."""
    inner = zipped(memories__json=json.dumps(["Likes tea"]).encode())
    found = read(zipped(inner__zip=inner, memories__json=json.dumps(["Likes jam"]).encode()))
    assert [record.memory.text for record in found.facts] == ["Likes jam"]


def test_an_archive_of_too_many_files_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of them could be small."""
    monkeypatch.setattr(files, "MOST_MEMBERS", 3)
    with pytest.raises(UsageError):
        read(zipped(**{f"a{number}__json": b"[]" for number in range(4)}))


@given(st.binary(max_size=200))
def test_any_bytes_are_read_without_a_bug(raw: bytes) -> None:
    """Or refused with a sentence."""
    with suppress(UsageError):
        read(raw)


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=8) | st.integers(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                "mapping message author content parts chat_messages sender text chat history messages role time title "
                "products type observations conversations_memory memory results create_time created_at current_node "
                "metadata user_id categories expiration_date owner data".split()
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=12,
)


@given(JSON)
def test_any_json_under_known_names_is_read_without_a_bug(value: object) -> None:
    """Whatever stands where another thing is expected."""
    with suppress(UsageError):
        read(json.dumps(value).encode())
