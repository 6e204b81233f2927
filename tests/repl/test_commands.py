"""Slash commands, each without a terminal."""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from memchat.chat.sessions import ChatOptions
from memchat.config import MemoryMode
from memchat.core.protocols import MemoryFilter
from memchat.core.types import OFFLINE, Add, Draft, Owner, Role, Scope
from memchat.errors import AmbiguousId, NotFound, UsageError
from memchat.repl.commands.dispatch import COMMANDS, dispatch, literal, parse
from memchat.repl.commands.registry import CommandContext, CommandResult, Invocation
from memchat.repl.commands.sources import sources
from memchat.repl.completer import suggestions
from tests.repl.harness import ScriptedApp, settings
from tests.storage.memory_factories import memories_of


@pytest.fixture
def context(tmp_path: Path) -> Iterator[CommandContext]:
    with ScriptedApp(settings(tmp_path)) as app, app.chat(ChatOptions("al")) as chat:
        yield CommandContext(chat, app)


def do(context: CommandContext, line: str) -> CommandResult:
    call = parse(line)
    assert call is not None
    return dispatch(context, call)


@pytest.mark.parametrize(
    ("line", "call"),
    [
        ("/help", Invocation("help", "")),
        ("  /HELP  ", Invocation("help", "")),
        ("/forget 0198", Invocation("forget", "0198")),
        ("/remember two\nlines", Invocation("remember", "two\nlines")),
        ("# I like tea", Invocation("remember", "I like tea")),
        ("/", Invocation("", "")),
        ("#tag", None),
        ("# A heading\n\nand a text", None),
        ("/etc/hosts is what?", None),
        ("/usr/bin", None),
        ("/tmp is full, what now?", Invocation("tmp", "is full, what now?")),
        ("/ hello", None),
        ("//", None),
        ("/quit smoking is hard", Invocation("quit", "smoking is hard")),
        ("/quit\nsmoking", Invocation("quit", "smoking")),
        ("/why is the sky blue?", Invocation("why", "is the sky blue?")),
        ("/privat on", Invocation("privat", "on")),
        ("/Forgt peanuts", Invocation("forgt", "peanuts")),
        ("/remembr I have a secret", Invocation("remembr", "I have a secret")),
        ("/forget2", Invocation("forget2", "")),
        ("/forget: peanuts", Invocation("forget:", "peanuts")),
        ("/забудь орехи", Invocation("забудь", "орехи")),
        ("／ｐｒｉｖａｔｅ on", Invocation("private", "on")),
        ("/?", Invocation("?", "")),
        ("/private/tmp/x", None),
        ("/notes.txt says what?", None),
        ("/1 of them", None),
        ("// a comment\nint x;", None),
        ("//private on", None),
        ("/private off", Invocation("private", "off")),
        ("/forget about Paris", Invocation("forget", "about Paris")),
        ("/xyzzy", Invocation("xyzzy", "")),
        ("what is /help", None),
        ("hello", None),
    ],
)
def test_what_is_a_command(line: str, call: Invocation | None) -> None:
    """A slash and a name, whatever follows, whether it exists or not; or '# ' and one line. A path is a message."""
    assert parse(line) == call


@pytest.mark.parametrize(
    ("line", "sent"),
    [
        ("//private on", "/private on"),
        ("//xyzzy", "/xyzzy"),
        ("// a comment\nint x;", "// a comment\nint x;"),
        ("//", "/"),
        ("///etc", "///etc"),
        ("hello //private", "hello //private"),
    ],
)
def test_a_second_slash_sends_the_line(line: str, sent: str) -> None:
    """Without it; nothing else that begins with slashes loses one."""
    assert literal(line) == sent


@pytest.mark.parametrize(
    "line", ["/privat on", "/forgt peanuts", "/remembr I have a secret affair", "/private schools"]
)
def test_a_slip_with_words_behind_it_is_a_slip(context: CommandContext, line: str) -> None:
    """Nothing is sent or stored, and the error says how to send it."""
    with pytest.raises(UsageError):
        do(context, line)
    assert context.session.messages == 0


def test_words_that_no_command_takes_are_refused(context: CommandContext) -> None:
    """The usage is shown, and how to send the line all the same."""
    with pytest.raises(UsageError, match="Usage: /why") as error:
        do(context, "/why is the sky blue today?")
    assert error.value.hint == "To send the line as a message: //why is the sky …"


def test_help_names_every_command(context: CommandContext) -> None:
    """With its arguments and what it does."""
    text = do(context, "/help").text
    for known in COMMANDS.values():
        assert known.usage in text
        assert known.help in text


def test_a_slip_is_answered_with_the_nearest_command(context: CommandContext) -> None:
    """And with the list where nothing is near."""
    with pytest.raises(UsageError) as slip:
        do(context, "/memries")
    assert slip.value.hint == "Did you mean /memories? To send it as a message: //memries"
    with pytest.raises(UsageError) as nonsense:
        do(context, "/xyzzy")
    assert nonsense.value.hint == "/help lists the commands. To send it as a message: //xyzzy"


def test_what_is_told_is_kept_word_for_word(context: CommandContext) -> None:
    """By /remember and by '# ', and listed with the id that /forget takes."""
    assert do(context, "/remember I am allergic to peanuts").text == "Remembered: I am allergic to peanuts"
    do(context, "# My cat is called Tom")
    listed = do(context, "/memories").text
    assert "I am allergic to peanuts" in listed
    assert "My cat is called Tom" in listed
    number, _, _, short, *_ = listed.split()
    assert (number, len(short)) == ("1", 8)
    assert context.app.store.memories.find(short, [Owner.user("al")]).text == "My cat is called Tom"


def test_with_a_language_model_what_is_told_replaces_nothing_at_once(context: CommandContext) -> None:
    """The model decides it behind the chat."""
    do(context, "/remember I live in Oslo.")
    assert do(context, "/remember I live in Bergen now.").text.startswith("Remembered: I live in Bergen now.")


def test_what_is_told_waits_on_disk_for_the_language_model(tmp_path: Path) -> None:
    """So that the next process decides it, where this one does not learn."""
    with ScriptedApp(replace(settings(tmp_path), memory=MemoryMode.OFF)) as app, app.chat(ChatOptions("al")) as chat:
        context = CommandContext(chat, app)
        do(context, "/remember I live in Oslo.")
        (job,) = app.store.work.pending("al")
        assert job.memory_id == context.memories()[0].id
        assert "1 pending" in do(context, "/status").text


def test_what_is_told_says_what_it_replaces_and_what_is_close(tmp_path: Path) -> None:
    """By rules, where no model learns; what is close comes with the id that /forget takes."""
    offline = replace(settings(tmp_path), extraction_model=OFFLINE)
    with ScriptedApp(offline) as app, app.chat(ChatOptions("al")) as chat:
        context = CommandContext(chat, app)
        do(context, "/remember I live in Oslo.")
        updated = "Updated: I live in Bergen now. (was: I live in Oslo.)"
        assert do(context, "/remember I live in Bergen now.").text == updated
        do(context, "/remember The wifi is called Falcon.")
        line, close, hint = do(context, "/remember The wifi is called Hawk.").text.splitlines()
        assert line == "Remembered: The wifi is called Hawk."
        assert do(context, f"/forget {close.split()[1]}").text == "Forgotten: The wifi is called Falcon."
        assert hint == "/forget ID deletes one."


def test_a_wish_that_is_told_is_for_every_answer(context: CommandContext) -> None:
    """By its words, or by the flag."""
    assert do(context, "/remember Always answer me in German.").text.endswith("(for every answer)")
    assert "brièvement. (for every answer)" in do(context, "/remember --standing Réponds-moi brièvement.").text
    with context.chat.conversation.turn("What is the capital of France?") as turn:
        assert "Always answer me in German." in turn.request.messages[0].content
        assert "Réponds-moi brièvement." in turn.request.messages[0].content


def test_an_agents_memory_is_told_with_a_flag(tmp_path: Path) -> None:
    """For all who talk to it; without an agent that makes no sense."""
    with ScriptedApp(settings(tmp_path)) as app, app.chat(ChatOptions("al", "shop")) as chat:
        told = do(CommandContext(chat, app), "/remember --agent Shipping is free over 50 euros.").text
        assert told == "Remembered: Shipping is free over 50 euros."
        assert memories_of(app.store, "al") == []
        (memory,) = app.store.memories.memories(MemoryFilter((Owner.agent("shop"),)))
        assert (memory.text, memory.scope, memory.agent) == ("Shipping is free over 50 euros.", Scope.AGENT, "shop")
    with ScriptedApp(settings(tmp_path)) as app, app.chat(ChatOptions("al")) as chat:
        for line in ("/remember --agent Shipping is free.", "/remember --standing"):
            with pytest.raises(UsageError):
                do(CommandContext(chat, app), line)
        assert memories_of(app.store, "al") == []


def test_nothing_to_remember_is_a_usage_error(context: CommandContext) -> None:
    """As is nothing to forget."""
    for line in ("/remember", "/forget", "/private maybe"):
        with pytest.raises(UsageError):
            do(context, line)


def test_no_memories_are_said_to_be_none(context: CommandContext) -> None:
    """A new person sees a sentence, not an empty screen."""
    assert do(context, "/memories").text == "Nothing is remembered yet."


def test_memories_by_words(context: CommandContext) -> None:
    """Words find what they bring to mind, not everything."""
    do(context, "# I am allergic to peanuts")
    do(context, "# My cat is called Tom")
    found = do(context, "/memories peanuts allergy").text
    assert "peanuts" in found
    assert "Tom" not in found


def test_an_id_is_forgotten_at_once(context: CommandContext) -> None:
    """It names one memory, so nothing has to be asked."""
    do(context, "# My cat is called Tom")
    (memory,) = context.memories()
    answer = do(context, f"/forget {memory.id}")
    assert answer.text == "Forgotten: My cat is called Tom"
    assert answer.question is None
    assert context.memories() == []


def test_an_id_as_it_is_listed_can_be_forgotten(context: CommandContext) -> None:
    """Also where a memory that was replaced in the same minute begins alike."""
    do(context, "# I live in Berlin")
    (berlin,) = context.memories()
    context.app.store.apply([Add(Draft("I live in Paris", berlin.owner), (berlin.id,))], [None])
    for listing in ("/memories", "/memories where I live"):
        short = do(context, listing).text.split()[3]
        assert context.app.store.memories.find(short, [Owner.user("al")]).text == "I live in Paris"
    assert do(context, f"/forget {short}").text == "Forgotten: I live in Paris"


@pytest.mark.parametrize(("columns", "marks"), [("80", r"today  other  "), ("40", "today  ")])
def test_a_list_of_memories_says_how_old_they_are(
    context: CommandContext, monkeypatch: pytest.MonkeyPatch, columns: str, marks: str
) -> None:
    """And of which category, where the screen has room."""
    monkeypatch.setenv("COLUMNS", columns)
    do(context, "# My cat is called Tom")
    assert re.match(rf" +1  {marks}[0-9a-f]{{8}}  My cat", do(context, "/memories").text)


def test_words_are_forgotten_only_after_a_yes(context: CommandContext) -> None:
    """What they found is shown first; the rest stays."""
    do(context, "# My cat is called Tom")
    do(context, "# I am allergic to peanuts")
    answer = do(context, "/forget peanuts")
    assert "I am allergic to peanuts" in answer.text
    assert "Tom" not in answer.text
    assert answer.question == "Permanently forget this memory?"
    assert len(context.memories()) == 2
    assert answer.confirmed is not None
    assert answer.confirmed() == "Forgotten: I am allergic to peanuts"
    assert [memory.text for memory in context.memories()] == ["My cat is called Tom"]


@pytest.mark.parametrize("words", ["berlin", "about the flat in the capital of Germany"])
def test_words_are_forgotten_wherever_they_stand(context: CommandContext, words: str) -> None:
    """However many memories hold them, in whatever conversation, and each of two that say the same; all are counted."""
    owner = Owner.user("al")
    for number in range(7):
        context.app.memory_service.add(f"My Berlin flat has {number + 3} windows to the street", owner)
    elsewhere = context.app.store.conversations.new_session("al", None)
    draft = Draft("", owner, scope=Scope.SESSION, session_id=elsewhere.id)
    for text in ("The Berlin flat floods", "the flat floods, Berlin"):
        context.app.memory_service.add(text, owner, replace(draft, text=text))
    do(context, "# I am allergic to peanuts")
    answer = do(context, f"/forget {words}")
    assert answer.question == "Permanently forget these 9 memories?"
    assert answer.text.count("Berlin") == 9
    assert answer.confirmed is not None
    answer.confirmed()
    assert [memory.text for memory in context.memories()] == ["I am allergic to peanuts"]


def test_an_agents_memory_is_not_erased_from_a_chat(tmp_path: Path) -> None:
    """It is shared: /why says so and offers nothing, and neither its id nor its words erase it."""
    with ScriptedApp(settings(tmp_path)) as app, app.chat(ChatOptions("al", "shop")) as chat:
        context = CommandContext(chat, app)
        do(context, "/remember --agent Refunds take 14 days.")
        with chat.conversation.turn("How many days do refunds take?") as turn:
            list(turn)
        why = do(context, "/why").text
        assert "Refunds take 14 days. (of shop, shared by all its users)" in why
        assert "/forget" not in why
        with pytest.raises(UsageError, match="shared by all its users"):
            do(context, f"/forget {why.split()[3]}")
        assert do(context, "/forget refunds").question is None
        assert [hit.memory.text for hit in app.recall.search(chat.query("refunds"))] == ["Refunds take 14 days."]


def test_an_ambiguous_id_forgets_nothing(context: CommandContext) -> None:
    """It is an error that names the candidates."""
    do(context, "# My cat is called Tom")
    do(context, "# I am allergic to peanuts")
    one, other = (memory.id for memory in context.memories())
    shared = next(one[:i] for i in range(len(one), 0, -1) if other.startswith(one[:i]))
    assert len(shared) >= 4
    with pytest.raises(AmbiguousId):
        do(context, f"/forget {shared}")
    assert len(context.memories()) == 2


def test_a_word_that_looks_like_an_id_is_still_a_word(context: CommandContext) -> None:
    """'cafe' is hexadecimal, too."""
    do(context, "# My favourite cafe is Roma")
    assert "Roma" in do(context, "/forget cafe").text


def test_why_names_the_memories_of_the_last_answer(context: CommandContext) -> None:
    """With their scores, and nothing before the first answer."""
    assert do(context, "/why").text == "The last answer used no memories."
    do(context, "# I am allergic to peanuts")
    with context.chat.conversation.turn("What about my peanuts allergy?") as turn:
        list(turn)
    assert "I am allergic to peanuts" in do(context, "/why").text


def test_why_says_how_old_and_what_did_not_fit(tmp_path: Path) -> None:
    """Ages count from now; what matched beyond the limits is counted, excerpts and wishes, too."""
    now = [datetime(2026, 3, 1, 12, tzinfo=UTC)]
    chosen = replace(settings(tmp_path), top_k=1)
    with ScriptedApp(chosen, clock=lambda: now[0]) as app, app.chat(ChatOptions("al")) as chat:
        context, al = CommandContext(chat, app), Owner.user("al")
        do(context, "# I am allergic to peanuts")
        now[0] += timedelta(days=20)
        do(context, "# My allergy to peanuts is severe")
        app.memory_service.add("Answer " + "politely " * 120, al, Draft("Answer", al, standing=True))
        earlier = app.store.conversations.new_session("al", None)
        for number in range(30):
            app.store.conversations.record(earlier, Role.USER, f"My peanut allergy began in spring, part {number}.")
        while app.store.message_index.index_next("al", app.embedder):
            pass
        now[0] += timedelta(days=1)
        with chat.conversation.turn("What about my allergy to peanuts?") as turn:
            list(turn)
        why = do(context, "/why").text
    assert re.search(r"1  \d\.\d\d  (yesterday|3 weeks ago)  \w{8}  (My allergy|I am allergic)", why)
    assert re.search(r"\d\.\d\d  yesterday  you  My peanut allergy", why)
    assert re.search(r"1 more memory and \d+ more excerpts matched but did not fit. MEMCHAT_TOP_K and", why)
    assert "1 standing instruction did not fit" in why


def test_why_names_what_was_quoted_from_earlier_conversations(context: CommandContext) -> None:
    """With its age and who said it, and whether memories were used or not."""
    store = context.app.store
    earlier = store.conversations.new_session("al", None)
    store.conversations.record(earlier, Role.USER, "Which walk is nice near Eastbourne?")
    store.conversations.record(earlier, Role.ASSISTANT, "I recommend the Seven Sisters trail.")
    while store.message_index.index_next("al", context.app.embedder):
        pass
    with context.chat.conversation.turn("Which trail did you recommend?") as turn:
        list(turn)
    said = do(context, "/why").text
    assert "From earlier conversations:" in said
    assert any("assistant" in line and "Seven Sisters" in line for line in said.splitlines())


def test_why_knows_the_last_answer_of_another_day(tmp_path: Path) -> None:
    """From the transcript, which knows what was used and no scores; what was forgotten since is left out."""
    with ScriptedApp(settings(tmp_path)) as app, app.chat(ChatOptions("al", session="s")) as chat:
        for text in ("# I am allergic to peanuts", "# My peanuts are in the larder"):
            do(CommandContext(chat, app), text)
        with chat.conversation.turn("What about my peanuts allergy?") as turn:
            list(turn)
        assert len(turn.hits) == 2
    with ScriptedApp(settings(tmp_path)) as app, app.chat(ChatOptions("al", session="s")) as chat:
        context = CommandContext(chat, app)
        why = do(context, "/why").text
        assert "I am allergic to peanuts" in why
        assert "larder" in why
        assert "0." not in why
        do(context, f"/forget {turn.hits[0].memory.id}")
        assert turn.hits[0].memory.text not in do(context, "/why").text


def test_why_names_the_wishes_that_are_always_there(context: CommandContext) -> None:
    """They were in the prompt like the others, here and when the chat is taken up."""
    al = Owner.user("al")
    context.app.memory_service.add("Answer in German", al, Draft("Answer in German", al, standing=True))
    with context.chat.conversation.turn("What is the capital of France?") as turn:
        list(turn)
    assert re.search(r"always +today +\S+ +Answer in German", do(context, "/why").text)
    context.chat.conversation.last_turn = None
    assert re.search(r"always +today +\S+ +Answer in German", do(context, "/why").text)


def test_private_is_switched_and_shown(context: CommandContext) -> None:
    """The conversation itself obeys."""
    assert do(context, "/private").text.startswith("Private mode is off")
    assert do(context, "/private on").text.startswith("Private mode is on")
    assert context.chat.conversation.private
    do(context, "/private off")
    assert not context.chat.conversation.private


def test_status_session_and_model_say_what_they_are(context: CommandContext) -> None:
    """Short answers to what is going on here."""
    status = do(context, "/status").text
    assert "al" in status
    assert "scripted/model" in status
    assert "nothing pending" in status
    assert context.chat.conversation.session.id in do(context, "/session").text
    assert do(context, "/model").text.startswith("scripted/model\n")


def test_quit_leaves(context: CommandContext) -> None:
    """And nothing else does."""
    assert do(context, "/quit").leave
    assert not do(context, "/help").leave


def test_completion_knows_the_commands_and_the_memories(context: CommandContext) -> None:
    """What is offered can be used as it is."""
    do(context, "# My cat is called Tom")
    known = sources(context)
    assert [offer.text for offer in suggestions("/rem", known)] == ["/remember"]
    (offer,) = suggestions("/forget tom", known)
    assert context.app.store.memories.find(offer.text, [Owner.user("al")]).text == "My cat is called Tom"


def three_memories(context: CommandContext) -> None:
    """Listed as 1 figs, 2 tea, 3 Tom."""
    for text in ("My cat is called Tom", "I like tea", "I like figs"):
        do(context, f"/remember {text}")
    assert [line.split()[0] for line in do(context, "/memories").text.splitlines()[:3]] == ["1", "2", "3"]


def texts(context: CommandContext) -> list[str]:
    return [memory.text for memory in context.memories()]


@pytest.mark.parametrize(
    ("numbers", "left"),
    [("2", ["I like figs", "My cat is called Tom"]), ("1 3", ["I like tea"]), ("1,3", ["I like tea"]), ("1-3", [])],
)
def test_rows_of_the_last_list_are_forgotten_by_number(context: CommandContext, numbers: str, left: list[str]) -> None:
    """One, several, or a range."""
    three_memories(context)
    assert do(context, f"/forget {numbers}").question is None
    assert texts(context) == left


def test_a_row_keeps_its_number_until_the_next_list(context: CommandContext) -> None:
    """After row 1 is gone, row 2 is still what it was, and row 1 is nothing."""
    three_memories(context)
    do(context, "/forget 1")
    with pytest.raises(NotFound, match="row 1 was forgotten already"):
        do(context, "/forget 1")
    assert do(context, "/forget 2").text == "Forgotten: I like tea"


@pytest.mark.parametrize("numbers", ["4", "0", "2 7"])
def test_a_number_that_is_no_row_forgets_nothing(context: CommandContext, numbers: str) -> None:
    """Nor does any number before a list was shown."""
    three_memories(context)
    with pytest.raises(UsageError, match="last list has no row"):
        do(context, f"/forget {numbers}")
    context.memory_rows = ()
    with pytest.raises(UsageError, match="none was shown yet"):
        do(context, "/forget 1")
    assert len(texts(context)) == 3


def test_a_year_is_a_word(context: CommandContext) -> None:
    """Numbers of four digits search, as words do."""
    do(context, "/remember I moved in 2019")
    assert do(context, "/forget 2019").question == "Permanently forget this memory?"


def test_several_short_ids_are_forgotten_at_once(context: CommandContext) -> None:
    """As they are listed, without a question."""
    three_memories(context)
    short = [line.split()[3] for line in do(context, "/memories").text.splitlines()[:2]]
    assert do(context, f"/forget {' '.join(short)}").text == "Forgotten: I like figs\nForgotten: I like tea"


def test_a_memory_is_corrected_by_number(context: CommandContext) -> None:
    """With the new words at once; without them, the old ones are put into the prompt to be changed."""
    three_memories(context)
    assert do(context, "/edit 2").draft == "/edit 2 I like tea"
    assert do(context, "/edit 2 I like green tea").text == "Now: I like green tea"
    assert texts(context) == ["I like figs", "I like green tea", "My cat is called Tom"]
    for line in ("/edit", "/edit 9 x", "/edit 1-2 x", "/edit tea x"):
        with pytest.raises(UsageError):
            do(context, line)


def test_memories_with_words_lists_all_that_match(context: CommandContext) -> None:
    """Every one, as /forget does with the same words, and says how many."""
    for number in range(12):
        context.app.memory_service.add(f"I have visited city number {number} in {1990 + number}", Owner.user("al"))
    lines = do(context, "/memories city").text.splitlines()
    assert len(lines) == 13
    assert lines[-1].startswith("12 memories match.")
    assert do(context, "/forget city").question == "Permanently forget these 12 memories?"
