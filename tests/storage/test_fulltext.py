"""The words under which a memory is found."""

from pathlib import Path

from memchat.storage.database import Database
from memchat.storage.fulltext import index_words, match_query, owner_term
from memchat.storage.migrations import MIGRATIONS
from tests.learning.harness import Home

NAME = "words of every script"


def test_the_last_character_of_a_run_can_be_found_alone() -> None:
    """The others begin a pair."""
    assert list(index_words("京都へ tea 犬")) == ["京都", "都へ", "へ", "tea", "犬"]
    assert match_query(["犬", "tea"], [7]) == '"_7_犬"* OR "_7_tea"'


def test_what_the_tokenizer_would_drop_or_keep_apart_is_written_plainly() -> None:
    """Emoji by their code points, letters without their accents."""
    assert owner_term(7, "🌷") == "_7_u1f337"
    assert owner_term(7, "łódź") == "_7_lodz"
    assert owner_term(7, "ธนาคาร") == "_7_ธนาคาร"


def test_stored_memories_get_the_words_of_every_script(tmp_path: Path) -> None:
    """As a new memory would; plain English ones are left alone."""
    with Home(tmp_path) as home:
        home.keep("Mum signs with 🌷", "飼っているのは猫", "User likes tea.")
        right = home.elsewhere("SELECT rowid, terms FROM words ORDER BY rowid")
        home.store.database.execute("UPDATE words SET terms = '_1_old' WHERE rowid < 3")
        before = next(number for number, (name, _) in enumerate(MIGRATIONS) if name == NAME)
        home.store.database.execute(f"PRAGMA user_version = {before}")
        path = home.path
    with Database(path, MIGRATIONS[: before + 1]) as database:
        assert [tuple(row) for row in database.rows("SELECT rowid, terms FROM words ORDER BY rowid")] == right
