"""What was said in earlier conversations reaches the model of a new process, and never as current what is not."""

import json
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest

from memchat.app import App
from memchat.config import Settings
from memchat.core.types import Add, Draft, Evidence, Owner, Role
from memchat.text.dates import format_date
from memchat.text.embedding import embed
from tests.cli.conftest import Shell
from tests.scripted_server import ScriptedServer

LAST_WEEK = datetime.now(UTC) - timedelta(days=7)

TALKS = (
    ("Any good walk near Eastbourne?", "I recommend the Seven Sisters trail, about four hours."),
    ("What should I read on the train?", "You could read Piranesi by Susanna Clarke."),
    ("How do I keep my sourdough alive?", "Feed the starter with rye flour every Sunday evening."),
    ("Which wine goes with paella?", "I suggest a dry Albariño from Rías Baixas."),
    ("My laptop overheats, what now?", "Clean the fan first, then renew the thermal paste."),
    ("Name my new kitten!", "I would call her Biscuit."),
    ("Wo kann ich am Wochenende wandern?", "Ich empfehle den Malerweg in der Sächsischen Schweiz."),
)
ASKED = {
    "What did you recommend?": "Seven Sisters",
    "Which trail did you recommend last week?": "Seven Sisters",
    "What was the book you told me to read on the train?": "Piranesi",
    "Which flour did you say my starter wants?": "rye flour",
    "What was the name of the wine you suggested?": "Albariño",
    "What did you tell me to do about the hot laptop?": "thermal paste",
    "What name did you come up with for the kitten?": "Biscuit",
    "Your suggestion for the paella, again please?": "Albariño",
    "How often should I feed it, you said?": "Sunday",
    "Was hast du mir zum Wandern empfohlen?": "Malerweg",
    "¿Qué libro me recomendaste para el tren?": "Piranesi",
}


@pytest.fixture
def server() -> Generator[ScriptedServer]:
    with ScriptedServer() as server:
        yield server


@contextmanager
def last_week(shell: Shell) -> Iterator[App]:
    """The store as it was a week ago; all that is said in it is indexed."""
    with App(Settings(shell.home, "alice"), clock=lambda: LAST_WEEK) as app:
        yield app
        while app.store.message_index.index_next(None, app.embedder):
            pass


def prompt_of(shell: Shell, server: ScriptedServer, question: str, **env: str) -> str:
    """The system message of `question`, asked in a process of its own."""
    behind = {
        "OPENAI_API_KEY": "sk-scripted",
        "OPENAI_API_BASE": server.base_url,
        "MEMCHAT_EXTRACTION_MODEL": "offline",
    }
    asked = shell.program("ask", question, "--model", "openai/scripted", env={**behind, **env})
    assert asked.code == 0, asked.err
    system: str = server.requests[-1]["json"]["messages"][0]["content"]
    return system


def hold(app: App, *lines: str) -> list[str]:
    """A conversation; the ids of its messages and of itself."""
    session = app.store.conversations.new_session("alice", None)
    roles = (Role.USER, Role.ASSISTANT)
    said = [app.store.conversations.record(session, roles[i % 2], line) for i, line in enumerate(lines)]
    return [*(message.id for message in said), session.id]


@pytest.mark.parametrize("question", ASKED)
def test_a_new_process_is_told_what_the_assistant_said(shell: Shell, server: ScriptedServer, question: str) -> None:
    """The name of the thing is in the prompt, as the assistant's words of that day."""
    with last_week(shell) as app:
        for talk in TALKS:
            hold(app, *talk)
    lines = [line for line in prompt_of(shell, server, question).splitlines() if ASKED[question] in line]
    assert lines
    assert lines[0].startswith(f"- [{LAST_WEEK.astimezone().date()}, you]")


@pytest.mark.parametrize(
    ("said", "former", "now", "question", "old"),
    [
        ("I live in Berlin now.", "User lives in Berlin.", "User lives in Amsterdam.", "Where do I live?", "Berlin"),
        (
            "My order 4821 is still late.",
            "User's order 4821 is late.",
            "User's order 4821 has arrived.",
            "Is my order 4821 late?",
            "still late",
        ),
    ],
)
def test_the_old_is_never_presented_as_current(
    shell: Shell, server: ScriptedServer, said: str, former: str, now: str, question: str, old: str
) -> None:
    """Where its words are the best match they come with what holds instead."""
    with last_week(shell) as app:
        message, _, session = hold(app, said, "Thanks for telling me.")
        drafts = [Draft(former, Owner.user("alice"), evidence=Evidence(message, session, said, ""))]
        (kept,) = app.store.apply([Add(drafts[0])], embed(app.embedder, drafts))
        newer = [Draft(now, Owner.user("alice"))]
        app.store.apply([Add(newer[0], (kept.memory.id,))], embed(app.embedder, newer))
    prompt = prompt_of(shell, server, question)
    assert now in prompt
    for line in prompt.splitlines():
        if old in line and not line.startswith(f"- {now}"):
            assert f"(no longer so; now: {now})" in line


def test_the_setting_and_no_memory_keep_excerpts_out(shell: Shell, server: ScriptedServer) -> None:
    """Nothing that was said is in the prompt then."""
    with last_week(shell) as app:
        hold(app, *TALKS[0])
    question = "Which trail did you recommend?"
    assert "Seven Sisters" in prompt_of(shell, server, question)
    assert "Seven Sisters" not in prompt_of(shell, server, question, MEMCHAT_EXCERPTS="off")
    assert "Seven Sisters" not in prompt_of(shell, server, question, MEMCHAT_MEMORY="off")


def test_what_is_asked_is_indexed_before_the_program_ends(shell: Shell) -> None:
    """The next process finds it, and status says how many are searchable."""
    assert shell.program("ask", "My locker code word is marmalade.").code == 0
    assert shell.run("status", "--json").json["messages"] == {"indexed": 2, "waiting": 0}
    found = shell.run("sessions", "search", "the word that opens my locker", "--json").json
    assert [(one["match"], "marmalade" in one["text"]) for one in found][:1] == [("meaning", True)]


def test_what_is_imported_is_found_by_the_next_question(shell: Shell, server: ScriptedServer) -> None:
    """Where an import learns at once, its messages are searchable at its end."""
    roles, said = ("user", "assistant"), (LAST_WEEK - timedelta(days=30)).isoformat()
    talk = [{"role": roles[at], "content": text, "created_at": said} for at, text in enumerate(TALKS[0])]
    file = shell.home.parent / "talk.jsonl"
    file.write_text(json.dumps({"messages": talk}), encoding="utf-8")
    assert shell.run("memories", "import", str(file)).code == 0
    assert shell.run("status", "--json").json["messages"] == {"indexed": 2, "waiting": 0}
    assert "Seven Sisters" in prompt_of(shell, server, "Which trail did you recommend?")


def test_compare_and_ask_show_what_was_quoted(shell: Shell) -> None:
    """Beside the memories, for people and for programs."""
    with last_week(shell) as app:
        hold(app, *TALKS[0])
    question = "Which trail did you recommend?"
    assert "From earlier conversations" in shell.run("compare", question).out
    compared = shell.run("compare", question, "--json").json
    assert compared["stateless"]["excerpts"] == []
    (first, *_) = compared["with_memory"]["excerpts"]
    assert (first["role"], first["outdated"]) == ("assistant", None)
    assert "Seven Sisters" in first["text"]
    assert shell.run("ask", question, "--json").json["excerpts"][0]["message_id"] == first["message_id"]


def test_offline_mode_quotes_what_was_said_where_no_memory_answers(shell: Shell) -> None:
    """In a new process, with the day: the person's words, or the assistant's where they are asked for."""
    with last_week(shell) as app:
        hold(app, *TALKS[0])
        hold(app, "My locker at the pool opens with the red key of Ms Okafor.", "Good to know.")
        draft = Draft("User plays the tuba.", Owner.user("alice"))
        app.store.apply([Add(draft)], embed(app.embedder, [draft]))
    day = format_date(LAST_WEEK.astimezone().date())
    recommended = shell.program("ask", "What did you recommend last week?").out
    assert f"On {day} I said: “I recommend the Seven Sisters trail, about four hours.”" in recommended
    told = shell.program("ask", "Which key opens my locker?").out
    assert f"On {day} you said: “My locker at the pool opens with the red key of Ms Okafor.”" in told
    assert "said:" not in shell.program("ask", "Do I play the tuba?").out
