"""What memory costs in a prompt: tokens put in for each LoCoMo question, beside the full history and no memory.

    python -m tests.benchmarks.tokens PATH [--model NAME] [--facts] [--turns]

PATH is a LoCoMo file. Memory is what memchat would put into the system prompt at its settings' defaults (5 memories,
700 tokens, its floor in force): the fenced block, and what is said about it. The full history is every turn of the
conversation, each session headed by its day. "Evidence" is the share of a question's evidence that is in the prompt.
Tokens are counted as NAME's, by default gpt-4o's, with the tiktoken tables that ship inside LiteLLM.
"""

import argparse
import itertools
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import mean, median

from memchat.app import App
from memchat.chat.prompt import Persona, system_prompt
from memchat.config import Settings
from memchat.core.protocols import MemoryFilter
from memchat.core.types import Owner
from memchat.llm.litellm_setup import litellm
from memchat.recall.memory_block import render
from memchat.recall.retriever import Query
from tests.benchmarks.locomo import USER, Conversation, Item, fill, load
from tests.benchmarks.measure import p95
from tests.benchmarks.tables import machine, table

CountTokens = Callable[[str], int]

HEADS = ["in the prompt", "tokens, median", "mean", "p95", "most", "evidence"]


@dataclass
class Costs:
    """Tokens and the share of evidence, question by question."""

    tokens: list[int] = field(default_factory=list)
    evidence: list[float] = field(default_factory=list)

    def add(self, tokens: int, evidence: float) -> None:
        self.tokens.append(tokens)
        self.evidence.append(evidence)

    def row(self, name: str) -> list[str]:
        numbers = [median(self.tokens), mean(self.tokens), p95(self.tokens), max(self.tokens)]
        return [name, *(f"{number:.0f}" for number in numbers), f"{100 * mean(self.evidence):.0f}%"]


def history(conversation: Conversation) -> str:
    """The whole conversation as a prompt would hold it."""
    parts = []
    for _, turns in itertools.groupby(conversation.turns, key=lambda turn: turn.session):
        session = list(turns)
        parts.append(f"[{session[0].day:%A, %d %B %Y}]\n" + "\n".join(turn.text for turn in session))
    return "\n\n".join(parts)


def measure(conversation: Conversation, kind: str, count: CountTokens, costs: dict[str, Costs]) -> None:
    """Add what each question of `conversation` costs; `kind` is turns or facts."""
    items = conversation.turns if kind == "turns" else conversation.facts
    now = datetime.now(UTC)
    whole = count(history(conversation))
    bare = count(system_prompt(Persona(remembers=False), now, (), ()))
    view = MemoryFilter((Owner.user(USER),))
    with tempfile.TemporaryDirectory() as home, App(Settings(Path(home), USER)) as app:
        stored = fill(app, items, verbatim=kind == "turns")
        for question in conversation.questions:
            memories = [hit.memory for hit in app.recall.search(Query(question.text, view))]
            found = _found([stored[memory.id] for memory in memories], question.evidence)
            prompt = count(system_prompt(Persona(), now, memories, ()))
            costs["full history"].add(whole, 1.0)
            costs["memchat: the block of memories"].add(count(render(memories, now.date())), found)
            costs["memchat: the block, and what is said about it"].add(prompt - bare, found)
            costs["no memory"].add(0, 0.0)


def _found(items: Sequence[Item], evidence: Sequence[str]) -> float:
    turns = frozenset[str]().union(*(item.turns for item in items))
    return len(turns & set(evidence)) / len(evidence)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("path", type=Path)
    parser.add_argument("--model", default="gpt-4o")
    parser.add_argument("--turns", action="store_true", help="only turns as memories")
    parser.add_argument("--facts", action="store_true", help="only observations as memories")
    arguments = parser.parse_args()
    conversations = load(arguments.path)

    def count(text: str) -> int:
        tokens: int = litellm().token_counter(model=arguments.model, text=text)
        return tokens

    print(machine())
    both = arguments.turns == arguments.facts
    for kind in ("turns", "facts"):
        if not (both or getattr(arguments, kind)):
            continue
        names = ["full history", "memchat: the block of memories", "memchat: the block, and what is said about it"]
        costs = {name: Costs() for name in (*names, "no memory")}
        for conversation in conversations:
            measure(conversation, kind, count, costs)
        asked = len(costs["no memory"].tokens)
        print(f"\n{kind} as memories: {asked} questions, tokens of {arguments.model}\n")
        print(table(HEADS, [cost.row(name) for name, cost in costs.items()]))


if __name__ == "__main__":
    main()
