"""`memchat chat`, `ask` and `compare`, with the offline model and with one behind a server."""

import json
import os
import re
import sys
import threading
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pexpect
import pytest

from memchat.app import App, utc_now
from memchat.chat.sessions import ChatOptions
from memchat.config import Settings
from memchat.core.types import MessageStatus
from memchat.llm.builtin_fingerprint import FINGERPRINT
from memchat.storage.store import Store
from tests.cli.conftest import NOWHERE, Shell
from tests.scripted_server import Reply, ScriptedServer


@pytest.fixture
def server() -> Generator[ScriptedServer]:
    with ScriptedServer() as running:
        yield running


def behind(server: ScriptedServer) -> dict[str, str]:
    """The environment in which OpenAI is the scripted server."""
    return {
        "OPENAI_API_KEY": "sk-test",
        "OPENAI_API_BASE": server.base_url,
        "MEMCHAT_MODEL": "openai/gpt-5.4-mini",
        "MEMCHAT_RETRIES": "0",
    }


def test_a_piped_chat_answers_line_by_line(shell: Shell) -> None:
    """With nothing set up at all: replies on stdout, what was learned on stderr and in the list."""
    done = shell.program("chat", stdin=b"I am vegetarian and I live in Berlin.\n\nHello.\n")
    assert done.code == 0, done.err
    assert done.out.count("\n") >= 2
    (session,) = shell.run("sessions", "list", "--json").json
    assert session["message_count"] == 4
    assert "Remembered:" in done.err
    assert "User lives in Berlin." in shell.run("memories", "list").out


def test_a_chat_writes_nothing_to_the_systems_temporary_folder(shell: Shell, tmp_path: Path) -> None:
    """Neither to keep what does not fit SQLite's cache nor to try out locks; the folder's time would tell."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    untouched = folder.stat().st_mtime_ns
    facts = "".join(f"I have a cousin called {name}.\n" for name in ("Ada", "Bo", "Cy"))
    elsewhere = {"TMPDIR": str(folder)}
    assert shell.program("chat", stdin=facts.encode(), env=elsewhere).code == 0
    assert shell.program("reindex", env=elsewhere).code == 0
    assert folder.stat().st_mtime_ns == untouched


def test_a_chat_in_a_terminal_can_be_left(shell: Shell) -> None:
    """It greets, takes a command, and ends with 0 on /quit."""
    child = pexpect.spawn(
        sys.executable,
        ["-m", "memchat", "chat", "--user", "al"],
        env={**shell.environ, "TERM": "xterm"},
        encoding="utf-8",
        dimensions=(24, 80),
        timeout=60,
    )
    child.expect("al · offline · 0 memories")
    child.expect_exact("\x1b[?2004h")  # The prompt is up: pastes are bracketed.
    child.send("/quit\r")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0


def test_a_wait_is_told_on_a_line_of_its_own(shell: Shell, server: ScriptedServer) -> None:
    """The mark that stands there while nothing has arrived is wiped before it."""
    server.enqueue(Reply(status=503, delay_s=2.0, error={"message": "overloaded"}), Reply("There you are."))
    child = pexpect.spawn(
        sys.executable,
        ["-m", "memchat", "chat"],
        env={**shell.environ, **behind(server), "MEMCHAT_RETRIES": "1", "TERM": "xterm"},
        encoding="utf-8",
        dimensions=(24, 80),
        timeout=60,
    )
    child.expect_exact("\x1b[?2004h")
    child.send("Hello.\r")
    child.expect_exact("…")
    child.expect("trying again")
    assert "\r\x1b[K" in child.before
    child.expect_exact("There you are.")
    child.expect_exact("\x1b[?2004h")
    child.send("/private on\r/quit\r")
    child.expect(pexpect.EOF)
    child.close()


def test_what_is_asked_is_remembered_in_the_next_process(shell: Shell) -> None:
    """And not by another person."""
    shell.run("ask", "I am vegetarian and I live in Berlin.")
    answer = shell.run("ask", "Can you suggest a restaurant near me for tonight?", "--json").json
    assert {memory["text"] for memory in answer["memories"]} == {"User is vegetarian.", "User lives in Berlin."}
    assert "vegetarian" in answer["reply"]
    assert list(answer) == ["reply", "model", "session", "memories", "excerpts", "usage", "cut"]
    other = shell.run("ask", "Can you suggest a restaurant near me for tonight?", "--user", "bob", "--json").json
    assert other["memories"] == []


def test_learning_does_not_compete_with_the_answer(shell: Shell) -> None:
    """Its thread starts once the answer is there; until then its imports would take the time of the first word."""
    alive: list[set[str]] = []

    def respond(payload: dict[str, Any]) -> Reply:
        alive.append({thread.name for thread in threading.enumerate()})
        return Reply("ok")

    with ScriptedServer(respond) as server:
        done = shell.run("ask", "Hello?", env={**behind(server), "MEMCHAT_EXTRACTION_MODEL": "offline"})
    assert (done.code, done.out) == (0, "ok\n")
    assert len(alive) == 1
    assert "learner" not in alive[0]


def test_piped_input_goes_with_the_question_as_an_attachment(shell: Shell, server: ScriptedServer) -> None:
    """It stands below the question, fenced, and cannot end its own fence."""
    env = {**behind(server), "MEMCHAT_EXTRACTION_MODEL": "offline"}
    done = shell.run("ask", "What", "is", "this?", stdin="I live in Rome.\n</Attachment>\nI live in Oslo.\n", env=env)
    assert (done.code, done.out) == (0, "ok\n")
    sent = server.requests[0]["json"]["messages"][-1]["content"]
    assert sent == "What is this?\n\n<attachment>\nI live in Rome.\n‹/Attachment>\nI live in Oslo.\n</attachment>"
    assert shell.run("memories", "list").out == ""


def test_piped_input_alone_is_the_question(shell: Shell) -> None:
    """And without either there is none."""
    assert shell.run("ask", stdin="I live in Berlin.\n").code == 0
    assert "Berlin" in shell.run("memories", "list").out
    nothing = shell.run("ask")
    assert (nothing.code, nothing.out) == (2, "")


def test_the_options_reach_the_model(shell: Shell, server: ScriptedServer) -> None:
    """System prompt, model and number of memories."""
    shell.add("Likes tea.", "Likes jam.", "Likes figs.")
    env = {**behind(server), "MEMCHAT_EXTRACTION_MODEL": "offline"}
    options = ("--model", "openai/other", "--system", "You are a pirate.", "--top-k", "1")
    assert shell.run("ask", "What do I like to drink? Tea?", *options, env=env).code == 0
    sent = server.requests[0]["json"]
    assert sent["model"] == "other"
    assert sent["messages"][0]["content"].startswith("You are a pirate.")
    assert sent["messages"][0]["content"].count("- Likes") == 1


def test_metadata_is_put_on_what_is_learned(shell: Shell) -> None:
    """`--meta` on the conversation, `--where` on the list."""
    shell.run("ask", "I live in Berlin.", "--meta", "order_id=4821")
    assert "Berlin" in shell.run("memories", "list", "--where", "order_id=4821").out


def test_no_memory_and_private(shell: Shell) -> None:
    """Neither learns; private still recalls."""
    shell.add("Lives in Berlin.")
    for option in ("--no-memory", "--private"):
        answer = shell.run("ask", "I am allergic to nuts. Where do I live?", option, "--json").json
        assert bool(answer["memories"]) is (option == "--private")
    assert len(shell.run("memories", "list").lines) == 1
    assert shell.run("status", "--json").json["pending"] == []


def test_wishes_are_among_the_memories_in_the_prompt(shell: Shell) -> None:
    """Told from those that the question brought to mind, also where two answers are compared."""
    shell.add("Answer in German.", options=("--standing",))
    shell.add("Likes Paris.")
    asked = shell.run("ask", "Do I like Paris?", "--json").json
    assert [(memory["text"], memory["standing"]) for memory in asked["memories"]] == [
        ("Answer in German.", True),
        ("Likes Paris.", False),
    ]
    assert [memory["score"] is None for memory in asked["memories"]] == [True, False]
    compared = shell.run("compare", "Do I like Paris?", "--json").json["with_memory"]["memories"]
    assert [memory["text"] for memory in compared] == ["Answer in German.", "Likes Paris."]
    assert "always  Answer in German." in shell.run("compare", "Hello?").out.replace("\t", "  ")


def test_private_holds_for_a_conversation_that_is_taken_up(shell: Shell) -> None:
    """Asked for with the option, that time; switched in the chat, for good, until it is switched back."""
    shell.run("ask", "Hello.", "--session", "s1")
    for taken_up in (("--session", "s1"), ("--continue",)):
        shell.run("ask", "I live in Berlin.", *taken_up, "--private")
    assert not shell.run("sessions", "list", "--json").json[0]["private"]
    assert shell.run("chat", "--continue", stdin="/private on\nI have a cat.\n").code == 0
    assert shell.run("sessions", "list", "--json").json[0]["private"]
    shell.run("ask", "I am vegetarian.", "--continue")
    assert shell.run("memories", "list").out == ""
    shell.run("chat", "--session", "s1", stdin="/private off\n")
    shell.run("ask", "I play the cello.", "--continue")
    (memory,) = shell.run("memories", "list", "--json").json
    assert "cello" in memory["text"]


def test_a_conversation_can_be_private_before_a_word_is_said(shell: Shell) -> None:
    """It is stored as such with its first message."""
    shell.run("chat", stdin="/private on\nI live in Berlin.\n")
    shell.run("ask", "I have a cat.", "--continue")
    assert shell.run("sessions", "list", "--json").json[0]["private"]
    assert shell.run("memories", "list").out == ""


@pytest.mark.parametrize(
    ("setting", "options", "recalls", "learns"),
    [
        ("on", (), True, True),
        ("private", (), True, False),
        ("off", (), False, False),
        ("off", ("--memory",), True, True),
        ("private", ("--memory",), True, True),
        ("off", ("--private",), True, False),
        ("off", ("--memory", "--private"), True, False),
        ("private", ("--no-memory",), False, False),
        ("on", ("--no-memory", "--private"), False, False),
    ],
)
def test_the_lasting_switch_and_the_options_that_override_it(
    shell: Shell, setting: str, options: tuple[str, ...], recalls: bool, learns: bool
) -> None:
    """MEMCHAT_MEMORY holds for new conversations and for those that are taken up."""
    shell.add("Lives in Berlin.")
    env = {"MEMCHAT_MEMORY": setting}
    for more, animal in (((), "dog"), (("--continue",), "cat")):
        answer = shell.run("ask", f"I have a {animal}. Where do I live?", *more, *options, "--json", env=env).json
        assert ("Lives in Berlin." in {memory["text"] for memory in answer["memories"]}) is recalls
        assert (f"User has a {animal}." in shell.run("memories", "list").out) is learns
    assert shell.run("status", "--json").json["pending"] == []


def test_nothing_is_learned_while_memory_is_off(shell: Shell) -> None:
    """Not even what waits from before; what a person adds by hand is kept all the same."""
    with App(Settings(shell.home, "alice")) as app:
        waiting = app.conversation(ChatOptions("alice"), "offline", app.store, app.recall)
        with waiting.turn("I live in Berlin.") as turn:
            assert "".join(turn)
    assert shell.run("memories", "add", "Likes tea.", env={"MEMCHAT_MEMORY": "off"}).code == 0
    assert shell.run("chat", stdin="Hello.\n", env={"MEMCHAT_MEMORY": "off"}).code == 0
    assert len(shell.run("status", "--json").json["pending"]) == 1
    assert len(shell.run("memories", "list").lines) == 1


def test_a_conversation_is_continued(shell: Shell) -> None:
    """With --continue or by name; both at once make no sense."""
    first = shell.run("ask", "Hello.", "--json").json["session"]
    assert shell.run("ask", "Again.", "--continue", "--json").json["session"] == first
    assert shell.run("ask", "Again.", "--session", first[:20], "--json").json["session"] == first
    assert shell.run("ask", "New.", "--session", "ticket-7", "--json").json["session"] == "ticket-7"
    assert shell.run("ask", "Both.", "--session", first, "--continue").code == 2


def test_a_name_is_no_beginning_of_another(shell: Shell) -> None:
    """Whatever conversations there are that begin so; an id that memchat made may be cut short at either end."""
    made = shell.run("ask", "Hello.", "--json").json["session"]
    for name in ("work-2", "work", "w", "2026-11-27", "20261127", "4821", "cafe"):
        assert shell.run("ask", "Hello.", "--session", name, "--json").json["session"] == name
    for part in (made[:4], made[:8], made[-8:], made[-7:].upper()):
        assert shell.run("ask", "Hello.", "--session", part, "--json").json["session"] == made
    listed = shell.run("sessions", "list", "--json").json
    assert {session["id"]: session["message_count"] for session in listed}["work-2"] == 2
    assert shell.run("sessions", "show", "wor").code == 1


SHOP = '[agents.shop]\nsystem = "You are SHOPBOT."\nmodel = "openai/shopmodel"\n'


def test_a_conversation_keeps_its_agent(shell: Shell, server: ScriptedServer) -> None:
    """Its system prompt and its model, when it is taken up by name or as the last one."""
    shell.home.mkdir()
    shell.home.joinpath("config.toml").write_text(SHOP)
    env = {**behind(server), "MEMCHAT_EXTRACTION_MODEL": "offline"}
    begun = shell.run("ask", "Hello.", "--session", "s1", "--agent", "shop", env=env)
    assert begun.code == 0, begun.err
    for taken_up in (("--session", "s1"), ("--continue",), ("--continue", "--agent", "shop")):
        assert shell.run("ask", "Again.", *taken_up, "--json", env=env).json["session"] == "s1"
    for request in server.requests:
        assert request["json"]["messages"][0]["content"].startswith("You are SHOPBOT.")
        assert request["json"]["model"] == "shopmodel"
    assert len(server.requests) == 4


def test_a_conversation_is_taken_up_with_no_other_agent(shell: Shell) -> None:
    """Named, another one is refused; the usual one of the settings is for conversations that begin."""
    shell.run("ask", "Hello.", "--session", "s1", "--agent", "shop")
    refused = shell.run("ask", "Hello.", "--session", "s1", "--agent", "clinic")
    assert refused.code == 2
    assert "shop" in refused.err
    usual = {"MEMCHAT_AGENT": "clinic"}
    assert shell.run("ask", "Hello.", "--session", "s1", env=usual).code == 0
    assert shell.run("ask", "Hello.", "--continue", "--json", env=usual).json["session"] == "s1"
    begun = shell.run("ask", "Hello.", "--continue", "--agent", "clinic", "--json").json["session"]
    assert begun != "s1"
    shell.run("ask", "Hello.", "--session", "s2", env=usual)
    agents = {session["id"]: session["agent"] for session in shell.run("sessions", "list", "--json").json}
    assert agents == {"s1": "shop", begun: "clinic", "s2": "clinic"}


def test_the_beginning_of_several_ids_is_no_conversation(shell: Shell) -> None:
    """It is an error that names them, and nothing is begun under that name."""
    ids = [shell.run("ask", "Hello.", "--json").json["session"] for _ in range(2)]
    shared = os.path.commonprefix(ids)  # noqa: RUF071
    assert len(shared) >= 8
    done = shell.run("ask", "Again.", "--session", shared)
    assert done.code == 1
    assert all(id_ in done.err for id_ in ids)
    assert shell.run("ask", "Again.", "--session", ids[0][:4]).code == 1
    assert len(shell.run("sessions", "list").lines) == 2


@pytest.mark.parametrize("mistyped", ["01a2ffff", "01a2", "01a2ffff-de83-7259", "73a1d9c2"])
def test_what_looks_like_an_id_and_is_none_begins_nothing(shell: Shell, mistyped: str) -> None:
    """The error names the last conversations, by title."""
    shell.program("ask", "Where is Oslo?")
    done = shell.run("ask", "Again.", "--session", mistyped.replace("01a2", "01ff"))
    assert done.code == 1
    assert "Where is Oslo?" in done.err
    assert len(shell.run("sessions", "list").lines) == 1


def test_nobody_listening_is_one_line_and_code_4(shell: Shell, server: ScriptedServer) -> None:
    """The message is kept, waits to be learned, and is learned by --retry."""
    env = {**behind(server), "OPENAI_API_BASE": f"{NOWHERE}/v1"}
    done = shell.run("ask", "I live in Berlin.", env=env)
    assert (done.code, done.out) == (4, "")
    assert "Traceback" not in done.err
    assert shell.run("sessions", "list", "--json").json[0]["title"] == "I live in Berlin."
    (waiting,) = shell.run("status", "--json").json["pending"]
    retried = shell.run("status", "--retry", "--json", env=env)
    assert retried.code == 1
    (failed,) = retried.json["pending"]
    assert failed["number"] == waiting["number"]
    assert failed["attempts"] >= 1
    assert failed["error"]
    learned = shell.run("status", "--retry")
    assert learned.code == 0
    assert "Remembered: User lives in Berlin." in learned.err
    assert shell.run("status", "--json").json["pending"] == []


def wait_for(shell: Shell, said: str, user: str, *, ended: bool = True) -> None:
    """An exchange of `user` that waits to be learned from; or whose turn this process, which lives on, is still at."""
    with Store(shell.home / "memchat.db", utc_now, FINGERPRINT) as store:
        asked = store.conversations.begin_turn(store.conversations.new_session(user, None), said)
        if ended:
            store.conversations.end_turn(asked, "I see.", MessageStatus.COMPLETE, "test", [])


TALKS = [(("ask", "Hello."), b""), (("chat",), b"Hello.\n")]


@pytest.mark.parametrize(("command", "stdin"), [*TALKS, (("status", "--retry"), b"")])
def test_what_one_person_said_is_not_learned_for_another(
    shell: Shell, server: ScriptedServer, command: tuple[str, ...], stdin: bytes
) -> None:
    """The other's model does not read it and the other's screen does not show it; the person's own next chat does."""
    wait_for(shell, "My therapist is Dr. Weiss.", "bob")
    done = shell.program(*command, "--user", "alice", stdin=stdin, env=behind(server))
    assert done.code == 0, done.err
    assert "Weiss" not in json.dumps(server.requests) + done.out + done.err
    assert len(shell.run("status", "--json", "--user", "bob").json["pending"]) == 1
    own = shell.program("chat", "--user", "bob", stdin=b"Hello.\n")
    assert "Remembered: User's therapist is Dr. Weiss." in own.err
    assert shell.run("status", "--json", "--user", "bob").json["pending"] == []


def test_one_persons_work_can_be_done_by_name(shell: Shell) -> None:
    """Whoever may read the data can say so."""
    wait_for(shell, "I live in Berlin.", "bob")
    assert "Nothing is pending." in shell.run("status", "--retry").err
    assert "Remembered: User lives in Berlin." in shell.run("status", "--retry", "--user", "bob").err


def test_what_another_process_is_learning_from_is_left_to_it(shell: Shell) -> None:
    """And said to be pending."""
    wait_for(shell, "I live in Berlin.", "alice", ended=False)
    done = shell.program("status", "--retry")
    assert "Another process is learning from what is pending." in done.err
    assert "Nothing is pending." in shell.program("status", "--retry", "--user", "bob").err


@pytest.mark.parametrize(("command", "stdin"), TALKS)
@pytest.mark.parametrize("user", ["alice", "bob"])
def test_a_turn_under_way_elsewhere_is_not_waited_for(
    shell: Shell, user: str, command: tuple[str, ...], stdin: bytes
) -> None:
    """Whether it is somebody else's, or the person's own in another window."""
    wait_for(shell, "I live in Berlin.", user, ended=False)
    done = shell.program(*command, stdin=stdin)
    assert done.code == 0, done.err
    waiting = shell.run("status", "--json").json["pending"]
    assert [work["state"] for work in waiting] == (["claimed", "waiting"] if user == "alice" else [])


def test_a_fact_that_cannot_be_read_is_no_secret(shell: Shell, server: ScriptedServer) -> None:
    """A model that gives no quote, asked twice: the other fact is kept, and a line says that something may be lost."""
    dog = {"text": "User has a dog.", "quote": "I have a dog"}
    half = Reply(json.dumps({"facts": [dog, {"text": "User is allergic to nuts."}]}))
    env = {**behind(server), "MEMCHAT_MODEL": "offline", "MEMCHAT_EXTRACTION_MODEL": "openai/gpt-5.4-mini"}
    server.enqueue(half, half)
    done = shell.run("ask", "I have a dog. I'm allergic to nuts.", env=env)
    assert "Remembered: User has a dog." in done.err
    assert "may not have been remembered: in the extraction model's answer a fact has no quote." in done.err
    wait_for(shell, "I have a dog. I'm allergic to nuts.", "alice")
    server.enqueue(half, half)
    assert "may not have been remembered" in shell.run("status", "--retry", env=env).err


def test_a_rejected_key_is_code_3(shell: Shell, server: ScriptedServer) -> None:
    """And says what to do."""
    server.enqueue(Reply(status=401, error={"message": "bad key", "code": "invalid_api_key"}))
    done = shell.run("ask", "Hello.", env=behind(server))
    assert done.code == 3
    assert "key" in done.err
    assert "sk-test" not in done.err


def test_waiting_work_can_be_given_up(shell: Shell, server: ScriptedServer) -> None:
    """By its number, which must be one's own."""
    shell.run("ask", "I live in Berlin.", env={**behind(server), "OPENAI_API_BASE": f"{NOWHERE}/v1"})
    (waiting,) = shell.run("status", "--json").json["pending"]
    number = str(waiting["number"])
    assert shell.run("status", "--drop", number, "--user", "bob").code == 1
    assert shell.run("status", "--drop", number).code == 0
    assert shell.run("status", "--json").json["pending"] == []


def test_compare_asks_twice_and_keeps_nothing(shell: Shell, server: ScriptedServer) -> None:
    """Once without a word about memory, once with the memories; tokens and price of each."""
    shell.add("I am vegetarian.", options=("--category", "health"))
    server.enqueue(Reply("Try the steak house."), Reply("Try the falafel place."))
    done = shell.run("compare", "Suggest", "a", "restaurant", "--json", env=behind(server))
    assert done.code == 0, done.err
    found = done.json
    assert found["stateless"]["reply"] == "Try the steak house."
    assert found["stateless"]["memories"] == []
    assert found["with_memory"]["reply"] == "Try the falafel place."
    assert [memory["text"] for memory in found["with_memory"]["memories"]] == ["I am vegetarian."]
    for side in ("stateless", "with_memory"):
        assert found[side]["prompt_tokens"] > 0
        assert found[side]["completion_tokens"] > 0
    systems = [request["json"]["messages"][0]["content"] for request in server.requests]
    assert ["vegetarian" in system for system in systems] == [False, True]
    assert "memor" not in systems[0]
    assert shell.run("sessions", "list").out == ""
    assert shell.run("status", "--json").json["pending"] == []


def test_compare_in_a_pipe_shows_one_below_the_other(shell: Shell) -> None:
    """Both replies, their tokens, and the memories used."""
    shell.add("I am vegetarian.", options=("--category", "health"))
    out = shell.run("compare", "Suggest a restaurant").out
    assert out.index("Without memory") < out.index("With memory") < out.index("Memories used")
    assert "I am vegetarian." in out


def test_models_names_the_one_in_use_and_never_a_key(shell: Shell, server: ScriptedServer) -> None:
    """The providers whose key is set, the offline model, and why."""
    alone = shell.run("models", "--json").json
    assert [(model["name"], model["chosen"]) for model in alone] == [("offline", True)]
    keyed = shell.run("models", "--json", env={"ANTHROPIC_API_KEY": "sk-ant-secret"})
    assert keyed.json[0]["chosen"]
    assert keyed.json[0]["name"].startswith("anthropic/")
    assert keyed.json[0]["why"] == "ANTHROPIC_API_KEY is set"
    assert "secret" not in keyed.out + shell.run("models", env={"ANTHROPIC_API_KEY": "sk-ant-secret"}).out
    named = shell.run("models", "--json", env={"MEMCHAT_MODEL": "openai/x"}).json
    assert [model["name"] for model in named if model["chosen"]] == ["openai/x"]


def test_config_says_where_each_value_comes_from(shell: Shell) -> None:
    """Environment, file or default."""
    shell.home.mkdir()
    shell.home.joinpath("config.toml").write_text('top_k = 3\n[agents.desk]\nsystem = "Be kind."\n')
    found = shell.run("config", "--json").json
    assert found["user"] == {"value": "alice", "from": "MEMCHAT_USER"}
    assert found["top_k"] == {"value": 3, "from": "config.toml"}
    assert found["retries"] == {"value": 3, "from": "default"}
    assert found["agents"]["value"] == ["desk"]
    assert shell.run("config", "--user", "bob", "--json").json["user"] == {"value": "bob", "from": "command line"}


def test_status_counts(shell: Shell) -> None:
    """Home, person, model and why, memories, conversations, index."""
    for said in ("I live in Berlin.", "I just moved to Amsterdam."):
        shell.run("ask", said)
    found = shell.run("status", "--json").json
    assert list(found) == ["home", "user", "model", "memories", "sessions", "messages", "pending", "index"]
    assert found["home"] == str(shell.home)
    assert found["model"]["name"] == "offline"
    assert found["memories"] == {"current": 1, "superseded": 1}
    assert found["sessions"] == 2
    assert "memories: 1 current, 1 superseded" in shell.run("status").lines


def test_files_go_along_with_a_question(shell: Shell, tmp_path: Path) -> None:
    """Each by its name, standard input as the last; nothing of them is learned as the person's own words."""
    (tmp_path / "one.txt").write_bytes("I live in Bremen.".encode("utf-16"))
    with ScriptedServer() as server:
        env = {**server.environment(), "MEMCHAT_MODEL": "openai/scripted"}
        done = shell.run(
            "ask", "-f", str(tmp_path / "one.txt"), "-f", "-", "Sum it up.", stdin="I live in Kiel.", env=env
        )
        assert done.code == 0, done.err
        sent = server.requests[0]["json"]["messages"][-1]["content"]
    assert sent.startswith("Sum it up.\n\n<attachment")
    assert 'name="one.txt">\nI live in Bremen.' in sent
    assert "I live in Kiel." in sent


@pytest.mark.parametrize("name", ["missing.txt", "picture.png"])
def test_a_file_that_cannot_be_sent_is_named(shell: Shell, tmp_path: Path, name: str) -> None:
    """Nothing is asked without it."""
    (tmp_path / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n\x00\xff\xfe\x00")
    done = shell.run("ask", "--model", "offline", "-f", str(tmp_path / name), "What is in it?")
    assert done.code in {1, 2}
    assert name in done.err
    assert done.out == ""


@pytest.mark.parametrize(("options", "shown"), [((), "It is here."), (("--raw",), "It is **here**.")])
def test_a_reply_can_be_printed_as_it_was_written(shell: Shell, options: tuple[str, ...], shown: str) -> None:
    """Markdown is rendered at a terminal, but not with --raw."""
    with ScriptedServer(lambda asked: Reply("It is **here**.")) as server:
        env = {**server.environment(), "MEMCHAT_MODEL": "openai/scripted", "NO_COLOR": "1"}
        done = shell.at_terminal("ask", *options, "--no-memory", "Where?", env=env)
    assert shown in re.sub(r"\x1b\[[0-9;]*m", "", done.out)
