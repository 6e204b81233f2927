"""One question asked cold: until the first letter of the answer, and until the command ends."""

import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from tests.api.scripted_memory import is_extraction
from tests.benchmarks.loopback import PromptServer
from tests.benchmarks.measure import thread_cpu_s
from tests.scripted_server import Reply

QUESTION = "Hello?"
HEADS = ["asked cold", "first letter: wall ms", "CPU ms", "to the end: wall ms", "CPU ms", "times llm (first, wall)"]


def answer(payload: dict[str, Any]) -> Reply:
    """A short answer, and nothing to learn."""
    empty = '{"facts": [], "confirmed": [], "ended": [], "outdated": [], "forget": []}'
    return Reply(empty if is_extraction(payload) else "Fine, thank you.")


def asked(command: Sequence[str], env: Mapping[str, str]) -> tuple[float, float, float, float]:
    """What the table shows of one run, in milliseconds. Raises CalledProcessError when the command fails."""
    began = time.perf_counter()
    with subprocess.Popen(
        command, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        assert process.stdout is not None
        process.stdout.read(1)
        first_wall, first_cpu = time.perf_counter() - began, sum(thread_cpu_s(process.pid).values())
        process.stdout.read()
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    wall = time.perf_counter() - began
    return first_wall * 1000, first_cpu * 1000, wall * 1000, (used.ru_utime + used.ru_stime) * 1000


def cold_rows(memchat: str, llm: str | None, runs: int, home: Path, env: Mapping[str, str]) -> list[list[str]]:
    """The rows of the table: memchat by each of its ways, and `llm` where it is given, in turn against one server."""
    with PromptServer(answer) as server:
        ask = [memchat, "ask", QUESTION, "--model"]
        commands = {
            "memchat, offline": [*ask, "offline"],
            "memchat, OpenAI-compatible": [*ask, "openai/scripted"],
            "memchat, through LiteLLM": [*ask, "cerebras/scripted"],
        }
        if llm is not None:
            commands["llm"] = [llm, "-m", "scripted", QUESTION]
            _tell_llm(home, server.base_url)
        given = {
            **env,
            **server.environment(),
            "CEREBRAS_API_KEY": "sk-scripted",
            "CEREBRAS_API_BASE": server.base_url,
            "LLM_USER_PATH": str(home / "llm"),
        }
        taken: dict[str, list[tuple[float, float, float, float]]] = {name: [] for name in commands}
        for _ in range(runs + 1):
            for name, command in commands.items():
                taken[name].append(asked(command, given))
    # The first run of each warms the disk's cache.
    figures = {name: [median(values) for values in zip(*rows[1:], strict=True)] for name, rows in taken.items()}
    beside = figures.get("llm")
    return [
        [name, *(f"{value:.0f}" for value in values), f"{values[0] / beside[0]:.2f}" if beside else "–"]
        for name, values in figures.items()
    ]


def _tell_llm(home: Path, base_url: str) -> None:
    """Have `llm` know the scripted model."""
    folder = home / "llm"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "extra-openai-models.yaml").write_text(
        f"- model_id: scripted\n  model_name: scripted\n  api_base: {base_url}\n  api_key_name: openai\n"
    )
