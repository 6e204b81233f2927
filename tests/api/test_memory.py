"""The contract of `Memory`: every method, both spellings, isolation, and what a failing model leaves."""

import gc
import json
import subprocess
import sys
import threading
import time
import weakref
from pathlib import Path
from typing import Any

import pytest

import memchat
from memchat import Memory
from memchat.app import utc_now
from memchat.errors import CredentialsError, ModelError, ModelUnreachable, NotFound, UsageError
from memchat.llm.builtin_fingerprint import FINGERPRINT
from memchat.storage.store import Store
from tests.api.scripted_memory import extractions, inputs, is_extraction
from tests.scripted_server import Reply, ScriptedServer
from tests.storage.memory_factories import say


def texts(found: dict[str, Any]) -> list[str]:
    return [item["memory"] for item in found["results"]]


def system_prompt(payload: dict[str, Any]) -> str:
    return str(payload["messages"][0]["content"])


def everything_on_disk(home: Path) -> bytes:
    return b"".join(path.read_bytes() for path in home.rglob("*") if path.is_file())


HEAVY = ("chromadb", "litellm", "numpy", "onnxruntime", "tokenizers", "httpx", "rich", "typer")


def test_importing_memory_loads_nothing_heavy() -> None:
    """`from memchat import Memory`, and opening one, loads no model, no index and no numpy."""
    code = (
        f"import sys; from memchat import Memory; Memory().close(); print([m for m in {HEAVY!r} if m in sys.modules])"
    )
    checkout = Path(memchat.__file__).parent.parent
    found = subprocess.run([sys.executable, "-c", code], cwd=checkout, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


class TestAdd:
    def test_facts_come_back_with_id_memory_and_event(self, memory: Memory) -> None:
        """What was learned is listed in the shape mem0's users read."""
        added = memory.add("I'm vegetarian and I live in Berlin.", user_id="alice")
        assert set(added) == {"results"}
        assert [(item["memory"], item["event"]) for item in added["results"]] == [
            ("User is vegetarian.", "ADD"),
            ("User lives in Berlin.", "ADD"),
        ]
        for item in added["results"]:
            assert memory.get(item["id"])["memory"] == item["memory"]

    def test_small_talk_teaches_nothing(self, memory: Memory) -> None:
        """An answer without facts is a normal one."""
        assert memory.add("Nice weather today!", user_id="alice") == {"results": []}

    def test_one_message_as_a_dictionary_is_enough(self, memory: Memory) -> None:
        """A single message need not be wrapped in a list."""
        added = memory.add({"role": "user", "content": "I'm vegetarian"}, user_id="alice")
        assert texts(added) == ["User is vegetarian."]

    def test_content_in_parts_is_read(self, memory: Memory) -> None:
        """The text parts of a message with pictures are what was said."""
        parts = [{"type": "text", "text": "I'm vegetarian"}, {"type": "image_url", "image_url": {"url": "data:,"}}]
        assert texts(memory.add([{"role": "user", "content": parts}], user_id="alice")) == ["User is vegetarian."]

    def test_every_user_message_is_an_exchange_with_what_was_answered(
        self, memory: Memory, server: ScriptedServer
    ) -> None:
        """Two turns are two calls, each with its own reply, the first as context of the second."""
        added = memory.add(
            [
                {"role": "system", "content": "I live in Berlin"},
                {"role": "user", "content": "I'm vegetarian"},
                {"role": "assistant", "content": "Noted. I have a cat called Momo"},
                {"role": "user", "content": "My sister Ana is a pilot"},
                {"role": "assistant", "content": "Impressive!"},
            ],
            user_id="alice",
        )
        assert texts(added) == ["User is vegetarian.", "User's sister Ana is a pilot."]
        first, second = map(inputs, extractions(server.requests))
        assert (first["user"], first["assistant"]) == ("I'm vegetarian", "Noted. I have a cat called Momo")
        assert (second["user"], second["assistant"]) == ("My sister Ana is a pilot", "Impressive!")
        assert second["earlier"] == ["user: I'm vegetarian", "assistant: Noted. I have a cat called Momo"]
        assert first["earlier"] == []

    def test_system_messages_are_never_learned_from(self, memory: Memory, server: ScriptedServer) -> None:
        """A system prompt alone teaches nothing, and no model is asked."""
        assert memory.add([{"role": "system", "content": "I live in Berlin"}], user_id="alice") == {"results": []}
        assert server.requests == []

    def test_extraction_is_a_call_of_its_own(self, memory: Memory, server: ScriptedServer) -> None:
        """Temperature 0, the caller's prompt among the instructions, what is known under numbers and without ids."""
        first = memory.add("I live in Berlin", user_id="alice")
        memory.add("I just moved to Amsterdam", user_id="alice", prompt="Keep only where people live.")
        before, after = extractions(server.requests)
        assert after["temperature"] == 0
        assert after["model"] == "gpt-4o-mini"
        assert "Keep only where people live." in system_prompt(after)
        assert "Keep only where people live." not in system_prompt(before)
        assert inputs(before)["known"] == []
        known = inputs(after)["known"]
        assert [(entry["n"], entry["text"]) for entry in known] == [(1, "User lives in Berlin.")]
        assert first["results"][0]["id"] not in json.dumps(after)

    def test_what_is_no_longer_so_is_replaced(self, memory: Memory) -> None:
        """The new fact is an ADD that names what it replaced; the old one stays as a former version."""
        old = memory.add("I live in Berlin", user_id="alice")["results"][0]
        added = memory.add("I just moved to Amsterdam", user_id="alice")["results"]
        assert [(item["event"], item["memory"]) for item in added] == [("ADD", "User lives in Amsterdam.")]
        assert added[0]["previous_memory"] == "User lives in Berlin."
        assert added[0]["replaced"] == [old["id"]]
        assert texts(memory.get_all(user_id="alice")) == ["User lives in Amsterdam."]
        assert memory.get(old["id"])["superseded_by"] == added[0]["id"]

    def test_the_same_fact_said_again_is_no_news(self, memory: Memory) -> None:
        """One memory, and the event NONE."""
        first = memory.add("I'm vegetarian", user_id="alice")["results"][0]
        again = memory.add("As I said, I'm vegetarian", user_id="alice")["results"]
        assert again == [{"id": first["id"], "memory": "User is vegetarian.", "event": "NONE"}]
        assert len(memory.get_all(user_id="alice")["results"]) == 1

    def test_metadata_goes_on_every_memory_of_the_call(self, memory: Memory) -> None:
        """Pairs with None are left out."""
        memory.add("I'm vegetarian and I live in Berlin", user_id="alice", metadata={"order_id": 4821, "note": None})
        found = memory.get_all(user_id="alice")["results"]
        assert [item["metadata"] for item in found] == [{"order_id": 4821}, {"order_id": 4821}]

    def test_nested_metadata_is_refused(self, memory: Memory) -> None:
        """What could not be filtered by is an error that names the key."""
        with pytest.raises(UsageError, match="tags"):
            memory.add("I'm vegetarian", user_id="alice", metadata={"tags": ["a", "b"]})

    @pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
    def test_metadata_that_is_no_number_is_refused(self, memory: Memory, number: float) -> None:
        """JSON has none of these: what held one could not be read again."""
        with pytest.raises(UsageError, match=f"rank.*{number}"):
            memory.add("I'm vegetarian", user_id="alice", metadata={"rank": number})
        with pytest.raises(UsageError, match=f"rank.*{number}"):
            memory.search("food", filters={"user_id": "alice", "rank": number})

    def test_secrets_do_not_reach_the_disk(self, memory: Memory, home: Path) -> None:
        """Neither learning nor keeping verbatim writes a key."""
        key = "sk-proj-" + "Zx9Qw3Er5Ty7Ui1Op2As4Df6Gh8Jk0Lm"
        memory.add(f"My API key is {key}", user_id="alice")
        memory.add(f"My API key is {key}", user_id="alice", infer=False)
        memory.add("I'm vegetarian", user_id="alice", metadata={"note": key}, prompt=f"Never {key}")
        memory.add("I live in Berlin", user_id="alice", metadata={"note": key}, infer=False)
        memory.chat("I have a cat called Momo", user_id="alice", metadata={"note": key})
        memory.close()
        assert key.encode() not in everything_on_disk(home)

    def test_nobody_named_is_an_error_that_says_what_to_give(self, memory: Memory) -> None:
        """Without any id there is nobody to remember for."""
        with pytest.raises(UsageError) as caught:
            memory.add("I'm vegetarian")
        assert caught.value.hint is not None
        assert "user_id" in caught.value.hint

    @pytest.mark.parametrize("wrong", ["", "  ", True, 1.5, b"alice"])
    def test_an_empty_or_odd_id_is_refused(self, memory: Memory, wrong: Any) -> None:
        """Nothing is filed under no name."""
        with pytest.raises(UsageError, match="user_id"):
            memory.add("I'm vegetarian", user_id=wrong)

    def test_odd_messages_are_refused(self, memory: Memory) -> None:
        """A list of plain texts is no conversation."""
        with pytest.raises(UsageError, match="role"):
            memory.add(["I'm vegetarian"], user_id="alice")  # type: ignore[list-item]


class TestVerbatim:
    def test_messages_are_kept_as_they_were_said(self, memory: Memory, server: ScriptedServer) -> None:
        """No model is asked, system messages are left out, the assistant's words are kept too."""
        added = memory.add(
            [
                {"role": "system", "content": "Be brief."},
                {"role": "user", "content": "The wifi code is on the fridge."},
                {"role": "assistant", "content": "Good to know!"},
            ],
            user_id="alice",
            infer=False,
            metadata={"room": "kitchen"},
        )
        assert [(item["role"], item["memory"], item["event"]) for item in added["results"]] == [
            ("user", "The wifi code is on the fridge.", "ADD"),
            ("assistant", "Good to know!", "ADD"),
        ]
        assert server.requests == []
        assert memory.get(added["results"][0]["id"])["metadata"] == {"room": "kitchen"}

    def test_verbatim_messages_are_found(self, memory: Memory) -> None:
        """What was kept as it was said can be searched."""
        memory.add("The spare key is under the flower pot.", user_id="alice", infer=False)
        memory.add("The bins are emptied on Thursdays.", user_id="alice", infer=False)
        found = memory.search("where is the spare key?", user_id="alice", top_k=1)
        assert texts(found) == ["The spare key is under the flower pot."]

    def test_the_same_words_twice_are_two_messages(self, memory: Memory) -> None:
        """A transcript is no set of facts."""
        for _ in range(2):
            memory.add("Yes, please.", user_id="alice", infer=False)
        assert texts(memory.get_all(user_id="alice")) == ["Yes, please.", "Yes, please."]


class TestSearch:
    @pytest.fixture(autouse=True)
    def facts(self, memory: Memory) -> None:
        memory.add(
            "I'm vegetarian. I live in Berlin. I have a cat called Momo. My sister Ana is a pilot.",
            user_id="alice",
            metadata={"topic": "self", "rank": 1},
        )

    def test_both_spellings_find_the_same(self, memory: Memory) -> None:
        """`user_id=, limit=` and `filters=, top_k=` are one search."""
        older = memory.search(query="What is my cat called?", user_id="alice", limit=1)
        newer = memory.search(query="What is my cat called?", filters={"user_id": "alice"}, top_k=1)
        assert older == newer
        assert texts(older) == ["User has a cat called Momo."]

    def test_an_item_has_what_mem0s_has(self, memory: Memory) -> None:
        """Id, memory, score, metadata, times, hash and the ids it was stored under."""
        item = memory.search("cat", user_id="alice")["results"][0]
        assert {"id", "memory", "score", "metadata", "created_at", "updated_at", "hash", "categories"} <= set(item)
        assert item["user_id"] == "alice"
        assert item["metadata"] == {"topic": "self", "rank": 1}
        assert isinstance(item["score"], float)
        assert item["created_at"].endswith("+00:00")
        assert json.loads(json.dumps(item)) == item

    def test_best_comes_first(self, memory: Memory) -> None:
        """Scores fall."""
        scores = [item["score"] for item in memory.search("What does Ana do?", user_id="alice")["results"]]
        assert scores == sorted(scores, reverse=True)

    def test_a_threshold_takes_the_place_of_the_floor(self, memory: Memory) -> None:
        """With a very low one everything is listed, with an impossible one nothing."""
        everything = memory.search("What is my cat called?", user_id="alice", threshold=-9.0, top_k=10)["results"]
        assert len(everything) == 4
        least = everything[1]["score"]
        above = memory.search("What is my cat called?", user_id="alice", threshold=least, top_k=10)["results"]
        assert len(above) == 2
        assert memory.search("What is my cat called?", user_id="alice", threshold=9.0) == {"results": []}

    def test_other_people_are_not_found(self, memory: Memory) -> None:
        """Bob sees nothing of Alice, whichever way he asks."""
        for found in (
            memory.search("cat", user_id="bob"),
            memory.search("cat", filters={"user_id": "bob"}),
            memory.get_all(user_id="bob"),
            memory.get_all(filters={"AND": [{"user_id": "bob"}]}),
            memory.get_all(agent_id="alice"),
            memory.get_all(run_id="alice"),
        ):
            assert found == {"results": []}

    @pytest.mark.parametrize(
        "filters",
        [
            {"user_id": "alice", "topic": "self"},
            {"user_id": "alice", "metadata": {"topic": "self", "rank": 1}},
            {"AND": [{"user_id": "alice"}, {"topic": {"eq": "self"}}]},
        ],
    )
    def test_metadata_narrows(self, memory: Memory, filters: dict[str, Any]) -> None:
        """Pairs beside the ids are compared with the metadata, flat, nested or in a list that must all hold."""
        memory.add("The printer is on fire", user_id="alice", metadata={"topic": "office"})
        assert len(memory.get_all(filters=filters)["results"]) == 4
        assert texts(memory.search("cat", filters=filters, top_k=1)) == ["User has a cat called Momo."]
        assert texts(memory.get_all(filters={**filters, "note": "none"})) == []

    @pytest.mark.parametrize(
        ("filters", "named"),
        [
            ({"user_id": "alice", "rank": {"near": 1}}, "near"),
            ({"OR": [{"user_id": "alice"}, {"user_id": "bob"}]}, "OR or NOT"),
            ({"user_id": "alice", "NOT": [{"OR": [{"run_id": "r"}]}]}, "OR or NOT"),
            ({"user_id": "*"}, "one id"),
            ({"user_id": {"in": ["alice", "bob"]}}, "one id"),
            ({"user_id": "alice", "OR": []}, "list of conditions"),
            ({"user_id": "alice", "created_at": {"gte": "soon"}}, "a day or a time"),
            ({"user_id": "alice", "rank": {"in": 1}}, "wants a list"),
            ({"user_id": "alice", "rank": {"contains": 1}}, "wants text"),
        ],
    )
    def test_a_filter_that_cannot_be_used_is_named(self, memory: Memory, filters: dict[str, Any], named: str) -> None:
        """None is silently taken for another, and nobody's memories are found by a maybe."""
        with pytest.raises(UsageError, match=named):
            memory.search("cat", filters=filters)

    @pytest.mark.parametrize(
        ("filters", "kept"),
        [
            ({"rank": {"gte": 2}}, "bc"),
            ({"rank": {"gt": 1, "lt": 3}}, "b"),
            ({"rank": {"ne": 1}}, "bcd"),
            ({"rank": {"in": [1, "3"]}}, "ac"),
            ({"rank": [1, 2]}, "ab"),
            ({"rank": {"nin": [1, 2]}}, "cd"),
            ({"rank": "*"}, "abc"),
            ({"topic": {"contains": "ea"}}, "abc"),
            ({"topic": {"icontains": "TEA"}}, "ab"),
            ({"OR": [{"rank": 1}, {"topic": "Tea party"}]}, "ab"),
            ({"NOT": [{"rank": 1}, {"rank": 2}]}, "cd"),
            ({"AND": [{"rank": {"gte": 1}}, {"NOT": {"topic": {"contains": "sea"}}}]}, "ab"),
            ({"created_at": {"gte": "2020-01-01"}}, "abcd"),
            ({"created_at": {"lt": "2020-01-01T00:00:00Z"}}, ""),
            ({"categories": {"contains": "other"}}, "abcd"),
            ({"categories": {"in": ["place"]}}, ""),
            ({"expiration_date": "*"}, "d"),
            ({"actor_id": "bo"}, "d"),
            ({"metadata": {"rank": 3}}, "c"),
        ],
    )
    def test_filters_have_mem0s_operators(self, memory: Memory, filters: dict[str, Any], kept: str) -> None:
        """The list, the search and the count agree on what they keep."""
        notes = {"a": (1, "tea"), "b": (2, "Tea party"), "c": (3, "sea"), "d": (None, "")}
        for name, (rank, topic) in notes.items():
            metadata = {"rank": rank, "topic": topic} if rank else {}
            said = {"role": "user", "content": f"Note {name} says pancake", "name": "bo" if name == "d" else ""}
            end = "2999-12-31" if name == "d" else None
            memory.add([said], user_id="zoe", metadata=metadata, expiration_date=end, infer=False)
        asked: dict[str, Any] = {"user_id": "zoe", "filters": filters}
        listed = {text.split()[1] for text in texts(memory.get_all(**asked))}
        found = {text.split()[1] for text in texts(memory.search("pancake", threshold=-9, top_k=9, **asked))}
        assert listed == found == set(kept)
        assert memory.count(**asked) == len(kept)

    @pytest.mark.parametrize("categories", [5, [5], ["place", None]])
    def test_categories_that_are_no_names_are_refused(self, memory: Memory, categories: Any) -> None:
        """One name, or a list of them."""
        with pytest.raises(UsageError, match="categories"):
            memory.search("cat", user_id="alice", filters={"categories": categories})

    def test_two_spellings_that_disagree_are_refused(self, memory: Memory) -> None:
        """One call is about one person."""
        with pytest.raises(UsageError, match="user_id"):
            memory.search("cat", user_id="alice", filters={"user_id": "bob"})

    def test_nobody_named_is_refused(self, memory: Memory) -> None:
        """A filter on metadata alone would reach across people."""
        with pytest.raises(UsageError, match="does not say whose"):
            memory.search("cat", filters={"topic": "self"})

    def test_none_at_all_cannot_be_asked_for(self, memory: Memory) -> None:
        """`limit=0` is a slip."""
        with pytest.raises(UsageError, match="0"):
            memory.search("cat", user_id="alice", limit=0)

    def test_get_all_can_be_limited(self, memory: Memory) -> None:
        """Newest first, all of them without a limit."""
        everything = memory.get_all(user_id="alice")["results"]
        assert len(everything) == 4
        assert memory.get_all(user_id="alice", limit=2)["results"] == everything[:2]
        assert memory.get_all(filters={"user_id": "alice"}, top_k=2)["results"] == everything[:2]

    @pytest.mark.parametrize("limit", [1 << 62, 10**30])
    def test_any_number_may_be_the_limit(self, memory: Memory, limit: int) -> None:
        """More than a database can be asked for is as good as all."""
        assert len(memory.get_all(user_id="alice", limit=limit)["results"]) == 4
        assert len(memory.search("cat", user_id="alice", limit=limit, threshold=-9)["results"]) == 4

    def test_more_than_twenty_are_all_listed(self, memory: Memory) -> None:
        """No silent limit, and an explicit top_k is not cut to a prompt's size."""
        said = [
            {"role": "user", "content": f"Shelf {n} holds the jars of plum jam, opened or not." * 2} for n in range(40)
        ]
        memory.add(said, user_id="carol", infer=False)
        assert len(memory.get_all(user_id="carol")["results"]) == 40
        assert len(memory.search("plum jam", user_id="carol", top_k=40, threshold=-9)["results"]) == 40


class TestOwners:
    def test_agent_memory_is_shared_by_its_users_and_no_persons(self, memory: Memory) -> None:
        """`agent_id` alone files under the agent, and reads what is filed there."""
        added = memory.add("Always greet by first name", agent_id="support_bot")
        item = memory.get(added["results"][0]["id"])
        assert item["agent_id"] == "support_bot"
        assert "user_id" not in item
        assert texts(memory.get_all(agent_id="support_bot")) == ["Greet users by their first name."]
        assert memory.get_all(user_id="support_bot") == {"results": []}
        assert memory.get_all(agent_id="other_bot") == {"results": []}

    def test_a_user_with_an_agent_is_still_the_user(self, memory: Memory) -> None:
        """What was learned with one agent is the user's; naming the agent narrows to it."""
        memory.add("I'm vegetarian", user_id="alice", agent_id="chef")
        memory.add("I live in Berlin", user_id="alice")
        assert len(memory.get_all(user_id="alice")["results"]) == 2
        assert texts(memory.get_all(user_id="alice", agent_id="chef")) == ["User is vegetarian."]
        assert memory.get_all(user_id="alice", agent_id="guide") == {"results": []}
        assert memory.get_all(agent_id="chef") == {"results": []}

    @pytest.mark.parametrize("infer", [True, False])
    def test_what_is_said_in_a_run_stays_in_it(self, memory: Memory, infer: bool) -> None:
        """With `run_id` a memory is the run's: another run does not find it, nor does a search without one."""
        memory.add("The printer is on fire", user_id="alice", run_id="ticket-7", infer=infer)
        inside = memory.search("printer", user_id="alice", run_id="ticket-7")["results"]
        assert len(inside) == 1
        assert (inside[0]["user_id"], inside[0]["run_id"]) == ("alice", "ticket-7")
        assert memory.search("printer", user_id="alice", run_id="ticket-77") == {"results": []}
        assert memory.search("printer", user_id="alice") == {"results": []}
        assert memory.search("printer", user_id="bob", run_id="ticket-7") == {"results": []}
        assert memory.search("printer", run_id="ticket-7") == {"results": []}
        assert len(memory.get_all(user_id="alice")["results"]) == 1

    def test_two_people_may_call_their_runs_the_same(self, memory: Memory) -> None:
        """A run is one person's."""
        memory.add("The printer is on fire", user_id="alice", run_id="1")
        memory.add("I'm vegetarian", user_id="bob", run_id="1")
        assert texts(memory.get_all(user_id="alice", run_id="1")) == ["User's printer is on fire."]
        assert texts(memory.get_all(user_id="bob", run_id="1")) == ["User is vegetarian."]

    def test_a_run_may_stand_alone(self, memory: Memory, server: ScriptedServer) -> None:
        """`run_id` without a person is a world of its own, in which facts are replaced too."""
        memory.add("I live in Berlin", run_id="r/1")
        memory.add("I just moved to Amsterdam", run_id="r/1")
        found = memory.get_all(run_id="r/1")["results"]
        assert [(item["memory"], item["run_id"]) for item in found] == [("User lives in Amsterdam.", "r/1")]
        assert texts(memory.search("Where does User live?", run_id="r/1")) == ["User lives in Amsterdam."]
        assert memory.get_all(run_id="r/2") == {"results": []}

    def test_an_agents_run_is_neither_the_agents_nor_the_runs_alone(self, memory: Memory) -> None:
        """`agent_id` and `run_id` together name one conversation of the agent."""
        memory.add("The printer is on fire", agent_id="bot", run_id="1")
        assert texts(memory.get_all(agent_id="bot", run_id="1")) == ["User's printer is on fire."]
        assert memory.get_all(run_id="1") == {"results": []}
        assert memory.search("printer", agent_id="bot") == {"results": []}

    @pytest.mark.parametrize(
        "name", ["al", "../x", "日本", "🙂", "a@b", "/bot", "x" * 300, "O'Brien; DROP TABLE memories"]
    )
    def test_any_name_is_a_world_of_its_own(self, memory: Memory, name: str) -> None:
        """Odd names neither break nor leak, as people and as runs."""
        memory.add("I'm vegetarian", user_id=name, run_id=name)
        memory.add("I live in Berlin", user_id=name)
        assert texts(memory.get_all(user_id=name, run_id=name)) == ["User is vegetarian."]
        assert memory.get_all(user_id=name, run_id=name)["results"][0]["run_id"] == name
        assert memory.get_all(user_id=name + "x") == {"results": []}
        assert memory.get_all(user_id=name[:-1] or "?") == {"results": []}

    @pytest.mark.parametrize("name", ["user_id", "agent_id", "run_id"])
    def test_a_name_that_is_no_text_is_refused(self, memory: Memory, name: str) -> None:
        """Half a surrogate pair, which JSON can carry and nothing else."""
        with pytest.raises(UsageError, match="Unicode"):
            memory.get_all(**{name: "\ud800"})  # type: ignore[arg-type]


class TestOneMemory:
    def test_update_changes_the_words_and_keeps_the_former(self, memory: Memory) -> None:
        """Words, search and history follow; the message is mem0's."""
        item = memory.add("I live in Berlin", user_id="alice")["results"][0]
        answer = memory.update(memory_id=item["id"], data="User lives in Lyon.")
        assert answer == {"message": "Memory updated successfully!"}
        assert memory.get(item["id"])["memory"] == "User lives in Lyon."
        assert texts(memory.search("Lyon", user_id="alice")) == ["User lives in Lyon."]
        history = memory.history(item["id"])
        assert [(row["event"], row["old_memory"], row["new_memory"]) for row in history] == [
            ("ADD", None, "User lives in Berlin."),
            ("UPDATE", "User lives in Berlin.", "User lives in Lyon."),
        ]
        assert {row["memory_id"] for row in history} == {item["id"]}

    def test_update_to_what_another_memory_says_is_refused(self, memory: Memory) -> None:
        """No two memories say the same, and the error says so."""
        first, _ = memory.add("I'm vegetarian. I live in Berlin.", user_id="alice")["results"]
        with pytest.raises(UsageError):
            memory.update(first["id"], "user lives in berlin")
        assert memory.get(first["id"])["memory"] == "User is vegetarian."

    def test_history_says_who_spoke(self, memory: Memory) -> None:
        """Of what was kept as it was said, in every row, as mem0 has it."""
        said = [{"role": "user", "name": "Al", "content": "Likes tea"}]
        (item,) = memory.add(said, user_id="al", infer=False)["results"]
        memory.update(item["id"], "Likes jam")
        assert [(row["role"], row["actor_id"]) for row in memory.history(item["id"])] == [("user", "Al")] * 2

    def test_history_reaches_back_over_what_was_replaced(self, memory: Memory) -> None:
        """The versions before are part of a memory's history."""
        memory.add("I live in Berlin", user_id="alice")
        new = memory.add("I just moved to Amsterdam", user_id="alice")["results"][0]
        assert [row["event"] for row in memory.history(new["id"])] == ["ADD", "SUPERSEDE", "ADD"]

    def test_delete_erases_it_from_the_disk(self, memory: Memory, home: Path) -> None:
        """Its words are gone from every file, the conversation's too; others stay."""
        berlin, momo = memory.add("I live in Berlin. I have a cat called Momo.", user_id="alice")["results"]
        assert memory.delete(memory_id=momo["id"]) == {"message": "Memory deleted successfully!"}
        assert texts(memory.get_all(user_id="alice")) == ["User lives in Berlin."]
        memory.close()
        assert b"Momo" not in everything_on_disk(home)
        assert berlin["memory"].encode() in everything_on_disk(home)

    def test_an_agents_memory_is_erased_with_its_source(self, memory: Memory, home: Path) -> None:
        """What was taught to an agent leaves no words behind either."""
        added = memory.add("Always greet by first name", agent_id="bot")
        memory.delete(added["results"][0]["id"])
        memory.close()
        assert b"greet by first name" not in everything_on_disk(home)

    def test_an_unknown_id_is_not_found(self, memory: Memory) -> None:
        """Every method that takes an id says so, and takes no beginning of one."""
        known = memory.add("I live in Berlin", user_id="alice")["results"][0]["id"]
        for wrong in ("mem_abc", known[:-1], ""):
            for call in (
                lambda wrong=wrong: memory.get(wrong),
                lambda wrong=wrong: memory.delete(wrong),
                lambda wrong=wrong: memory.history(wrong),
                lambda wrong=wrong: memory.update(wrong, "x"),
            ):
                with pytest.raises(NotFound):
                    call()


class TestDeleteAll:
    def test_everything_of_a_user_goes(self, memory: Memory, home: Path) -> None:
        """Memories and conversations, in runs and out of them; other people keep theirs."""
        memory.add("I have a cat called Momo", user_id="alice")
        memory.add("The printer is on fire", user_id="alice", run_id="7")
        memory.add("I live in Berlin", user_id="bob")
        assert memory.delete_all(user_id="alice")["message"] == "Memories deleted successfully!"
        assert memory.get_all(user_id="alice") == {"results": []}
        assert texts(memory.get_all(user_id="bob")) == ["User lives in Berlin."]
        memory.close()
        left = everything_on_disk(home)
        assert b"Momo" not in left
        assert b"printer" not in left

    def test_only_the_run_goes(self, memory: Memory, home: Path) -> None:
        """A run's memories go with its conversation; the person's stay."""
        memory.add("I live in Berlin", user_id="alice")
        memory.add("The printer is on fire", user_id="alice", run_id="7")
        memory.delete_all(user_id="alice", run_id="7")
        assert texts(memory.get_all(user_id="alice")) == ["User lives in Berlin."]
        memory.close()
        assert b"printer" not in everything_on_disk(home)

    def test_only_the_agents_own_go(self, memory: Memory, home: Path) -> None:
        """What users said to the agent is theirs."""
        memory.add("Always greet by first name", agent_id="bot")
        memory.add("I live in Berlin", user_id="alice", agent_id="bot")
        memory.delete_all(agent_id="bot")
        assert memory.get_all(agent_id="bot") == {"results": []}
        assert texts(memory.get_all(user_id="alice", agent_id="bot")) == ["User lives in Berlin."]
        memory.close()
        assert b"greet by first name" not in everything_on_disk(home)

    def test_only_what_a_user_said_to_one_agent_goes(self, memory: Memory) -> None:
        """Naming both narrows."""
        memory.add("I'm vegetarian", user_id="alice", agent_id="chef")
        memory.add("I live in Berlin", user_id="alice")
        memory.delete_all(user_id="alice", agent_id="chef")
        assert texts(memory.get_all(user_id="alice")) == ["User lives in Berlin."]

    def test_what_was_deleted_can_be_said_anew(self, memory: Memory) -> None:
        """Forgetting is no ban."""
        memory.add("I live in Berlin", user_id="alice")
        memory.delete_all(user_id="alice")
        memory.add("I live in Berlin", user_id="alice")
        assert texts(memory.get_all(user_id="alice")) == ["User lives in Berlin."]

    def test_nobody_named_deletes_nothing(self, memory: Memory) -> None:
        """`delete_all()` is an error, not a reset."""
        memory.add("I live in Berlin", user_id="alice")
        with pytest.raises(UsageError):
            memory.delete_all()
        assert len(memory.get_all(user_id="alice")["results"]) == 1

    def test_reset_erases_everybody(self, memory: Memory, home: Path) -> None:
        """Afterwards the store is empty, and usable."""
        memory.add("I have a cat called Momo", user_id="alice")
        memory.add("Always greet by first name", agent_id="bot")
        memory.reset()
        assert memory.get_all(user_id="alice") == memory.get_all(agent_id="bot") == {"results": []}
        memory.add("I live in Berlin", user_id="bob")
        assert len(memory.get_all(user_id="bob")["results"]) == 1
        memory.close()
        left = everything_on_disk(home)
        assert b"Momo" not in left
        assert b"greet by" not in left


class TestFailingModel:
    def test_what_was_said_is_kept_and_learned_with_the_next_add(self, memory: Memory, server: ScriptedServer) -> None:
        """The caller gets the error with what comes next; nothing is lost, and nothing learned twice."""
        server.enqueue(Reply(status=500))
        with pytest.raises(ModelUnreachable) as caught:
            memory.add("I live in Berlin", user_id="alice")
        assert caught.value.hint is not None
        assert "memchat status --retry --user alice" in caught.value.hint
        assert memory.get_all(user_id="alice") == {"results": []}
        added = memory.add("I'm vegetarian", user_id="alice")
        assert texts(added) == ["User is vegetarian."]
        assert sorted(texts(memory.get_all(user_id="alice"))) == ["User is vegetarian.", "User lives in Berlin."]

    def test_order_is_kept_across_a_failure(self, memory: Memory, server: ScriptedServer) -> None:
        """What was said first is learned first, so that the newer fact replaces the older."""
        server.enqueue(Reply(status=500))
        with pytest.raises(ModelError):
            memory.add("I live in Berlin", user_id="alice")
        memory.add("I just moved to Amsterdam", user_id="alice")
        assert texts(memory.get_all(user_id="alice")) == ["User lives in Amsterdam."]

    def test_garbage_twice_is_a_bad_reply_and_pending(self, memory: Memory, server: ScriptedServer) -> None:
        """After one repair the work waits; another person's add is not held up by it."""
        server.enqueue(Reply("I'd rather not."), Reply("Really not."))
        with pytest.raises(ModelError):
            memory.add("I live in Berlin", user_id="alice")
        assert texts(memory.add("I live in Berlin", user_id="bob")) == ["User lives in Berlin."]

    def test_a_fact_that_cannot_be_read_is_warned_of(
        self, memory: Memory, server: ScriptedServer, caplog: pytest.LogCaptureFixture
    ) -> None:
        """By `add` and behind `chat`, without the words; what could be read is kept."""
        cat = {"text": "User has a cat.", "quote": "I have a cat"}
        half = Reply(json.dumps({"facts": [cat, {"text": "User is allergic to nuts."}]}))
        server.enqueue(half, half)
        assert texts(memory.add("I have a cat. I'm allergic to nuts.", user_id="alice")) == ["User has a cat."]
        server.enqueue(Reply("I see."), half, half)
        memory.chat("I have a cat. I'm allergic to nuts.", "bob")
        memory.close()
        assert caplog.text.count("a fact has no quote") == 2
        assert "nuts" not in caplog.text

    def test_a_rejected_key_is_a_credentials_error(self, memory: Memory, server: ScriptedServer) -> None:
        """The caller can tell its own slip from the provider's."""
        server.enqueue(Reply(status=401, error={"message": "Incorrect API key", "code": "invalid_api_key"}))
        with pytest.raises(CredentialsError):
            memory.add("I live in Berlin", user_id="alice")

    def test_a_run_keeps_its_reach_when_it_is_learned_later(self, memory: Memory, server: ScriptedServer) -> None:
        """The scope of the call is written down with the work."""
        server.enqueue(Reply(status=500))
        with pytest.raises(ModelError):
            memory.add("The printer is on fire", user_id="alice", run_id="7", metadata={"k": "v"})
        memory.add("I live in Berlin", user_id="alice")
        late = memory.get_all(user_id="alice", run_id="7")["results"]
        assert [(item["memory"], item["metadata"]) for item in late] == [("User's printer is on fire.", {"k": "v"})]

    def test_the_rest_of_a_call_stays_pending_too(self, memory: Memory, server: ScriptedServer) -> None:
        """A failure at the first exchange leaves both to the next add."""
        server.enqueue(Reply(status=500))
        both = [{"role": "user", "content": "I live in Berlin"}, {"role": "user", "content": "I'm vegetarian"}]
        with pytest.raises(ModelError):
            memory.add(both, user_id="alice")
        memory.add("Hello!", user_id="alice")
        assert sorted(texts(memory.get_all(user_id="alice"))) == ["User is vegetarian.", "User lives in Berlin."]


class TestExcerpts:
    def test_a_search_adds_what_was_said_under_a_key_of_its_own(self, memory: Memory) -> None:
        """Only where it is asked for; of the person's own conversations alone."""
        memory.add("My boat is called Marmalade and lies in Whitby", user_id="alice")
        assert memory.search("What is my boat called?", user_id="alice").keys() == {"results"}
        found = memory.search("What is my boat called?", user_id="alice", excerpts=True)
        assert [(one["role"], "Marmalade" in one["text"]) for one in found["excerpts"]] == [("user", True)]
        assert memory.search("What is my boat called?", user_id="bob", excerpts=True)["excerpts"] == []
        assert memory.search("What is my boat called?", agent_id="desk", excerpts=True)["excerpts"] == []

    def test_a_turn_uses_what_was_said_in_another_run(self, memory: Memory) -> None:
        """`chat` answers with it as "excerpts_used"."""
        memory.chat("My boat is called Marmalade and lies in Whitby", "alice", run_id="1")
        memory.search("boat", user_id="alice", excerpts=True)
        used = memory.chat("In which harbour does the boat lie?", "alice", run_id="2")["excerpts_used"]
        assert any("Whitby" in one["text"] for one in used)


class TestChat:
    def test_a_turn_answers_from_memory_and_is_learned_from(self, memory: Memory, server: ScriptedServer) -> None:
        """The reply, the memories it used, and after closing what it taught."""
        memory.add("I have a cat called Momo", user_id="alice")
        turn = memory.chat("What is my cat called? By the way, I live in Berlin", "alice", system="Be kind.")
        assert "Momo" in turn["reply"]
        assert [item["memory"] for item in turn["memories_used"]] == ["User has a cat called Momo."]
        assert turn["usage"]["prompt_tokens"] > 0
        chat = next(r["json"] for r in server.requests if not is_extraction(r["json"]))
        assert "Be kind." in system_prompt(chat)
        memory.close()
        with Memory() as later:
            assert "User lives in Berlin." in texts(later.get_all(user_id="alice"))

    def test_turns_of_a_conversation_follow_each_other(self, memory: Memory, server: ScriptedServer) -> None:
        """The second turn's prompt holds the first, in the same run only."""
        first = memory.chat("My word is plum.", "alice", run_id="a")
        second = memory.chat("What was it?", "alice", run_id="a")
        memory.chat("And here?", "alice", run_id="ab")
        assert first["session_id"] == second["session_id"]
        chats = [r["json"]["messages"] for r in server.requests if not is_extraction(r["json"])]
        assert [len(messages) for messages in chats] == [2, 4, 2]

    @pytest.mark.parametrize(("setting", "recalls"), [("private", True), ("off", False)])
    def test_the_lasting_switch_holds(
        self, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch, setting: str, recalls: bool
    ) -> None:
        """Nothing is learned, and with off nothing recalled; what is added is kept."""
        monkeypatch.setenv("MEMCHAT_MEMORY", setting)
        with Memory() as memory:
            memory.add("I live in Berlin", user_id="alice")
            answer = memory.chat("My sister Ana is a pilot. Do I live in Berlin?", "alice")
        assert bool(answer["memories_used"]) is recalls
        with Memory() as memory:
            assert texts(memory.get_all(user_id="alice")) == ["User lives in Berlin."]
        assert len(extractions(server.requests)) == 1

    def test_other_people_are_not_in_the_prompt(self, memory: Memory, server: ScriptedServer) -> None:
        """Bob's turn knows nothing of Alice."""
        memory.add("I have a cat called Momo", user_id="alice")
        assert memory.chat("What is my cat called?", "bob")["memories_used"] == []
        assert "Momo" not in json.dumps([r["json"] for r in server.requests if not is_extraction(r["json"])])

    def test_what_waits_of_anybody_is_learned_behind_it(self, memory: Memory, home: Path) -> None:
        """Who opens a `Memory` serves everybody in the store, also what another program left undone."""
        with Store(home / "memchat.db", utc_now, FINGERPRINT) as store:
            say(store, "I live in Berlin", user="bob")
        memory.chat("Hello!", "alice")
        memory.close()
        with Memory() as later:
            assert texts(later.get_all(user_id="bob")) == ["User lives in Berlin."]

    def test_a_warmed_up_one_learns_what_waits_without_being_asked_anything(self, memory: Memory, home: Path) -> None:
        """As a server does that was stopped in the middle of it."""
        with Store(home / "memchat.db", utc_now, FINGERPRINT) as store:
            say(store, "I live in Berlin", user="bob")
        memory.warm_up()
        until = time.monotonic() + 60
        while texts(memory.get_all(user_id="bob")) != ["User lives in Berlin."]:
            assert time.monotonic() < until
            time.sleep(0.02)

    def test_a_failing_model_keeps_the_message(self, memory: Memory, server: ScriptedServer) -> None:
        """The error reaches the caller; what was said is learned all the same."""
        server.enqueue(Reply(status=404))
        with pytest.raises(ModelError):
            memory.chat("I live in Berlin", "alice")
        memory.add("Hello!", user_id="alice")
        assert texts(memory.get_all(user_id="alice")) == ["User lives in Berlin."]


class TestLife:
    def test_a_closed_one_is_freed_at_once(self, server: ScriptedServer) -> None:
        """Not when Python next looks for cycles: a hundred megabytes of embedder go with it."""
        memory = Memory()
        memory.add("I live in Berlin", user_id="alice")
        memory.close()
        app = weakref.ref(memory._app)
        gc.disable()
        try:
            del memory
            assert app() is None
        finally:
            gc.enable()

    def test_memories_outlive_the_object(self, memory: Memory) -> None:
        """Another one on the same home finds them."""
        memory.add("I live in Berlin", user_id="alice")
        memory.close()
        with Memory() as later:
            assert texts(later.search("Where does User live?", user_id="alice")) == ["User lives in Berlin."]

    def test_a_closed_one_says_so(self, memory: Memory) -> None:
        """Closing twice is fine, using it afterwards is not."""
        memory.close()
        memory.close()
        with pytest.raises(UsageError, match="closed"):
            memory.get_all(user_id="alice")

    def test_threads_may_share_one(self, memory: Memory) -> None:
        """Adds from several threads at once lose nothing and keep people apart."""
        said = ["I'm vegetarian", "I live in Berlin", "I have a cat called Momo", "My sister Ana is a pilot"]
        failures: list[BaseException] = []

        def work(user: str) -> None:
            try:
                for one in said:
                    memory.add(one, user_id=user)
                    memory.search("cat", user_id=user)
            except BaseException as error:
                failures.append(error)

        # LiteLLM makes a client of its own for each thread that comes while there is none yet, and closes none.
        memory.add("Hello!", user_id="user0")
        threads = [threading.Thread(target=work, args=(f"user{n % 3}",)) for n in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failures == []
        for n in range(3):
            assert len(memory.get_all(user_id=f"user{n}")["results"]) == len(said)

    def test_processes_may_share_a_home(self, memory: Memory) -> None:
        """Two other processes and this one add at the same time, and all of it is there."""
        code = (
            "import sys; from memchat import Memory; memory = Memory()\n"
            "for n in range(10): memory.add(f'{sys.argv[1]} says {n}', user_id='alice', infer=False)\n"
            "memory.close()"
        )
        checkout = Path(memchat.__file__).parent.parent
        others = [subprocess.Popen([sys.executable, "-c", code, name], cwd=checkout) for name in ("one", "two")]
        for n in range(10):
            memory.add(f"this says {n}", user_id="alice", infer=False)
        assert [other.wait() for other in others] == [0, 0]
        expected = {f"{name} says {n}" for name in ("one", "two", "this") for n in range(10)}
        assert set(texts(memory.get_all(user_id="alice"))) == expected

    def test_without_any_model_the_offline_one_does_the_work(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """No key and no network: the same calls, by rules."""
        monkeypatch.setenv("MEMCHAT_MODEL", "offline")
        with Memory() as memory:
            memory.add("I'm vegetarian and I live in Berlin.", user_id="alice")
            memory.add("I just moved to Amsterdam.", user_id="alice")
            reply = memory.chat("Can you suggest a restaurant near me for tonight?", "alice")["reply"]
        assert "vegetarian" in reply
        assert "Amsterdam" in reply
        assert "Berlin" not in reply

    def test_two_of_them_share_a_home(self, memory: Memory) -> None:
        """What one learns the other finds at once."""
        with Memory() as other:
            other.search("cat", user_id="alice")
            memory.add("I have a cat called Momo", user_id="alice")
            assert texts(other.search("What is my cat called?", user_id="alice")) == ["User has a cat called Momo."]
