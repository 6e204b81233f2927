"""The interactive chat: a prompt at the bottom and replies above it; printed text never moves."""

import gc
import re
import sys
from asyncio import get_running_loop
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from prompt_toolkit import PromptSession
from prompt_toolkit.application import create_app_session, get_app_session, run_in_terminal
from prompt_toolkit.auto_suggest import AutoSuggestFromHistory
from prompt_toolkit.filters import Condition
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.input.typeahead import store_typeahead
from prompt_toolkit.input.vt100_parser import Vt100Parser
from prompt_toolkit.key_binding.key_processor import KeyPress
from prompt_toolkit.output.plain_text import PlainTextOutput
from prompt_toolkit.output.vt100 import Vt100_Output
from prompt_toolkit.shortcuts import confirm
from prompt_toolkit.styles import Style

from memchat.core.types import OFFLINE
from memchat.errors import MemchatError, ModelError
from memchat.preload import in_background
from memchat.repl.auto_compaction import Compaction
from memchat.repl.clipboard import copy_text
from memchat.repl.commands.dispatch import dispatch, literal, parse
from memchat.repl.commands.files import composed
from memchat.repl.commands.registry import CommandContext, Invocation
from memchat.repl.commands.sources import sources
from memchat.repl.completer import SlashCompleter
from memchat.repl.editor import edit_text
from memchat.repl.greeting import greeting
from memchat.repl.key_bindings import ExitGuard, PromptHistory, chat_key_bindings
from memchat.repl.notifications import NotificationQueue, Wait, used_line
from memchat.repl.pastes import Pastes
from memchat.repl.reply_screen import ReplyScreen
from memchat.repl.screen import Screen, in_chat
from memchat.repl.spinner import countdown_label, waiting_label
from memchat.repl.terminal_modes import no_echo, take_early_keys
from memchat.repl.toolbar import Toolbar
from memchat.repl.turn import SAVING, notices, run_turn
from memchat.signals import Signals
from memchat.terminal import is_dumb

if TYPE_CHECKING:
    from rich.console import Console

    from memchat.app import App, Chat
    from memchat.chat.conversation import Turn

WARM_UP_AFTER_S = 0.05
"""Time from the first prompt until loading begins behind it, in seconds, so that the prompt is shown and takes keys."""
LEARNED_WITHIN_S = 0.3
"""Time that the prompt waits for learning, in seconds, so that one line shows what was used and what was learned."""
_MOST_FORMER = 1_000
_SETTLE_STEP_S = 0.5
_NAMING = re.compile(r"/\w*")
"""A command name being typed: it is completed without Tab, unlike memories, which have to be read from the store."""
_MENU_LINES = 6
_LEAVING_WORDS = frozenset({"exit", "quit"})
STYLE = Style.from_dict(
    {
        "mark": "bold ansicyan",
        "private": "ansimagenta",
        "bottom-toolbar": "noreverse ansibrightblack",
        "auto-suggestion": "ansibrightblack",
    }
)


def run_chat(chat: "Chat", app: "App", notes: NotificationQueue | None = None, console: "Console | None" = None) -> int:
    """Run the chat until the user quits; returns the exit code.

    `notes` must be the chat's `on_learned`. SIGTERM and SIGHUP restore the terminal and raise
    `SystemExit(128 + number)`. The caller closes the chat; exchanges that are not learned from yet stay pending.
    """
    with Signals().handled() as signals, _terminal():
        loop = ChatLoop(CommandContext(chat, app, notes), signals, Screen(console))
        try:
            return loop.run()
        except OSError:
            if signals.ended is not None:
                raise SystemExit(signals.ended) from None
            raise


class _Terminated(Exception):
    """A signal ended the program while the prompt was up."""


class ChatLoop:
    """One run of the chat in a terminal, on the main thread."""

    def __init__(self, context: CommandContext, signals: Signals, screen: Screen) -> None:
        self._context = context
        self._notes = context.notes
        self._signals = signals
        self._screen = screen
        self._draft = ""
        self._more = False
        self._compaction = Compaction(context)
        self._pastes = Pastes()
        self._warm = False
        self._reason = ""
        self._exit_guard = ExitGuard()
        self._toolbar = Toolbar(context)
        naming_command = Condition(lambda: _NAMING.fullmatch(self._session.default_buffer.text) is not None)
        conversations, settings = context.app.store.conversations, context.app.settings
        self._session: PromptSession[str] = PromptSession(
            prompt_continuation="  ",
            history=PromptHistory(lambda: conversations.recent_user_messages(context.user, _MOST_FORMER)),
            completer=SlashCompleter(sources(context)),
            complete_while_typing=naming_command,
            reserve_space_for_menu=_MENU_LINES,
            key_bindings=chat_key_bindings(self._exit_guard, self._pastes),
            auto_suggest=AutoSuggestFromHistory(),
            bottom_toolbar=self._toolbar if settings.toolbar and not is_dumb() else None,
            enable_suspend=True,
            vi_mode=settings.vi,
            mouse_support=False,
            style=STYLE,
        )
        self._session.default_buffer.on_text_changed += self._exit_guard.disarm

    def run(self) -> int:
        self._screen.say(greeting(self._context))
        with no_echo():
            # The first prompt gets the keys that were typed before it was shown.
            keys: list[KeyPress] = []
            parser = Vt100Parser(keys.append)
            parser.feed(take_early_keys())
            parser.flush()
            if keys:
                store_typeahead(self._session.app.input, keys)
            self._notes.arrived = self._show_notes_above_prompt
            self._notes.at_once = self._screen.say_quietly
            self._notes.on_wait = self._wait_for_retry
            self._signals.on_terminate = self._end_prompt
            try:
                while (text := self._read_line()) is not None:
                    if not self._handle(text):
                        break
                self._finish_learning()
            finally:
                self._notes.arrived = None
                self._notes.at_once = None
                self._notes.on_wait = None
                self._signals.on_terminate = None
        return 0

    def _read_line(self) -> str | None:
        """Show the prompt and return the typed text, or None if the user wants to quit."""
        self._show_notes()
        draft, self._draft = self._draft, ""
        plain = is_dumb() or not sys.stdout.encoding.lower().startswith("utf")
        prompt: StyleAndTextTuples = [("class:mark", "> " if plain else "❯ ")]
        if self._context.chat.conversation.private:
            prompt.insert(0, ("class:private", "(private) "))
        try:
            text = self._session.prompt(prompt, default=draft, pre_run=self._before_prompt)
        except (EOFError, KeyboardInterrupt):
            return None
        except _Terminated:
            raise SystemExit(self._signals.ended) from None
        self._warm_up()
        return text

    def _before_prompt(self) -> None:
        gc.enable()
        self._exit_guard.disarm()
        if not self._warm:
            get_running_loop().call_later(WARM_UP_AFTER_S, self._warm_up)

    def _warm_up(self) -> None:
        """Load what the first reply needs, once, while the user types at the first prompt."""
        if not self._warm:
            self._warm = True
            self._context.chat.learning_worker.notify()
            in_background("renderer", _load_renderer)
            self._context.app.warm_up(self._context.chat.conversation.model.name)

    def _handle(self, text: str) -> bool:
        """Send or carry out what was typed; returns False to quit. Expected failures are printed."""
        text = text.strip()
        if not text:
            self._more = self._more and self._screen.say_more()
            return True
        self._more = False
        if text.lower() in _LEAVING_WORDS:
            return False
        call = parse(text)
        try:
            if call is not None:
                return self._command(call)
            # Only typed @names attach files: a paste may contain any @.
            typed, notes = composed(self._context, literal(text))
            message = self._pastes.unfold(typed)
            for note in notes:
                self._screen.say_quietly(note)
            self._reply(lambda: self._context.chat.conversation.turn(message))
        except KeyboardInterrupt:
            self._screen.say_quietly("Stopped.")
        except MemchatError as error:
            self._screen.complain(error)
        return True

    def _command(self, call: Invocation) -> bool:
        with self._signals.interruptible():
            self._screen.waiting.begin(waiting_label())
            try:
                answer = dispatch(self._context, replace(call, argument=self._pastes.unfold(call.argument)))
            finally:
                self._screen.waiting.end()
            if answer.paged:
                self._more = self._screen.say_paged(answer.text)
            else:
                self._screen.say(answer.text)
            if answer.question and answer.confirmed:
                self._screen.say(answer.confirmed() if confirm(answer.question) else answer.declined)
            self._draft = edit_text(answer.draft) if answer.edit else answer.draft
            if answer.copy:
                self._screen.say_quietly(copy_text(answer.copy, self._screen.write))
        if answer.turn is not None:
            self._reply(answer.turn)
        return not answer.leave

    def _reply(self, begin: "Callable[[], Turn]") -> None:
        """Run one turn and print its notices. Ctrl-C stops it, which is not a failure."""
        from memchat.repl.markdown.renderer import StreamingMarkdown

        screen = self._screen
        writer = ReplyScreen(
            StreamingMarkdown(screen.console),
            self._context.thinking,
            screen.write,
            screen.dim,
            screen.waiting,
        )
        self._reason = ""
        screen.waiting.begin(self._waiting_label)
        try:
            turn = run_turn(self._context.chat, begin, writer, self._signals)
        except KeyboardInterrupt:
            stopped = self._context.chat.conversation.last_turn
            partial = stopped is not None and stopped.reply.strip()
            kept = " The partial reply is kept." if partial else ""
            screen.say_quietly(f"Stopped.{kept} /retry asks again, /undo takes your message back.")
            return
        except ModelError as error:
            screen.complain(error)
            if "/retry" not in in_chat(error.hint or ""):
                screen.say_quietly("Your message is kept: /retry asks again, /undo takes it back.")
            return
        finally:
            screen.waiting.end()
        self._context.spent.add(turn.usage)
        compacting = self._compaction.after(turn)
        for notice in [*notices(turn), *([compacting] if compacting else [])]:
            screen.warn(notice)
        learned = self._notes.take_learned(turn.asked.id, self._learns_within_s())
        if line := used_line(len(turn.used), len(turn.excerpts), learned):
            screen.say_quietly(line)
        screen.write("\n")

    def _learns_within_s(self) -> float:
        """Return how long the prompt waits for learning, in seconds: rules are fast, a model takes too long."""
        chat = self._context.chat
        by_rules = (self._context.app.settings.extraction_model or chat.extraction) == OFFLINE
        return LEARNED_WITHIN_S if by_rules and self._context.memory_state == "on" else 0.0

    def _waiting_label(self, waited_s: float) -> str:
        """Label the wait "loading" while libraries are imported: that wait is not the model's."""
        return waiting_label("" if self._context.app.warm else "loading")(waited_s)

    def _wait_for_retry(self, notice: Wait) -> None:
        if notice.reason != self._reason:
            self._screen.say_quietly(notice.reason)
        self._reason = notice.reason
        self._screen.waiting.begin(countdown_label("trying again", notice.wait_s))

    def _finish_learning(self) -> None:
        """Wait until every exchange has been learned from, or until Ctrl-C."""
        worker = self._context.chat.learning_worker
        if not self._context.chat.conversation.remembers or not self._context.app.store.work.due(self._context.user):
            return
        self._screen.say_quietly(SAVING)
        try:
            with self._signals.interruptible():
                while not worker.wait_until_idle(_SETTLE_STEP_S):
                    self._show_notes()
        except KeyboardInterrupt:
            self._screen.say_quietly("Not finished; it continues the next time you start memchat.")
        self._show_notes()

    def _show_notes(self) -> None:
        for line in self._notes.take():
            self._screen.say_quietly(in_chat(line))

    def _show_notes_above_prompt(self) -> None:
        """Print new notes above the prompt, from any thread, or update the toolbar if there are none.

        Without a prompt, the notes wait for the next one.
        """
        self._toolbar.recount()
        app = self._session.app
        loop = app.loop
        if app.is_running and loop is not None and app.context is not None:
            with suppress(RuntimeError):  # The prompt has just ended.
                if self._notes.waiting:
                    loop.call_soon_threadsafe(lambda: run_in_terminal(self._show_notes), context=app.context)
                else:
                    loop.call_soon_threadsafe(app.invalidate, context=app.context)

    def _end_prompt(self, code: int) -> bool:
        """Exit the running prompt, from a signal handler; returns False if none is running."""
        app = self._session.app
        if not app.is_running or app.loop is None or app.is_done:
            return False
        app.loop.call_soon_threadsafe(lambda: None if app.is_done else app.exit(exception=_Terminated()))
        return True


@contextmanager
def _terminal() -> Iterator[None]:
    """Configure prompt_toolkit for this terminal: no cursor position queries, and plain text on a dumb one."""
    if is_dumb():
        with create_app_session(output=PlainTextOutput(sys.stdout)):
            yield
        return
    output = get_app_session().output
    if isinstance(output, Vt100_Output):
        # prompt_toolkit warns if a terminal does not report its cursor position, which nothing here needs.
        output.enable_cpr = False
        # Without it prompt_toolkit does not know the height, and would show no line below the prompt.
        output.get_rows_below_cursor_position = lambda: 1  # type: ignore[method-assign]
    yield


def _load_renderer() -> None:
    """Import the modules that rendering needs, by rendering a word and discarding it."""
    from io import StringIO

    from rich.console import Console

    from memchat.repl.markdown.renderer import StreamingMarkdown

    reply = StreamingMarkdown(Console(file=StringIO()))
    reply.feed("ready")
    reply.close()
