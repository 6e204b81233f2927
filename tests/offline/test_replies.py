"""What the offline model says in a chat."""

from datetime import date, timedelta
from pathlib import Path

import pytest

from memchat.app import App
from memchat.chat.sessions import ChatOptions
from memchat.config import MemoryMode, Settings
from memchat.core.protocols import ModelRequest, PromptMessage
from memchat.core.types import Role
from memchat.offline.model import OfflineModel
from memchat.offline.replies import NOTHING_KNOWN
from tests.storage.memory_factories import memories_of


def asked(question: str, *lines: str, after: str = "") -> str:
    """The reply to `question` with these lines in the memory block, and `after` behind it."""
    block = "\n".join(("<memories>", *(lines or ["No relevant memories found."]), "</memories>"))
    messages = [PromptMessage(Role.SYSTEM, f"Be kind.\n\n{block}{after}"), PromptMessage(Role.USER, question)]
    return OfflineModel().complete(ModelRequest(messages)).text


def asked_with_excerpts(question: str, *excerpts: str, memories: tuple[str, ...] = ()) -> str:
    """The reply to `question` with these excerpts in the prompt, beside these memories."""
    block = "\n".join(("<excerpts>", *excerpts, "</excerpts>"))
    return asked(question, *(memories or ("No relevant memories found.",)), after=f"\n\n{block}")


DIET = "- User is vegetarian. (noted 2026-03-01)"
HOME = "- User lives in Berlin. (since 2026-02-01)"


def test_a_request_is_answered_with_the_memories_that_bear_on_it() -> None:
    """Diet and home matter for a restaurant, though no word is shared; it says what it is and what it cannot do."""
    reply = asked("Can you suggest a restaurant near me for tonight?", DIET, HOME)
    assert "You are vegetarian." in reply
    assert "You live in Berlin (since 1 February 2026)." in reply
    assert "no language model" in reply
    assert "cannot" in reply


def test_a_plain_question_gets_only_its_answer() -> None:
    """What else was recalled is left out where one memory answers."""
    reply = asked("Where do I live?", DIET, HOME)
    assert "You live in Berlin" in reply
    assert "vegetarian" not in reply


def test_nothing_relevant_is_said_so() -> None:
    """Nothing is made up."""
    assert NOTHING_KNOWN in asked("What is my favourite colour?")


def test_marks_of_time_and_doubt_are_passed_on() -> None:
    """What has ended or may be outdated is not told as current."""
    reply = asked(
        "What do you know about me?",
        "- User plays tennis. (noted 2026-03-16, ended 2026-05-20)",
        "- User's commute takes 20 minutes. (noted 2026-03-16, possibly outdated)",
    )
    assert "You play tennis (no longer, since 20 May 2026)." in reply
    assert "Your commute takes 20 minutes (possibly outdated)." in reply


def test_wishes_about_answers_are_not_told_as_facts() -> None:
    """They shape answers, and are no answer."""
    assert NOTHING_KNOWN in asked("How old am I?", "- User wants to be called Al. (noted 2026-03-01)")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("User has two cats.", "You have two cats."),
        ("User studies biology.", "You study biology."),
        ("User does not eat pork.", "You do not eat pork."),
        ("User's sister Ana is vegan.", "Your sister Ana is vegan."),
        ("User never watches films with their wife.", "You never watch films with your wife."),
        (
            "User sent back the boots and has not seen the refund yet.",
            "You sent back the boots and have not seen the refund yet.",
        ),
        ("The user uses Vim.", "You use Vim."),
        ("Der Nutzer lebt in Bonn.", "Der Nutzer lebt in Bonn."),
    ],
)
def test_memories_are_told_in_the_second_person(text: str, told: str) -> None:
    """Whoever wrote them; what is not about 'User' is told as it stands."""
    assert f"- {told}" in asked("What do you know about me?", f"- {text} (noted 2026-03-01)")


def test_a_statement_is_acknowledged_without_claiming_what_was_kept() -> None:
    """Whether it is worth remembering is decided later; of a private conversation nothing is."""
    reply = asked("I like tea.", DIET)
    assert "I keep what is worth remembering, unless this conversation is private." in reply


@pytest.mark.parametrize(
    "message",
    ["The sky is blue over Lisbon.", "> I live in Berlin.\n\nso much for that"],
)
def test_nothing_is_promised_where_the_rules_find_nothing(message: str) -> None:
    """What is no fact about the person, and a quotation."""
    reply = asked(message, DIET)
    assert "I found nothing to remember in that" in reply
    assert "I keep" not in reply


def test_a_request_to_forget_is_answered_as_one() -> None:
    """Nothing is said to be kept."""
    reply = asked("Forget that I live in Berlin.", HOME)
    assert "I forget what you asked me to" in reply
    assert "kept" not in reply


@pytest.mark.parametrize("message", ["It's Lyon, not Lille.", "I quit my job.", "Remember that the code is bluebird."])
def test_what_may_change_a_memory_is_acknowledged_as_before(message: str) -> None:
    """A correction, an end, and what is to be remembered."""
    assert "I keep what is worth remembering" in asked(message, HOME)


@pytest.mark.parametrize("memory", [MemoryMode.ON, MemoryMode.PRIVATE])
def test_what_is_promised_of_a_conversation_holds(home: Path, memory: MemoryMode) -> None:
    """The reply is the same in a private one, whose memories are recalled as ever; only the other one teaches."""
    settings = Settings(home, "al", memory=memory)
    with App(settings) as app, app.chat(ChatOptions("al", model="offline")) as chat:
        with chat.conversation.turn("I like tea.") as turn:
            reply = "".join(turn)
        assert chat.learning_worker.wait_until_idle(60)
        kept = memories_of(app.store, "al")
    assert "unless this conversation is private" in reply
    assert [memory.text for memory in kept] == (["User likes tea."] if memory is MemoryMode.ON else [])


def test_nothing_is_promised_where_memory_is_off(home: Path) -> None:
    """With --no-memory the prompt has no block, nothing is learned, and the reply says so."""
    settings = Settings(home, "al", memory=MemoryMode.OFF)
    with App(settings) as app, app.chat(ChatOptions("al", model="offline")) as chat:
        with chat.conversation.turn("I like tea.") as turn:
            reply = "".join(turn)
        assert chat.learning_worker.wait_until_idle(60)
        assert memories_of(app.store, "al") == []
    assert "Memory is off in this conversation." in reply
    assert "kept" not in reply


def test_without_a_memory_block_memory_is_said_to_be_off() -> None:
    """No promise is made where nothing is kept."""
    request = ModelRequest([PromptMessage(Role.SYSTEM, "Be kind."), PromptMessage(Role.USER, "I like tea.")])
    assert "Memory is off" in OfflineModel().complete(request).text


@pytest.mark.parametrize(
    ("said", "reply"),
    [("hello", "Hello!"), ("Good morning!", "Hello!"), ("thanks!", "You're welcome."), ("bye", "You're welcome.")],
)
def test_small_talk_gets_a_short_reply(said: str, reply: str) -> None:
    """No memories are shown for a greeting."""
    answered = asked(said, DIET)
    assert answered.startswith(reply)
    assert "vegetarian" not in answered


def test_an_empty_message_shows_no_memories() -> None:
    """It asks for nothing."""
    assert "vegetarian" not in asked("", DIET)


def test_a_question_about_oneself_gets_every_memory() -> None:
    """Not only those that share a word with it."""
    answered = asked("Tell me everything you know about me", "- User knows Bob. (noted 2026-03-01)", HOME)
    assert "You know Bob" in answered
    assert "Berlin" in answered


TENT = "- [2026-03-03, the person] I lent my tent to Yusuf until Easter."
TRAIL = "- [2026-03-04, you] I would take the Seven Sisters trail near Eastbourne."


def test_what_was_said_is_quoted_with_its_day_where_no_memory_answers() -> None:
    """As the person's words or as the assistant's own, and as no fact."""
    reply = asked_with_excerpts("Who has my tent?", TENT, TRAIL, memories=(DIET,))
    assert "On 3 March 2026 you said: “I lent my tent to Yusuf until Easter.”" in reply
    assert "trail" not in reply
    assert "vegetarian" not in reply
    reply = asked_with_excerpts("Which trail did you recommend?", TENT, TRAIL, memories=(DIET,))
    assert "On 4 March 2026 I said: “I would take the Seven Sisters trail near Eastbourne.”" in reply
    assert "vegetarian" not in reply


def test_a_memory_that_answers_goes_before_what_was_said() -> None:
    """The memory is what is known today."""
    said = "- [2026-01-03, the person] I live in a flat in Berlin with two friends."
    reply = asked_with_excerpts("Where do I live?", said, memories=(HOME,))
    assert "You live in Berlin" in reply
    assert "said:" not in reply


def test_the_assistants_words_answer_a_question_for_them_without_a_shared_word() -> None:
    """Those of the period that is named; the person's words do not answer it."""
    today = date.today()
    last_week = f"- [{today - timedelta(days=7)}, you] I would cook a lamb tagine."
    reply = asked_with_excerpts("What did you recommend last week?", TENT, TRAIL, last_week)
    assert "lamb tagine" in reply
    assert "Seven Sisters" not in reply
    assert NOTHING_KNOWN in asked_with_excerpts("What did you recommend last week?", TENT)


@pytest.mark.parametrize(
    "excerpt", [TENT, "- [2026-03-03, the person] What is the best colour for a wall, and which colour lasts?"]
)
def test_words_that_do_not_answer_are_not_quoted(excerpt: str) -> None:
    """Those that share no word with the question, and those that only ask."""
    assert NOTHING_KNOWN in asked_with_excerpts("What is my favourite colour?", excerpt)


def test_quoted_words_that_no_longer_hold_say_so() -> None:
    """With what holds instead, or with the day of the end."""
    job = "- [2026-03-03, the person] I drive a red Seat. (no longer so; now: User drives a Dacia.)"
    ended = "- [2026-03-03, the person] My order 4821 is late. (ended 2026-03-10)"
    assert "(no longer so; now: You drive a Dacia)" in asked_with_excerpts("Is my Seat red?", job)
    assert "(no longer, since 10 March 2026)" in asked_with_excerpts("Is order 4821 late?", ended)


def test_days_that_a_quotation_names_stand_in_plain_brackets() -> None:
    """As in a printed quotation."""
    said = "- [2026-03-03, the person] Yesterday [= 2 March 2026] I lent my tent to Yusuf."
    assert "“Yesterday [2 March 2026] I lent my tent to Yusuf.”" in asked_with_excerpts("Who has my tent?", said)


def test_a_question_in_another_language_gets_what_was_said_where_nothing_is_remembered() -> None:
    """Below the sentence that says what is not read, with its day as digits."""
    said = "- [2026-03-03, the person] Ich habe mein Zelt bis Ostern an Yusuf verliehen."
    reply = asked_with_excerpts("Wem habe ich mein Zelt verliehen?", said)
    assert "- 2026-03-03: “Ich habe mein Zelt bis Ostern an Yusuf verliehen.”" in reply
