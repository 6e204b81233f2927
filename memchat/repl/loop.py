"""The chat a person sees: a prompt at the bottom, replies above it, and nothing that moves once it is printed."""

import re
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

from prompt_toolkit import PromptSession
from prompt_toolkit.application import get_app_session, run_in_terminal
from prompt_toolkit.filters import Condition
from prompt_toolkit.output.vt100 import Vt100_Output
from prompt_toolkit.shortcuts import confirm

from memchat.errors import MemchatError
from memchat.llm.preload import in_background
from memchat.llm.providers import OFFLINE
from memchat.repl.commands.dispatch import dispatch, literal, parse
from memchat.repl.commands.registry import CommandContext, Invocation
from memchat.repl.commands.sources import sources
from memchat.repl.completer import SlashCompleter
from memchat.repl.key_bindings import ExitGuard, PromptHistory, chat_key_bindings, no_echo
from memchat.repl.layout import folded, one_line, quiet
from memchat.repl.notifications import NotificationQueue, error_lines
from memchat.repl.spinner import Spinner
from memchat.signals import Signals
from memchat.text.sanitize import strip_control_chars

if TYPE_CHECKING:
    from rich.console import Console

    from memchat.app import App, Chat

_MOST_FORMER = 1_000
_SETTLE_STEP_S = 0.5
_NAMING = re.compile(r"/\w*")
"""A command's name being typed: offered without Tab, unlike memories, which take a look into the store."""

_NO_MODEL = (
    "This is the built-in offline model: no language model, it keeps what you tell it and answers from that alone.\n"
    "For a real conversation set a key such as OPENAI_API_KEY, or start Ollama; memchat models lists what there is."
)
_MENU_LINES = 6


def run_chat(chat: "Chat", app: "App", notes: NotificationQueue | None = None, console: "Console | None" = None) -> int:
    """Talk until the person leaves; returns the exit code.

    `notes` is what the chat was given as `on_learned`. On SIGTERM and SIGHUP the terminal is restored and
    `SystemExit(128 + number)` raised; the caller closes the chat, and what was not learned yet stays pending.
    """
    with Signals().handled() as signals:
        loop = ChatLoop(CommandContext(chat, app), notes or NotificationQueue(), signals, console)
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

    def __init__(
        self, context: CommandContext, notes: NotificationQueue, signals: Signals, console: "Console | None"
    ) -> None:
        self._context = context
        self._notes = notes
        self._signals = signals
        self._console = console
        self._draft = ""
        self._warm = False
        self._waiting: Spinner | None = None
        self._leaving = ExitGuard()
        self._session = self._new_session()
        self._session.default_buffer.on_text_changed += self._leaving.disarm

    def run(self) -> int:
        self._say(greeting(self._context))
        with no_echo():
            return self._talk()

    def _talk(self) -> int:
        self._notes.arrived = self._show_notes_above_prompt
        self._notes.at_once = self._say_quietly
        self._signals.deliver = self._end_prompt
        try:
            while (text := self._ask()) is not None:
                if not self._handle(text):
                    break
            self._leave()
        finally:
            self._notes.arrived = None
            self._notes.at_once = None
            self._signals.deliver = None
        return 0

    def _new_session(self) -> PromptSession[str]:
        _disable_cursor_reports()
        naming_command = Condition(lambda: _NAMING.fullmatch(self._session.default_buffer.text) is not None)
        transcripts = self._context.app.store.transcripts
        return PromptSession(
            prompt_continuation="  ",
            history=PromptHistory(lambda: transcripts.recent_user_messages(self._context.user, _MOST_FORMER)),
            completer=SlashCompleter(sources(self._context)),
            complete_while_typing=naming_command,
            reserve_space_for_menu=_MENU_LINES,
            key_bindings=chat_key_bindings(self._leaving),
            mouse_support=False,
        )

    def _ask(self) -> str | None:
        """What the person typed, None when they want to leave."""
        self._show_notes()
        mark = "(private) > " if self._context.chat.conversation.private else "> "
        draft, self._draft = self._draft, ""
        try:
            return self._session.prompt(mark, default=draft, pre_run=self._warm_up)
        except (EOFError, KeyboardInterrupt):
            return None
        except _Terminated:
            raise SystemExit(self._signals.ended) from None

    def _warm_up(self) -> None:
        """Once the first prompt is up, load the rest while the person types."""
        self._leaving.disarm()
        if not self._warm:
            self._warm = True
            self._context.chat.learning_worker.notify()
            in_background("renderer", _load_renderer)
            self._context.app.warm_up(self._context.chat.conversation.model.name)

    def _handle(self, text: str) -> bool:
        """Do what was typed; False to leave. An expected failure is said, and the chat goes on."""
        text = text.strip()
        if not text:
            return True
        call = parse(text)
        try:
            if call is not None:
                return self._command(call)
            self._reply(literal(text))
        except KeyboardInterrupt:
            self._say_quietly("Cancelled.")
        except MemchatError as error:
            self._say(error_lines(error))
        return True

    def _command(self, call: Invocation) -> bool:
        with self._signals.interruptible():
            answer = dispatch(self._context, call)
            self._say(answer.text)
            if answer.question and answer.confirmed:
                self._say(answer.confirmed() if confirm(answer.question) else "Nothing was forgotten.")
            self._draft = answer.draft
        return not answer.leave

    def _reply(self, text: str) -> None:
        """One turn. Only the waiting for the model can be interrupted, not the recording of what came of it."""
        from memchat.repl.markdown.renderer import StreamingMarkdown

        reply = StreamingMarkdown(self._rich_console())
        self._waiting = Spinner(self._write) if sys.stdout.isatty() else None
        try:
            with self._signals.interruptible():
                turn = self._context.chat.conversation.turn(text)
            if turn.notice:
                self._notes.add(turn.notice)
            with turn as pieces, self._signals.interruptible():
                try:
                    for piece in pieces:
                        self._stop_waiting()
                        reply.feed(piece)
                finally:
                    self._stop_waiting()
                    reply.close()
        finally:
            self._stop_waiting()
            self._context.chat.learning_worker.notify()
        self._write("\n")

    def _stop_waiting(self) -> None:
        if self._waiting is not None:
            self._waiting.end()
            self._waiting = None

    def _leave(self) -> None:
        """Wait until everything said has been learned from, for as long as the person lets us."""
        learner = self._context.chat.learning_worker
        if not self._context.chat.conversation.remembers or not self._context.app.store.work.due(self._context.user):
            return
        self._say_quietly("Remembering… Ctrl-C to leave now; it will be finished next time.")
        try:
            with self._signals.interruptible():
                while not learner.wait_until_idle(_SETTLE_STEP_S):
                    self._show_notes()
        except KeyboardInterrupt:
            self._say_quietly("Left for next time.")
        self._show_notes()

    def _rich_console(self) -> "Console":
        if self._console is None:
            from rich.console import Console

            self._console = Console(highlight=False)
        return self._console

    def _show_notes(self) -> None:
        for line in self._notes.take():
            self._say_quietly(line)

    def _show_notes_above_prompt(self) -> None:
        """Called on any thread: while the prompt is up, print what waits above it; else the next prompt does."""
        app = self._session.app
        loop = app.loop
        if app.is_running and loop is not None and app.context is not None:
            with suppress(RuntimeError):  # The prompt has just ended.
                loop.call_soon_threadsafe(lambda: run_in_terminal(self._show_notes), context=app.context)

    def _end_prompt(self, code: int) -> bool:
        """Called in a signal handler: leave the prompt the way it leaves itself. False where it is not up."""
        app = self._session.app
        if not app.is_running or app.loop is None or app.is_done:
            return False
        app.loop.call_soon_threadsafe(lambda: None if app.is_done else app.exit(exception=_Terminated()))
        return True

    def _say(self, text: str) -> None:
        if text:
            self._write(f"{folded(strip_control_chars(text))}\n")

    def _say_quietly(self, text: str) -> None:
        self._stop_waiting()
        self._write(f"{quiet(folded(one_line(text)), sys.stdout)}\n")

    def _write(self, text: str) -> None:
        sys.stdout.write(text)
        sys.stdout.flush()


def _disable_cursor_reports() -> None:
    """prompt_toolkit warns where a terminal does not say where its cursor is; nothing here needs to know."""
    output = get_app_session().output
    if isinstance(output, Vt100_Output):
        output.enable_cpr = False


def greeting(context: CommandContext) -> str:
    """Who talks to which model, how much is remembered, and what to expect where there is no model."""
    conversation = context.chat.conversation
    count = context.count()
    remembered = f"{count} {'memory' if count == 1 else 'memories'}" if conversation.remembers else "no memory"
    parts = [one_line(context.user), one_line(conversation.model.name), remembered, "/help for help"]
    lines = [" · ".join(parts)]
    if conversation.session.messages:
        title = one_line(conversation.session.title)
        lines.append(f"Continuing {title!r}, {conversation.session.messages} messages.")
    if conversation.model.name == OFFLINE:
        lines.append(_NO_MODEL)
    return "\n".join(lines)


def _load_renderer() -> None:
    """Import what the first reply needs, by rendering a word to nowhere."""
    from io import StringIO

    from rich.console import Console

    from memchat.repl.markdown.renderer import StreamingMarkdown

    reply = StreamingMarkdown(Console(file=StringIO()))
    reply.feed("ready")
    reply.close()
