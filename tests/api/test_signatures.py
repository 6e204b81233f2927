"""What mem0 2.2.1's `Memory` takes, `Memory` takes: by the same names, in the same order, to the same effect."""

import inspect
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from memchat import Memory
from memchat.errors import ModelError, UsageError
from tests.scripted_server import Reply, ScriptedServer

MEM0 = {
    "add": "messages, *, user_id, agent_id, run_id, metadata, timestamp, expiration_date, infer, memory_type, prompt",
    "search": "query, *, top_k, filters, threshold, rerank, explain, reference_date, show_expired",
    "get_all": "*, filters, top_k, show_expired",
    "get": "memory_id",
    "update": "memory_id, text, metadata, expiration_date, data",
    "delete": "memory_id",
    "delete_all": "user_id, agent_id, run_id",
    "history": "memory_id",
    "reset": "",
    "close": "",
    "from_config": "config_dict",
}
"""The parameters of mem0 2.2.1, as `inspect.signature` gives them."""

YESTERDAY = (datetime.now(UTC).date() - timedelta(days=1)).isoformat()
TODAY = datetime.now(UTC).date()


def texts(found: dict[str, Any]) -> list[str]:
    return [item["memory"] for item in found["results"]]


@pytest.mark.parametrize("method", MEM0)
def test_every_argument_of_mem0s_is_taken(method: str) -> None:
    """By its name, and by its place where mem0 takes it by place."""
    ours = inspect.signature(getattr(Memory, method)).parameters
    theirs, _, named = MEM0[method].partition("*")
    placed = [name for name in theirs.replace(" ", "").split(",") if name]
    by_place = [name for name, one in ours.items() if one.kind is not one.KEYWORD_ONLY and name != "self"]
    assert by_place[: len(placed)] == placed
    assert {name for name in named.replace(" ", "").split(",") if name} <= ours.keys()


def test_update_takes_text_metadata_and_an_end(memory: Memory) -> None:
    """Each alone or together; metadata is added to, and the words and their history stay where none are given."""
    (item,) = memory.add("I live in Berlin", user_id="alice", metadata={"source": "form", "vip": True})["results"]
    assert memory.update(item["id"], "User lives in Lyon.") == {"message": "Memory updated successfully!"}
    memory.update(item["id"], metadata={"source": "phone"}, expiration_date=date(2100, 5, 1))
    now = memory.get(item["id"])
    assert now["memory"] == "User lives in Lyon."
    assert now["metadata"] == {"source": "phone", "vip": True}
    assert now["expiration_date"] == "2100-05-01"
    memory.update(item["id"], text="User lives in Nice.", expiration_date=None)
    assert "expiration_date" not in memory.get(item["id"])
    assert texts(memory.search("Nice", filters={"user_id": "alice", "source": "phone"})) == ["User lives in Nice."]
    words = [row["new_memory"] for row in memory.history(item["id"])]
    assert (words[0], words[-1]) == ("User lives in Berlin.", "User lives in Nice.")


def test_update_with_nothing_to_change_is_refused(memory: Memory) -> None:
    """As mem0 does; so is a day that is none."""
    (item,) = memory.add("I live in Berlin", user_id="alice")["results"]
    with pytest.raises(UsageError, match="text"):
        memory.update(item["id"])
    with pytest.raises(UsageError, match="expiration_date"):
        memory.update(item["id"], expiration_date="soon")


@pytest.mark.parametrize("infer", [True, False])
def test_what_has_expired_is_shown_only_when_asked_for(memory: Memory, infer: bool) -> None:
    """The day itself still counts; the day after, neither listing nor searching shows it."""
    memory.add("I'm vegetarian", user_id="alice", expiration_date=YESTERDAY, infer=infer)
    memory.add("I live in Berlin", user_id="alice", expiration_date=TODAY, infer=infer)
    listed, every = (memory.get_all(user_id="alice", show_expired=shown)["results"] for shown in (False, True))
    assert [item["expiration_date"] for item in listed] == [TODAY.isoformat()]
    assert [item["expiration_date"] for item in every] == [TODAY.isoformat(), YESTERDAY]
    query = "vegetarian"
    assert "vegetarian" not in str(memory.search(query, user_id="alice"))
    assert "vegetarian" in str(memory.search(query, user_id="alice", show_expired=True))


def test_an_end_is_kept_while_learning_waits(memory: Memory, server: ScriptedServer) -> None:
    """What is learned later, for the model failed, expires no later for that."""
    server.enqueue(Reply(status=500))
    with pytest.raises(ModelError):
        memory.add("I'm vegetarian", user_id="alice", expiration_date="2100-05-01")
    memory.add("Nothing new.", user_id="alice")
    (kept,) = memory.get_all(user_id="alice")["results"]
    assert (kept["memory"], kept["expiration_date"]) == ("User is vegetarian.", "2100-05-01")


def test_a_search_can_say_what_a_score_is_made_of(memory: Memory) -> None:
    """`explain` adds the summands by name; `rerank` changes nothing where there is no reranker, as in mem0."""
    memory.add("I'm vegetarian", user_id="alice")
    (plain,) = memory.search("vegetarian", user_id="alice", rerank=True)["results"]
    (explained,) = memory.search("vegetarian", user_id="alice", explain=True)["results"]
    assert "score_details" not in plain
    assert sum(explained["score_details"].values()) == pytest.approx(plain["score"], abs=1e-4)


def test_what_only_mem0s_platform_does_is_refused_by_name(memory: Memory) -> None:
    """mem0's own library refuses the first two of them as well."""
    with pytest.raises(UsageError, match="timestamp"):
        memory.add("I'm vegetarian", user_id="alice", timestamp=1)
    with pytest.raises(UsageError, match="reference_date"):
        memory.search("food", user_id="alice", reference_date="2026-01-01")
    with pytest.raises(UsageError, match="memory_type"):
        memory.add("I'm vegetarian", user_id="alice", memory_type="procedural_memory")
    assert memory.get_all(user_id="alice") == {"results": []}


def test_delete_all_takes_the_user_by_place(memory: Memory) -> None:
    """`delete_all("alice")`."""
    memory.add("I'm vegetarian", user_id="alice")
    memory.delete_all("alice")
    assert memory.get_all(user_id="alice") == {"results": []}
