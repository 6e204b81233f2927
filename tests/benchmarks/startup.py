"""Start-up: seconds of CPU and loaded modules of commands, and what it takes until the prompt of a chat accepts keys.

    python -m tests.benchmarks.startup [--memories 10000] [--runs 7] [--llm [PYTHON]]

Each command is run once to warm the disk's cache and then RUNS times; the tables show medians. "Heavy" are those of
chromadb, litellm, onnxruntime, numpy, tokenizers, rich and prompt_toolkit that a command loads. With --llm the help of
`llm` is measured beside it, run by PYTHON where that has it, else by a virtual environment made for this run with pip.
The chat is started in a pseudo-terminal with the offline model; a key is pressed once its prompt is up, and what counts
is the CPU used when the key is echoed. It keeps on loading behind the prompt, so that is not all it ever uses.
Last, one question is asked cold against one server on loopback: offline, through an OpenAI-compatible API, through
LiteLLM, and by `llm`.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import venv
from collections.abc import Mapping
from pathlib import Path
from statistics import median

from memchat.app import App
from memchat.config import Settings
from tests.benchmarks.cold_ask import HEADS, cold_rows
from tests.benchmarks.measure import command_cpu_s, conditions
from tests.benchmarks.synthetic import Pool
from tests.benchmarks.tables import table
from tests.benchmarks.terminal_run import PROMPT, TerminalRun

USER = "sam"
HEAVY = ("chromadb", "litellm", "onnxruntime", "numpy", "tokenizers", "rich", "prompt_toolkit")

_COUNTING = """
import atexit, os, sys
def report():
    heavy = [name for name in {heavy!r} if name in sys.modules]
    with open({report!r}, "w") as file:
        file.write(f"{{len(sys.modules)}} {{' '.join(heavy)}}")
atexit.register(report)
end = os._exit
os._exit = lambda code: (report(), end(code))
sys.argv[0] = {program!r}
from {module} import {function}
{function}()
"""


def environment(home: Path) -> dict[str, str]:
    """That of a user with nothing set but where memchat keeps its things."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("MEMCHAT_", "LITELLM_"))}
    return {**kept, "MEMCHAT_HOME": str(home), "MEMCHAT_USER": USER, "LLM_USER_PATH": str(home / "llm")}


def loaded(python: str, start: tuple[str, str, str], arguments: list[str], env: Mapping[str, str]) -> tuple[int, str]:
    """How many modules a command loads, and the heavy ones among them; `start` is program, module and function."""
    program, module, function = start
    with tempfile.NamedTemporaryFile("r") as report:
        code = _COUNTING.format(heavy=HEAVY, report=report.name, program=program, module=module, function=function)
        subprocess.run([python, "-c", code, *arguments], env=env, stdout=subprocess.DEVNULL, check=True)
        count, _, heavy = report.read().partition(" ")
    return int(count), heavy or "none"


def command_row(python: str, start: tuple[str, str, str], arguments: list[str], runs: int, home: Path) -> list[str]:
    program = start[0]
    command = [str(Path(python).with_name(program)), *arguments]
    env = environment(home)
    command_cpu_s(command, env)
    taken = [command_cpu_s(command, env) * 1000 for _ in range(runs)]
    count, heavy = loaded(python, start, arguments, env)
    return [f"{program} {' '.join(arguments)}", f"{median(taken):.0f}", f"{min(taken):.0f}", str(count), heavy]


def until_keys(home: Path) -> tuple[float, float, float]:
    """From the start of a chat to the echo of a key, in milliseconds: CPU, CPU of its first thread alone, wall."""
    command = [str(Path(sys.executable).with_name("memchat")), "chat", "--model", "offline"]
    with TerminalRun(command, environment(home)) as run:
        run.wait_for(PROMPT)
        run.type(b"q")
        echoed = run.wait_for(b"q")
        everything, first = run.cpu_s()
        run.type(b"\x7f")
    return everything * 1000, first * 1000, (echoed - run.began) * 1000


def chat_row(name: str, runs: int, home: Path) -> list[str]:
    until_keys(home)
    taken = [until_keys(home) for _ in range(runs)]
    return [name, *(f"{median(values):.0f}" for values in zip(*taken, strict=True))]


def python_with_llm(given: str, folder: Path) -> str:
    """A Python that has `llm`: the given one, else that of a new virtual environment."""
    if given:
        return given
    venv.create(folder, with_pip=True)
    python = str(folder / "bin" / "python")
    subprocess.run([python, "-m", "pip", "install", "--quiet", "llm"], check=True)
    return python


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--memories", type=int, default=10_000)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--llm", nargs="?", const="", metavar="PYTHON")
    arguments = parser.parse_args()
    runs, start = arguments.runs, ("memchat", "memchat.__main__", "main")
    print(conditions())
    with tempfile.TemporaryDirectory() as folder:
        empty, home = Path(folder, "empty"), Path(folder, "home")
        with App(Settings(home, USER)) as app:
            Pool(app.embedder).fill(app.store, USER, arguments.memories)
        rows = [command_row(sys.executable, start, [flag], runs, empty) for flag in ("--help", "--version")]
        rows.append(command_row(sys.executable, start, ["memories", "list"], runs, home))
        rows.append(command_row(sys.executable, start, ["status"], runs, home))
        python, beside = sys.executable, None
        if arguments.llm is not None:
            python = python_with_llm(arguments.llm, Path(folder, "llm"))
            beside = str(Path(python).with_name("llm"))
            rows.append(command_row(python, ("llm", "llm.cli", "cli"), ["--help"], runs, empty))
        print(f"\n{arguments.memories} memories; medians of {runs} runs\n")
        print(table(["command", "CPU ms", "least", "modules", "heavy"], rows))
        chats = [chat_row("an empty store", runs, empty), chat_row(f"{arguments.memories} memories", runs, home)]
        print("\n" + table(["chat, until keys", "CPU ms", "first thread", "wall ms"], chats))
        memchat = str(Path(sys.executable).with_name("memchat"))
        print("\n" + table(HEADS, cold_rows(memchat, beside, runs, empty, environment(empty))))


if __name__ == "__main__":
    main()
