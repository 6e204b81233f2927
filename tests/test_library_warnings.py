"""Python's warnings: errors in the tests where they are memchat's; a library's break nothing and are not printed."""

import json
import re
import subprocess
import sys
import threading
import urllib.request
import warnings
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from memchat.library_warnings import ignore_library_warnings
from tests.api.conftest import STORY
from tests.cli.conftest import Shell, shell
from tests.scripted_server import ScriptedServer

__all__ = ["shell"]

NOISY = """
import functools, threading, warnings

def warn():
    for level in (1, 2, 3, 4):
        for kind in (UserWarning, DeprecationWarning, FutureWarning, ResourceWarning):
            warnings.warn("noise", kind, stacklevel=level)

def made_noisy(function):
    @functools.wraps(function)
    def called(*args, **kwargs):
        warn()
        thread = threading.Thread(target=warn)
        thread.start()
        thread.join()
        with open(log, "a") as calls:
            calls.write(function.__name__ + "\\n")
        return function(*args, **kwargs)
    return called

warn()
"""
SITECUSTOMIZE = """
import importlib.abc, importlib.util, sys

MADE_NOISY = {"litellm": ("completion",), "chromadb.config": ("get_class",)}

class Finder(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name not in MADE_NOISY:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        sys.meta_path.insert(0, self)
        load = spec.loader.exec_module
        def exec_module(module):
            load(module)
            import noisy
            for function in MADE_NOISY[name]:
                setattr(module, function, noisy.made_noisy(getattr(module, function)))
        spec.loader.exec_module = exec_module
        return spec

sys.meta_path.insert(0, Finder())
"""
"""Python runs it at every start: LiteLLM and Chroma then warn when they are imported and in every call."""

STRICTNESS = pytest.mark.parametrize("flags", [(), ("-W", "error")], ids=" ".join)


@pytest.fixture
def provider() -> Generator[ScriptedServer]:
    with ScriptedServer(STORY) as server:
        yield server


@pytest.fixture
def noisy(shell: Shell, provider: ScriptedServer, tmp_path: Path) -> Shell:
    """A shell whose programs use a LiteLLM and a Chroma that warn, and a provider that knows a story."""
    modules = tmp_path / "modules"
    modules.mkdir()
    (modules / "noisy.py").write_text(f"log = {str(tmp_path / 'calls')!r}\n{NOISY}")
    (modules / "sitecustomize.py").write_text(SITECUSTOMIZE)
    # A provider that memchat reaches through LiteLLM alone.
    address = {"CEREBRAS_API_KEY": "sk-none", "CEREBRAS_API_BASE": provider.base_url}
    models = {"MEMCHAT_MODEL": "cerebras/scripted", "MEMCHAT_RETRIES": "0"}
    shell.environ.update(address | models | {"PYTHONPATH": f"{modules}:{shell.environ['PYTHONPATH']}"})
    return shell


def calls(shell: Shell) -> set[str]:
    """The functions of libraries that have warned."""
    return set((shell.home.parent / "calls").read_text().split())


def program(shell: Shell, flags: tuple[str, ...], *arguments: str, stdin: str = "") -> tuple[str, str]:
    """What memchat printed on both streams, run by a Python with `flags`."""
    command = [sys.executable, *flags, "-m", "memchat", *arguments]
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, env=shell.environ, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr


@pytest.mark.parametrize("module", ["memchat", "memchat.llm.retry", "tests.conftest"])
def test_a_warning_of_memchat_fails_a_test(module: str) -> None:
    """The filter in pyproject.toml matches the module that a warning is attributed to."""
    with pytest.raises(UserWarning, match="memchat's own"):
        warnings.warn_explicit("memchat's own", UserWarning, "file.py", 1, module=module)


@pytest.mark.parametrize("module", ["litellm", "pydantic.main", "memchatter", "__main__"])
def test_a_warning_of_a_library_fails_no_test(module: str) -> None:
    """It is only recorded."""
    with warnings.catch_warnings(record=True) as recorded:
        warnings.warn_explicit("a library's", UserWarning, "file.py", 1, module=module)
    assert [str(warning.message) for warning in recorded] == ["a library's"]


@STRICTNESS
def test_a_chat_and_what_it_learns_pass_over_a_librarys_warnings(noisy: Shell, flags: tuple[str, ...]) -> None:
    """The reply comes, the fact is remembered, and nothing else is printed."""
    out, err = program(noisy, flags, "chat", stdin="I live in Berlin.\n")
    assert "noise" not in out + err
    assert "Warning" not in out + err
    assert "Remembered: User lives in Berlin." in err
    assert "completion" in calls(noisy)


def test_a_variable_that_makes_errors_of_warnings_changes_nothing(noisy: Shell) -> None:
    """Not even in the processes of its own in which memchat rewrites and checks files."""
    noisy.environ["PYTHONWARNINGS"] = "error"
    program(noisy, (), "chat", stdin="I live in Berlin.\n")
    program(noisy, (), "reindex")
    out, err = program(noisy, (), "doctor", "--json")
    assert "noise" not in err
    assert [found["health"] for found in json.loads(out)["findings"] if found["check"] == "index"] == ["ok"]
    assert calls(noisy) >= {"completion", "get_class"}


@STRICTNESS
def test_a_request_to_serve_passes_over_a_librarys_warnings(noisy: Shell, flags: tuple[str, ...]) -> None:
    """It is answered and learned from, and the server prints its own lines only."""
    with served(noisy, flags) as (url, said):
        body = json.dumps({"user_id": "al", "message": "I live in Berlin."}).encode()
        asked = urllib.request.Request(f"{url}/chat", body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(asked) as answered:
            assert json.load(answered)["reply"]
    assert "noise" not in "".join(said)
    assert "Warning" not in "".join(said)
    assert "User lives in Berlin." in program(noisy, (), "memories", "list", "--user", "al")[0]
    assert "completion" in calls(noisy)


@contextmanager
def served(shell: Shell, flags: tuple[str, ...]) -> Generator[tuple[str, list[str]]]:
    """A running server's address; once it has ended, what it printed."""
    command = [sys.executable, *flags, "-m", "memchat", "serve", "--port", "0"]
    said: list[str] = []
    with subprocess.Popen(command, env=shell.environ, stderr=subprocess.PIPE, text=True) as child:
        try:
            assert child.stderr is not None
            said.append(child.stderr.readline())
            address = re.search(r"http://[\d.:]+", said[0])
            assert address is not None, said[0] + child.stderr.read()
            yield address[0], said
        finally:
            child.terminate()
            try:
                said.append(child.communicate(timeout=90)[1])
            finally:
                child.kill()


def test_a_library_call_in_a_program_that_makes_errors_of_warnings(noisy: Shell) -> None:
    """`Memory` works there, and the program's own warnings are the errors they were, also on another thread."""
    code = (
        "import warnings\n"
        "from memchat import Memory\n"
        "with Memory() as memory:\n"
        "    memory.chat('I live in Berlin.', user_id='al')\n"
        "with Memory() as memory:\n"
        "    assert memory.get_all(user_id='al')['results'], 'nothing learned'\n"
        "try:\n"
        "    warnings.warn('of the program')\n"
        "except UserWarning:\n"
        "    print('still an error')\n"
    )
    command = [sys.executable, "-W", "error::FutureWarning", "-W", "error::UserWarning", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, env=noisy.environ, check=False)
    assert (done.returncode, done.stdout) == (0, "still an error\n"), done.stderr


def test_only_the_thread_in_the_block_ignores_warnings() -> None:
    """Blocks that overlap on two threads leave nothing behind, in whatever order they end."""
    first_in, second_in, first_out = threading.Event(), threading.Event(), threading.Event()

    def overlap() -> None:
        first_in.wait()
        with ignore_library_warnings():
            second_in.set()
            first_out.wait()
            warnings.warn("ignored", stacklevel=1)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        thread = threading.Thread(target=overlap)
        thread.start()
        with ignore_library_warnings():
            first_in.set()
            second_in.wait()
            warnings.warn("ignored", stacklevel=1)
        with pytest.raises(UserWarning, match="outside the block"):
            warnings.warn("outside the block", stacklevel=1)
        first_out.set()
        thread.join()
        with pytest.raises(UserWarning, match="after both"):
            warnings.warn("after both", stacklevel=1)


def test_a_filter_that_a_program_adds_later_does_not_break_a_call() -> None:
    """The newest filter comes first, and so does ours again with the next call; it is there once."""
    with warnings.catch_warnings():
        for _ in range(3):
            warnings.simplefilter("error")
            with ignore_library_warnings():
                warnings.warn("ignored", stacklevel=1)
            # Added again in front, as a test runner's filters are.
            warnings.filterwarnings("error", message="something else")
        assert len([entry for entry in warnings.filters if not isinstance(entry[1], str | re.Pattern | None)]) == 1
