"""Fit the weights of `memchat.learning.lasting` to its examples, and say how they do on the kit's clauses.

    python -m tests.evals.fit_lasting [--write] [FOLDER...]

Ridge regression on +1 for lasting and -1 for passing, both kinds with the same weight. No sentence of the kit is among
the examples. FOLDER is another kit to be scored.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from memchat.learning.clauses import telling_clauses
from memchat.learning.lasting import EXAMPLES, PASSING, WEIGHTS, LastingSentences
from memchat.llm.builtin_embedder import BuiltinEmbedder
from memchat.text.sections import read_sections
from tests.evals import dataset as kit

if TYPE_CHECKING:
    from memchat.core.protocols import Vectors

RIDGE = 1.0


def fitted(embedder: BuiltinEmbedder) -> "Vectors":
    """Return the weights that the examples give, with the constant last."""
    examples = read_sections(EXAMPLES)
    kinds = (examples["lasting"], examples["passing"])
    rows = embedder.embed([sentence for sentences in kinds for sentence in sentences])
    wanted = np.repeat([1.0, -1.0], [len(sentences) for sentences in kinds])
    share = np.repeat([len(rows) / (2 * len(sentences)) for sentences in kinds], [len(one) for one in kinds])
    mean = rows.mean(axis=0)
    inputs = np.column_stack([rows - mean, np.ones(len(rows))])
    weighed = inputs * share[:, np.newaxis]
    solved = np.linalg.solve(inputs.T @ weighed + RIDGE * np.eye(inputs.shape[1]), weighed.T @ wanted)
    weights: Vectors = np.append(solved[:-1], solved[-1] - mean @ solved[:-1]).astype(np.float32)
    return weights


def clauses_of(folder: Path) -> list[tuple[str, bool]]:
    """Return the clauses of a kit with whether each is to be learned; doubtful ones are left out."""
    found: dict[str, bool] = {}
    for conversation in kit.load(folder):
        for turn in conversation.turns:
            for clause in telling_clauses(turn.user):
                if any(kit.matches(p, clause) for one in turn.keep if one.first for p in one.match):
                    found[clause] = True
                elif not turn.gone and (not turn.keep or any(kit.matches(p, clause) for p in turn.never)):
                    found[clause] = False
    return list(found.items())


def figures(folder: Path, lasting: LastingSentences) -> str:
    clauses = clauses_of(folder)
    passing = [score <= PASSING for score in lasting.scores([clause for clause, _ in clauses])]
    facts = [kept for kept, (_, is_fact) in zip(passing, clauses, strict=True) if is_fact]
    others = [kept for kept, (_, is_fact) in zip(passing, clauses, strict=True) if not is_fact]
    return (
        f"{folder.name}: passes {facts.count(False)} of {len(facts)} facts and "
        f"{others.count(False)} of {len(others)} other clauses"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("folders", type=Path, nargs="*", default=[kit.KIT, kit.HELD_OUT])
    options = parser.parse_args(arguments)
    embedder = BuiltinEmbedder()
    if options.write:
        np.save(WEIGHTS, fitted(embedder))
    lasting = LastingSentences(embedder.embed)
    print(*(figures(folder, lasting) for folder in options.folders), sep="\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
