"""How ids are shown, and what is taken for one."""

from memchat.core.ids import new_id
from memchat.storage.short_ids import SHORT_ID, short_ids


def test_ids_made_in_one_moment_are_shown_in_eight_characters() -> None:
    """Their beginnings are a clock and alike, their ends are random."""
    ids = [new_id() for _ in range(300)]
    short = short_ids(ids)
    assert set(map(len, short.values())) == {SHORT_ID}
    assert len(set(short.values())) == len(ids)
    assert all(id_.endswith(tail) for id_, tail in short.items())


def test_ids_that_end_alike_are_shown_longer() -> None:
    """Both of them, and no other."""
    alike = ["01a2-0000-aaaa11112222", "01a2-0001-bbbb11112222"]
    short = short_ids([*alike, "01a2-0002-cccc33334444"])
    assert sorted(short.values()) == ["33334444", "a11112222", "b11112222"]
