"""What the library takes at its edge, and what it says of what it does not take."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from memchat import Memory
from memchat.api.connections import IDLE
from memchat.api.turns import PREPARING
from memchat.core.types import Role
from memchat.errors import MemchatError, NotFound, UsageError
from memchat.storage.database import DATABASE, Database
from memchat.storage.memory_rows import format_time

UNKNOWN = "018f0000-0000-7000-8000-000000000000"
ODD: dict[str, Callable[[Memory], object]] = {
    "search(None)": lambda m: m.search(None, user_id="a"),  # type: ignore[arg-type]
    "search(5)": lambda m: m.search(5, user_id="a"),  # type: ignore[arg-type]
    "search('')": lambda m: m.search("", user_id="a"),
    "threshold='0.5'": lambda m: m.search("x", user_id="a", threshold="0.5"),  # type: ignore[arg-type]
    "threshold=nan": lambda m: m.search("x", user_id="a", threshold=float("nan")),
    "top_k='3'": lambda m: m.search("x", user_id="a", top_k="3"),  # type: ignore[arg-type]
    "top_k=2.5": lambda m: m.search("x", user_id="a", top_k=2.5),  # type: ignore[arg-type]
    "limit=True": lambda m: m.get_all(user_id="a", limit=True),
    "offset=-1": lambda m: m.get_all(user_id="a", offset=-1),
    "add(5)": lambda m: m.add(5, user_id="a"),  # type: ignore[arg-type]
    "add(None)": lambda m: m.add(None, user_id="a"),  # type: ignore[arg-type]
    "role=[]": lambda m: m.add([{"role": [], "content": "x"}], user_id="a"),
    "metadata=[1]": lambda m: m.add("x", user_id="a", metadata=[1]),  # type: ignore[arg-type]
    "metadata='a'": lambda m: m.add("x", user_id="a", metadata="a"),  # type: ignore[arg-type]
    "add prompt=5": lambda m: m.add("x", user_id="a", prompt=5),  # type: ignore[arg-type]
    "update(id, 5)": lambda m: m.update(UNKNOWN, 5),  # type: ignore[arg-type]
    "update metadata=[1]": lambda m: m.update(UNKNOWN, metadata=[1]),  # type: ignore[arg-type]
    "get(None)": lambda m: m.get(None),  # type: ignore[arg-type]
    "chat(None)": lambda m: m.chat(None, "a"),  # type: ignore[arg-type]
    "chat('  ')": lambda m: m.chat("  ", "a"),
    "chat(x, None)": lambda m: m.chat("x", None),  # type: ignore[arg-type]
    "system=5": lambda m: m.chat("x", "a", system=5),  # type: ignore[arg-type]
    "prompt=5": lambda m: m.chat("x", "a", prompt=5),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("call", ODD.values(), ids=ODD.keys())
def test_a_value_of_a_wrong_type_is_a_usage_error(memory: Memory, call: Callable[[Memory], object]) -> None:
    """Not a TypeError from within; mem0's users catch it as the ValueError that it is as well."""
    with pytest.raises(ValueError) as raised:  # noqa: PT011
        call(memory)
    assert isinstance(raised.value, UsageError)


@pytest.mark.parametrize("call", [Memory.get, Memory.delete, Memory.history])
def test_an_unknown_id_can_be_caught_as_a_lookup_or_a_value_error(memory: Memory, call: Any) -> None:
    """NotFound is all three."""
    for kind in (NotFound, LookupError, ValueError, MemchatError):
        with pytest.raises(kind):
            call(memory, UNKNOWN)


@pytest.mark.parametrize("given", [7, UUID(UNKNOWN)])
def test_a_number_or_a_uuid_is_an_id(memory: Memory, given: Any) -> None:
    """The same one as its text."""
    memory.add("I like tea", user_id=given, infer=False)
    assert [row["user_id"] for row in memory.get_all(user_id=str(given))["results"]] == [str(given)]
    assert memory.search("tea", filters={"user_id": given})["results"]
    assert memory.chat("Hello", given)["reply"]


def test_an_erasure_says_how_much_it_erased(memory: Memory) -> None:
    """One that finds nothing does not look like one that does."""
    memory.add("I like tea", user_id="a", run_id="r", infer=False)
    memory.add("I like rum", user_id="a", run_id="r", infer=False)
    for nothing in ({"run_id": "r"}, {"agent_id": "shop"}, {"user_id": "b"}):
        answer = memory.delete_all(**nothing)
        assert (answer["erased"], "hint" in answer) == (0, True)
        assert "success" not in answer["message"]
    assert memory.delete_all(user_id="a", run_id="r") == {"message": "Memories deleted successfully!", "erased": 2}
    assert memory.get_all(user_id="a")["results"] == []


def test_a_conversation_without_a_run_goes_on_in_another_process_and_ends_when_idle(memory: Memory) -> None:
    """It is found in the store: a server may have been restarted, or be one of two."""
    first = memory.chat("Hello", "a")["session_id"]
    with Memory() as other:
        assert other.chat("Hello again", "a")["session_id"] == first
        assert other.chat("Hello", "b")["session_id"] != first
        assert other.chat("Hello", "a", agent_id="shop")["session_id"] != first
    long_ago = format_time(datetime.now(UTC) - IDLE - timedelta(seconds=5))
    with Database(Path(memory._app.engine.location)) as database:
        database.execute("UPDATE sessions SET last_at = ?", (long_ago,))
    with Memory() as other:
        assert other.chat("Back", "a")["session_id"] != first


def test_a_conversation_of_the_terminal_is_not_taken_up(memory: Memory) -> None:
    """What a person types there is not sent along with what a program asks for them."""
    app = memory._app
    typed = app.store.conversations.new_session("a", None)
    app.store.conversations.record(typed, Role.USER, "Between us")
    assert memory.chat("Hello", "a")["session_id"] != typed.id


def test_names_in_either_unicode_form_are_one(memory: Memory) -> None:
    """Of users, agents and runs, in every call: what one form keeps, the other reads and deletes."""
    composed: dict[str, Any] = {"user_id": "José", "run_id": "Café"}
    apart: dict[str, Any] = {"user_id": "Jose\u0301", "run_id": "Cafe\u0301"}
    memory.add("I like tea", infer=False, **composed)
    assert [one["memory"] for one in memory.get_all(**apart)["results"]] == ["I like tea"]
    assert memory.get_all(user_id="Jose\u0301", run_id="Café")["results"]
    memory.delete_all(**apart)
    assert memory.get_all(**composed)["results"] == []


def test_few_turns_of_a_burst_recall_at_a_time(memory: Memory, home: Path) -> None:
    """The others wait before they take a connection, so that searches come between; all are answered in the end."""
    memory.add("User likes tea.", user_id="al", infer=False)
    with ThreadPoolExecutor(10) as threads, Database(home / DATABASE) as other:
        with other.transaction():
            turns = [threads.submit(memory.chat, "Hello", f"user {number}") for number in range(10)]
            until = time.monotonic() + 60
            while len(memory._connections) < PREPARING and time.monotonic() < until:
                time.sleep(0.05)
            time.sleep(0.5)
            assert len(memory._connections) == PREPARING
            assert memory.search("tea", user_id="al")["results"]
        assert all(turn.result(120)["reply"] for turn in turns)
