"""The program as a whole: help, slips, exit codes, what it loads."""

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import typer
from typer.main import get_command

from memchat import __version__
from memchat.cli.examples import EXAMPLES, examples_of
from memchat.cli.main import COMMANDS, app
from tests.cli.conftest import Shell

HEAVY = (
    "chromadb",
    "litellm",
    "onnxruntime",
    "numpy",
    "tokenizers",
    "pydantic",
    "prompt_toolkit",
    "rich",
    "fastapi",
    "uvicorn",
    "mcp",
    "memchat.importers",
    "socket",
)
LOADED = f"""
import json, sys
from memchat.cli.examples import EXAMPLES, examples_of
from memchat.cli.main import run
code = run(sys.argv[1:])
print(json.dumps([name for name in {HEAVY!r} if name in sys.modules]), file=sys.stderr)
sys.exit(code)
"""


def loaded(shell: Shell, *arguments: str) -> set[str]:
    done = shell.program(*arguments, code=LOADED)
    assert done.code == 0, done.err
    return set(json.loads(done.err.splitlines()[-1]))


def test_alone_it_prints_its_help(shell: Shell) -> None:
    """`memchat` alone is `memchat --help`, and names every command."""
    alone = shell.run()
    assert (alone.code, alone.err) == (0, "")
    assert alone.out == shell.run("--help").out
    assert all(f"\n  {name}" in alone.out for name in COMMANDS)


def test_a_group_alone_prints_its_help(shell: Shell) -> None:
    """`memchat memories` says what there is below it."""
    alone = shell.run("memories")
    assert alone.code == 0
    assert "\n  import" in alone.out


def test_every_command_has_help(shell: Shell) -> None:
    """Each command and each of its options is explained."""
    root = get_command(app)
    context = typer.Context(root)
    for name in COMMANDS:
        command = root.get_command(context, name)  # type: ignore[attr-defined]
        for leaf in (command, *getattr(command, "commands", {}).values()):
            assert leaf.help, leaf.name
            assert all(p.help for p in leaf.params if p.param_type_name == "option"), leaf.name


def commands(command: Any, context: Any) -> Iterator[Any]:
    """The context of `command` and of all commands under it."""
    yield context
    for name in command.list_commands(context) if hasattr(command, "list_commands") else ():
        below = command.get_command(context, name)
        yield from commands(below, typer.Context(below, info_name=name, parent=context))


PAGES = {context.command_path: context for context in commands(get_command(app), typer.Context(get_command(app)))}
"""The contexts of all commands, by the words that call them, the program's name left out."""


def test_every_page_ends_with_examples() -> None:
    """And no examples are left of a command that is gone."""
    assert {path.strip() for path in PAGES} == EXAMPLES.keys()
    for path, context in PAGES.items():
        shown = context.get_help().partition("\nExamples:\n")[2]
        assert shown.split("\n") == [f"  {example}" for example in examples_of(path)] != []


@pytest.mark.parametrize("example", [example for examples in EXAMPLES.values() for example in examples])
def test_an_example_can_be_typed(example: str) -> None:
    """It fits the page, and its command takes these options and arguments."""
    assert len(f"  {example}") <= 78
    words = shlex.split(example.partition(" < ")[0].partition(" > ")[0])
    words = words[words.index("memchat") + 1 :]
    command: Any = get_command(app)
    context = typer.Context(command)
    while words and hasattr(command, "list_commands"):
        name = words.pop(0)
        command = command.get_command(context, name)
        assert command is not None, name
        context = typer.Context(command, info_name=name, parent=context)
    command.make_context("memchat", words)


def test_help_speaks_of_no_types(shell: Shell) -> None:
    """What is to be typed is named, not the kind of Python's that it becomes."""
    for name in COMMANDS:
        shown = shell.run(name, "--help").out
        below = re.findall(r"^  (\w+)  ", shown.partition("Commands:")[2], re.MULTILINE)
        for text in (shown, *(shell.run(name, one, "--help").out for one in below)):
            assert not re.search(r"<\w|\[\[|x>=|\.\.\.\}", text), text


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("memories", "list", "--limit", "0"), "--limit must be a whole number, at least 1."),
        (("memories", "list", "--limit", "ten"), "--limit must be a whole number, at least 1."),
        (("chat", "--top-k", "0"), "--top-k / -k must be a whole number, at least 1."),
        (("status", "--drop", "x"), "--drop must be a whole number."),
        (("memories", "list", "tea"), "Unexpected argument: tea."),
        (("memories", "show"), "Missing argument 'ID'."),
    ],
)
def test_a_value_that_does_not_fit_is_answered_in_plain_words(
    shell: Shell, arguments: tuple[str, ...], complaint: str
) -> None:
    """The option is named with what it wants."""
    slip = shell.run(*arguments)
    assert slip.code == 2
    assert slip.err.splitlines()[0] == f"memchat: {complaint}"


def test_version(shell: Shell) -> None:
    """`--version` prints it."""
    assert shell.run("--version").out == f"memchat {__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (("memoires",), "Did you mean memories?"),
        (("memories", "serach", "x"), "Did you mean search?"),
        (("memories", "list", "--usr", "al"), "Did you mean --user?"),
        (("list",), "Did you mean memchat memories list or memchat sessions list or memchat tokens list?"),
        (("--user", "al", "memories", "list"), "Put --user after the command"),
        (("memories", "list", "--category", "helth"), "Did you mean health?"),
        (("qqqq",), "memchat --help lists the commands."),
    ],
)
def test_a_slip_is_answered_with_the_nearest_right_word(shell: Shell, arguments: tuple[str, ...], hint: str) -> None:
    """An unknown command, option or category ends with 2, in two lines on stderr."""
    slip = shell.run(*arguments)
    assert (slip.code, slip.out) == (2, "")
    assert slip.err.startswith("memchat: ")
    assert hint in slip.err
    assert len(slip.err.splitlines()) == 2


def test_a_slip_in_a_setting_is_answered_too(shell: Shell) -> None:
    """An unknown MEMCHAT_ variable names the right one."""
    slip = shell.run("config", env={"MEMCHAT_MODLE": "x"})
    assert slip.code == 2
    assert "Did you mean MEMCHAT_MODEL?" in slip.err


@pytest.mark.parametrize(
    "arguments",
    [("--help",), ("--version",), ("memories", "--help"), ("chat", "--help"), ("mcp", "--help")],
)
def test_help_loads_nothing_heavy(shell: Shell, arguments: tuple[str, ...]) -> None:
    """Asking for help imports none of the libraries that take long."""
    assert loaded(shell, *arguments) == set()


def test_a_list_loads_nothing_heavy(shell: Shell) -> None:
    """Reading memories needs SQLite alone."""
    shell.add("Likes tea.")
    assert loaded(shell, "memories", "list") == set()
    assert loaded(shell, "memories", "list", "--json") == set()
    assert loaded(shell, "memories", "list", "--user", "sam") == set()
    assert loaded(shell, "sessions", "list") == set()
    assert loaded(shell, "config") == set()


def test_status_and_forget_load_neither_chroma_nor_litellm(shell: Shell) -> None:
    """The light commands that look at the index or the models do so from outside."""
    (kept,) = shell.add("Likes tea.")
    assert not loaded(shell, "status") & {"chromadb", "litellm", "onnxruntime", "numpy"}
    assert not loaded(shell, "models") & {"chromadb", "litellm", "onnxruntime", "numpy"}
    assert not loaded(shell, "memories", "show", kept) & {"chromadb", "litellm", "onnxruntime", "numpy"}
    assert not loaded(shell, "forget", kept, "--yes") & {"chromadb", "litellm", "onnxruntime"}


def test_a_bug_keeps_its_traceback(shell: Shell) -> None:
    """What is no expected failure is not hidden behind one line."""
    broken = "import memchat.config as c; c.SETTING_NAMES = ('nope',)\n"
    done = shell.program("config", code=broken + LOADED)
    assert done.code == 1
    assert "Traceback" in done.err


def test_a_reader_that_leaves_is_no_error_message(shell: Shell) -> None:
    """`memchat … | head` ends without a word."""
    shell.add(*(f"Likes number {i} of a long row of things that fill a pipe." for i in range(1500)))
    child = subprocess.Popen(
        [sys.executable, "-m", "memchat", "memories", "list"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=shell.environ,
    )
    assert child.stdout is not None
    assert child.stderr is not None
    child.stdout.readline()
    child.stdout.close()
    complaint = child.stderr.read()
    child.stderr.close()
    assert child.wait(60) == 1
    assert complaint == b""


def test_a_full_disk_under_the_output_is_one_line(shell: Shell) -> None:
    """An output that cannot be written is said so."""
    shell.add("Likes tea.")
    with open("/dev/full", "w") as full:  # noqa: PTH123
        done = subprocess.run(
            [sys.executable, "-m", "memchat", "memories", "list"],
            stdout=full,
            stderr=subprocess.PIPE,
            env=shell.environ,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr == b"memchat: The output cannot be written: No space left on device.\n"


def test_bytes_that_are_no_text_are_replaced(shell: Shell) -> None:
    """A command line in another encoding is no traceback."""
    done = shell.run("memories", "add", b"Caf\xe9".decode("utf-8", "surrogateescape"), "--json")
    assert [memory["text"] for memory in done.json] == ["Caf\ufffd"]


def test_a_home_that_cannot_be_made_is_one_line(shell: Shell) -> None:
    """A home below a file is said in a sentence."""
    shell.home.parent.joinpath("file").write_text("")
    done = shell.run("memories", "list", env={"MEMCHAT_HOME": str(shell.home.parent / "file" / "below")})
    assert done.code == 2
    assert done.err.startswith(f"memchat: {shell.home.parent / 'file'} is not a folder.\n")
    assert "MEMCHAT_HOME" in done.err


IMPORTING_AT_THE_END = """
import _imp, atexit, sys, threading, time
import memchat.cli.main
from memchat.__main__ import main

done, locked, run = threading.Event(), threading.Event(), memchat.cli.main.run

def keep_importing():
    done.wait()
    _imp.acquire_lock()
    locked.set()
    time.sleep(600)

def ran(arguments):
    code = run(arguments)
    done.set()
    locked.wait()
    return code

threading.Thread(target=keep_importing, daemon=True).start()
atexit.register(lambda: __import__("this"))
memchat.cli.main.run = ran
main()
"""


def test_a_program_ends_while_a_library_is_being_imported(shell: Shell) -> None:
    """A library that imports something at the end would wait forever for the thread that Python has stopped."""
    done = shell.program("--version", code=IMPORTING_AT_THE_END)
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("memchat ")


def test_a_program_that_fails_unexpectedly_shows_where(shell: Shell) -> None:
    """Its exit code is Python's own."""
    code = (
        "import memchat.cli.main\n"
        "from memchat.__main__ import main\n"
        "memchat.cli.main.run = lambda arguments: 1 / 0\n"
        "main()"
    )
    done = shell.program(code=code)
    assert done.code == 1
    assert done.err.startswith("Traceback")
    assert done.err.endswith("ZeroDivisionError: division by zero\n")
