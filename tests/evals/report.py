"""What the turns of a run come to: figures as a table, and the same by tag and by language."""

import json
import statistics
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tests.benchmarks.tables import table
from tests.evals.dataset import CHANGES, LANGUAGES, TAGS
from tests.evals.judge import Failure
from tests.evals.runner import TurnResult

FIELDS = ("category", "standing", "scope", "valid_from")
MISLED = ("echo", "invention", "injection", "hypothetical", "other_people", "pasted")
"""Tags of what tempts a model to keep what the person never said about themselves."""
HEADS = ("turns", "kept", "precision", "recall", "still held", "changes", "never kept", "junk", "junk per 100")


@dataclass(frozen=True)
class Run:
    """The turns that were played, with the model that learned from them."""

    model: str
    turns: Sequence[TurnResult]

    def tagged(self, tag: str) -> "Run":
        return Run(self.model, [turn for turn in self.turns if tag in turn.tags])

    def spoken_in(self, language: str) -> "Run":
        return Run(self.model, [turn for turn in self.turns if turn.language == language])

    def met(self, *kinds: str) -> int:
        return sum(turn.met.get(kind, 0) for turn in self.turns for kind in kinds)

    def of(self, *kinds: str) -> int:
        return sum(turn.of.get(kind, 0) for turn in self.turns for kind in kinds)

    def missed(self, kind: str) -> int:
        return self.of(kind) - self.met(kind)

    def share(self, *kinds: str) -> str:
        of = self.of(*kinds)
        return f"{self.met(*kinds) / of:.2f} ({self.met(*kinds)}/{of})" if of else "-"

    @property
    def junk_per_100(self) -> float:
        return 100 * self.missed("clean") / max(1, len(self.turns))


def report(run: Run) -> str:
    """All figures, as Markdown."""
    whole = table(["figure", "value", "what it is"], _figures(run))
    languages = _by("language", {language: run.spoken_in(language) for language in LANGUAGES})
    tags = _by("tag", {tag: run.tagged(tag) for tag in sorted(TAGS)})
    return "\n\n".join([f"Extraction by {run.model}", whole, languages, tags])


def _figures(run: Run) -> list[list[str]]:
    conversations = len({turn.conversation for turn in run.turns})
    asked = [turn for turn in run.turns if turn.calls]
    reported, counted = (
        statistics.median(tokens) if tokens else 0
        for tokens in ([turn.prompt_tokens for turn in asked], [turn.counted_tokens for turn in asked])
    )
    calls = sum(turn.calls for turn in run.turns) / max(1, len(run.turns))
    misled = (f"{tag} {run.tagged(tag).missed('harmless')}" for tag in MISLED)
    return [
        ["turns", str(len(run.turns)), f"in {conversations} conversations"],
        ["kept", str(run.of("wanted")), "memories learned and current after their turn, new versions counted"],
        ["precision", run.share("wanted"), "of these: meets a keep so far, or takes the place of what was to change"],
        ["no junk", run.share("clean"), "of these: matches no never, and is not beyond max_new"],
        ["junk per 100 turns", f"{run.junk_per_100:.1f}", "kept and no such thing"],
        ["matching a never", str(run.missed("harmless")), f"new memories; in conversations tagged {', '.join(misled)}"],
        ["recall", run.share("kept"), "facts to be kept that are, after the turn that tells them"],
        ["still held", run.share("still"), "facts from before that must be there in a later turn"],
        ["never", run.share("never"), "patterns that nothing current may match, and nothing does"],
        *([kind, run.share(kind), "changes seen"] for kind in CHANGES),
        *([kind, run.share(kind), "right on a fact that is held"] for kind in FIELDS),
        ["quoted", run.share("quoted"), "memories said whose quote stands in the person's message"],
        ["secrets", run.share("secret"), "masked spans found in no file of the home"],
        ["not learned", str(run.missed("learned")), "attempts that ended in an error"],
        ["prompt tokens", f"{reported:.0f}", "a turn, median over turns with a call, as the endpoint reports them"],
        ["prompt tokens counted", f"{counted:.0f}", "the same by the model's own count here, without the schema"],
        ["calls", f"{calls:.2f}", "a turn"],
    ]


def _by(name: str, parts: Mapping[str, Run]) -> str:
    rows = [_row(key, part) for key, part in parts.items() if part.turns]
    return table([name, *HEADS], rows)


def _row(name: str, run: Run) -> list[str]:
    return [
        name,
        str(len(run.turns)),
        str(run.of("wanted")),
        run.share("wanted"),
        run.share("kept"),
        run.share("still"),
        run.share(*CHANGES),
        run.share("never"),
        str(run.missed("clean")),
        f"{run.junk_per_100:.1f}",
    ]


# Files.


def save(run: Run, path: Path) -> None:
    """Write the run with its failures, conversation by conversation, as JSON."""
    failures = [
        {"conversation": turn.conversation, "turn": turn.number, **asdict(failure)}
        for turn in run.turns
        for failure in turn.failures
    ]
    totals = {kind: [run.met(kind), run.of(kind)] for kind in sorted({k for turn in run.turns for k in turn.of})}
    turns = [asdict(turn) for turn in run.turns]
    content = {"model": run.model, "totals": totals, "failures": failures, "turns": turns}
    path.write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def read(paths: Iterable[Path]) -> Run:
    """The runs that were saved in `paths`, such as the shards of one, as one run."""
    found = [json.loads(path.read_text(encoding="utf-8")) for path in paths]
    models = Counter(content["model"] for content in found)
    return Run(", ".join(models), [_turn(entry) for content in found for entry in content["turns"]])


def _turn(entry: dict[str, Any]) -> TurnResult:
    failures = tuple(Failure(f["kind"], f["expected"], tuple(f["held"])) for f in entry["failures"])
    return TurnResult(**{**entry, "tags": tuple(entry["tags"]), "failures": failures})
