"""Read the facts that changed of `changed_facts.txt`, which explains its form."""

from dataclasses import dataclass, field
from pathlib import Path

OUTDATED, MISSED = "* ", "? "


@dataclass
class Changed:
    """A fact that changed: conversations before and after, the person's line first. The first one states the fact.

    `change` tells of the change. Without `now` the fact only ended.
    """

    name: str
    memory: str = ""
    change: str = ""
    now: str | None = None
    before: list[list[str]] = field(default_factory=list)
    after: list[list[str]] = field(default_factory=list)

    @classmethod
    def of(cls, block: str) -> "Changed":
        name, *lines = block.strip().splitlines()
        fact = cls(name)
        for line in lines:
            match line.partition(": "):
                case "was", _, text:
                    fact.memory = text
                case "said", _, text:
                    fact.change = text
                case "now", _, text:
                    fact.now = text
                case _:
                    (fact.after if fact.change else fact.before).append(line.split(" | "))
        return fact


def changed_facts() -> list[Changed]:
    _, *blocks = Path(__file__).with_suffix(".txt").read_text(encoding="utf-8").split("\n# ")
    return [Changed.of(block) for block in blocks]
