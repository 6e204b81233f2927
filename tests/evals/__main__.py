"""Run the evaluation kit against a model that extracts memories.

    python -m tests.evals [--model M] [--kit DIR] [--only NAME...] [--tag T] [--language L]
                          [--shard I/N] [--turns MAX] [--json FILE]
    python -m tests.evals --merge FILE...

The model is the one memchat is configured to extract with, `offline`, or any that LiteLLM knows (`openai/NAME` with
OPENAI_API_BASE for an endpoint of one's own). Every conversation has a home of its own and goes through the real
transcript, learner and store; what the assistant says stands in the kit. The figures are printed, progress goes to
standard error; --json keeps every turn and every failure, and --merge adds such files up.
"""

import argparse
import sys
from collections.abc import Sequence
from itertools import zip_longest
from pathlib import Path

from memchat.app import App
from memchat.config import load_settings
from memchat.errors import MemchatError
from tests.evals import dataset as kit
from tests.evals.dataset import Conversation
from tests.evals.report import Run, read, report, save
from tests.evals.runner import TurnResult, play


def main(arguments: Sequence[str] | None = None) -> int:
    options = _options(arguments)
    if options.merge:
        run = read(options.merge)
        print(report(run))
        return 0
    chosen = choose(kit.load(options.kit), options)
    if not chosen:
        print("No conversation of the kit is like that.", file=sys.stderr)
        return 2
    settings = load_settings()
    error: MemchatError | None = None
    turns: list[TurnResult] = []
    with App(settings) as app:
        model = app.model(options.model or settings.extraction_model or app.choice().extraction)
        try:
            for number, conversation in enumerate(chosen, 1):
                turns += play(conversation, model, settings)
                print(f"{number}/{len(chosen)} {conversation.name}", file=sys.stderr, flush=True)
        except MemchatError as stopped:
            error = stopped
    run = Run(model.name, turns)
    if options.json:
        save(run, options.json)
    if turns:
        print(report(run))
    if error is not None:
        print(f"Stopped early: {error.message}", file=sys.stderr)
    return error.exit_code if error else 0


def choose(conversations: Sequence[Conversation], options: argparse.Namespace) -> list[Conversation]:
    """The conversations asked for; with `turns`, taken from the files in turn until no more fit, then the shard."""
    chosen = [
        conversation
        for conversation in conversations
        if (not options.only or conversation.name in options.only)
        and (not options.tag or options.tag in conversation.tags)
        and (not options.language or options.language == conversation.language)
    ]
    if options.turns is not None:
        chosen = _at_most(options.turns, chosen)
    part, parts = options.shard
    return chosen[part - 1 :: parts]


def _at_most(turns: int, conversations: Sequence[Conversation]) -> list[Conversation]:
    by_file: dict[str, list[Conversation]] = {}
    for conversation in conversations:
        by_file.setdefault(conversation.file, []).append(conversation)
    taken: list[Conversation] = []
    for row in zip_longest(*by_file.values()):
        for conversation in filter(None, row):
            if len(conversation.turns) <= turns:
                turns -= len(conversation.turns)
                taken.append(conversation)
    return taken


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.evals", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", metavar="M", help="the model that extracts; by default the one configured")
    parser.add_argument("--kit", type=Path, default=kit.KIT, metavar="DIR")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="conversations by name")
    parser.add_argument("--tag", choices=sorted(kit.TAGS), metavar="T")
    parser.add_argument("--language", choices=kit.LANGUAGES, metavar="L")
    parser.add_argument("--shard", type=_shard, default=(1, 1), metavar="I/N", help="every Nth, from the Ith on")
    parser.add_argument("--turns", type=int, metavar="MAX", help="whole conversations of so many turns together")
    parser.add_argument("--json", type=Path, metavar="FILE", help="every turn and every failure")
    parser.add_argument("--merge", type=Path, nargs="+", metavar="FILE", help="report on runs kept with --json")
    return parser.parse_args(arguments)


def _shard(text: str) -> tuple[int, int]:
    part, _, parts = text.partition("/")
    if not (part.isdecimal() and parts.isdecimal() and 1 <= int(part) <= int(parts)):
        raise argparse.ArgumentTypeError(f"{text!r} is not like 2/4")
    return int(part), int(parts)


if __name__ == "__main__":
    raise SystemExit(main())
