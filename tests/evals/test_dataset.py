"""The evaluation kit is sound, and its runner scores what a model keeps as the kit's own words say."""

import json
from argparse import Namespace
from collections.abc import Generator, Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from memchat.config import ExtractionForm, Settings
from memchat.core.protocols import Completion, Delta, ModelRequest, Usage
from memchat.errors import BadReply, ModelUnreachable
from tests.evals import dataset as kit
from tests.evals.__main__ import choose, main
from tests.evals.dataset import Conversation, Keep, KitError, Turn
from tests.evals.report import Run, read, report, save
from tests.evals.runner import TurnResult, found_in, masked, play

MOVES = "moves"
TINY: list[dict[str, Any]] = [
    {
        "name": MOVES,
        "language": "en",
        "tags": ["contradiction", "dependent"],
        "turns": [
            {
                "at": "2026-03-02T09:00:00",
                "user": "I live in Lille and my landlord is Mr Petit.",
                "assistant": "Noted, and you love jazz.",
                "keep": [{"match": ["Lille"], "category": "place|identity"}, {"match": ["Petit"]}],
                "never": ["jazz"],
                "max_new": 2,
            },
            {
                "at": "2026-03-09T09:00:00",
                "user": "Lovely weather! Making coffee.",
                "assistant": "Enjoy it.",
                "keep": [{"match": ["Lille"]}],
                "never": ["coffee"],
                "max_new": 0,
            },
            {
                "at": "2026-05-04T09:00:00",
                "user": "I moved to Bern today. Always answer in short.",
                "assistant": "I will.",
                "keep": [
                    {"match": ["Bern"], "valid_from": "2026-05-04"},
                    {"match": ["short"], "standing": True},
                ],
                "superseded": ["Lille"],
                "doubtful": ["Petit"],
                "max_new": 2,
            },
        ],
    },
    {
        "name": "leaves",
        "language": "en",
        "tags": ["secret", "forget", "session"],
        "turns": [
            {
                "at": "2026-03-02T10:00:00",
                "user": "my password is Tulip-Wagon-88! and I play tennis, right now I am fixing my login",
                "assistant": "Change it.",
                "keep": [{"match": ["tennis"]}, {"match": ["login"], "scope": "session"}],
                "never": ["Tulip"],
                "max_new": 2,
            },
            {
                "at": "2026-03-03T10:00:00",
                "user": "I stopped tennis. Forget that I was fixing my login.",
                "assistant": "Done.",
                "ended": ["tennis"],
                "forgotten": ["login"],
                "max_new": 1,
            },
        ],
    },
]


def answer(*facts: Mapping[str, Any], **others: Any) -> str:
    return json.dumps({"facts": facts, "confirmed": [], "ended": [], "outdated": [], "forget": [], **others})


def fact(text: str, quote: str, **others: Any) -> dict[str, Any]:
    return {"text": text, "quote": quote, **others}


class Reader:
    """A model whose answer depends on what was said: a text, or a function of the numbers of what is known."""

    name = "scripted/reader"
    context_tokens = 8192

    def __init__(self, answers: Mapping[str, Any], usage: Usage | None = None) -> None:
        self.answers = answers
        self.usage = usage

    def count_tokens(self, text: str) -> int:
        return len(text.split())

    def stream(self, request: ModelRequest) -> Generator[Delta, None, None]:
        yield Delta(self.complete(request).text)

    def complete(self, request: ModelRequest) -> Completion:
        inputs = json.loads(request.messages[-1].content)
        given = next((a for words, a in self.answers.items() if words in inputs["user"]), answer())
        if isinstance(given, Exception):
            raise given
        text = given if isinstance(given, str) else given([entry["text"] for entry in inputs["known"]])
        return Completion(text, self.usage)


def _of(known: list[str], word: str) -> int:
    return next(number for number, text in enumerate(known, 1) if word in text)


RIGHT: dict[str, Any] = {
    "Lille": answer(
        fact("The user lives in Lille.", "I live in Lille", category="place"),
        fact("The user's landlord is Mr Petit.", "my landlord is Mr Petit", category="relationship"),
    ),
    "Bern": lambda known: answer(
        fact("The user lives in Bern.", "I moved to Bern", valid_from="2026-05-04", replaces=[_of(known, "Lille")]),
        fact("The user wants short answers.", "Always answer in short", standing=True),
        outdated=[_of(known, "Petit")],
    ),
    "password": answer(
        fact("The user plays tennis.", "I play tennis"),
        fact("The user is fixing a login.", "I am fixing my login", scope="session"),
    ),
    "stopped": lambda known: answer(
        ended=[{"n": _of(known, "tennis"), "quote": "I stopped tennis", "valid_to": "2026-03-03"}],
        forget=[{"n": _of(known, "login"), "quote": "Forget that I was fixing my login"}],
    ),
}
WRONG: dict[str, Any] = {
    "Lille": answer(
        fact("The user likes jazz in Lille.", "I live in Lille", category="preference"),
        fact("The user has a landlord.", "my landlord"),
        fact("The user is Mr Petit.", "Mr Petit"),
    ),
    "coffee": answer(fact("The user is making coffee.", "Making coffee")),
    "Bern": answer(fact("The user moved to Bern.", "I moved to Bern"), fact("Answer in short.", "in short")),
}


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    """A kit of two conversations."""
    folder = tmp_path / "kit"
    folder.mkdir()
    (folder / "tiny.json").write_text(json.dumps(TINY), encoding="utf-8")
    return folder


@pytest.fixture
def settings(home: Path) -> Settings:
    return Settings(home, "somebody", extraction_form=ExtractionForm.FULL)


def _run(folder: Path, model: Reader, settings: Settings) -> Run:
    turns = [turn for conversation in kit.load(folder) for turn in play(conversation, model, settings)]
    return Run(model.name, turns)


# The kit.


def test_the_kit_is_sound_and_as_large_as_was_asked_for() -> None:
    """Every expectation can be met and bears on what was said; 120 turns in 40 conversations are the least."""
    conversations = kit.load()
    assert kit.check(conversations) == []
    assert kit.coverage(conversations) == []
    assert len(conversations) >= 40
    assert sum(len(conversation.turns) for conversation in conversations) >= 120


@pytest.mark.parametrize("folder", [kit.HELD_OUT, kit.UNSEEN], ids=lambda folder: folder.name)
def test_the_conversations_held_out_are_sound(folder: Path) -> None:
    """They were written before any model was asked about them, and are as many turns again as a run needs."""
    conversations = kit.load(folder)
    assert kit.check(conversations) == []
    assert sum(len(conversation.turns) for conversation in conversations) >= 100
    assert not {one.name for one in conversations} & {one.name for one in kit.load()}


def test_a_kit_that_covers_too_little_is_said_to(tiny: Path) -> None:
    """Two conversations are no whole kit, however sound."""
    conversations = kit.load(tiny)
    assert kit.check(conversations) == []
    lacks = kit.coverage(conversations)
    assert "2 conversations, at least 40 are wanted" in lacks
    assert "0 conversations in ja, at least 3 are wanted" in lacks


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"keep": (Keep(("user",)),)}, "matches the neutral text"),
        ({"keep": (Keep(("Lille(",)),)}, "is no regex"),
        ({"keep": (Keep(("Madrid",)),)}, "is in the person's own words"),
        ({"keep": (Keep(("Lille",), ("town",)),)}, "a category or scope that is none"),
        ({"max_new": 0}, "max_new is 0"),
        ({"never": ("li.*e",)}, "forbids every wording"),
        ({"superseded": ("Lille",)}, "was to be kept before"),
        ({"keep": (), "superseded": ("Lille",)}, "nothing is kept in its place"),
    ],
)
def test_an_expectation_that_cannot_be_meant_is_reported(change: dict[str, Any], complaint: str) -> None:
    """The check names the conversation and the turn."""
    turn = Turn(datetime(2026, 3, 2), "I live in Lille", "Nice.", (Keep(("Lille",)),))
    conversation = Conversation("one", "en", ("facts",), (replace(turn, **change),), file="one.json")
    found = kit.check([conversation])
    assert any(complaint in line for line in found)
    assert all(line.startswith("one.json, one: turn 1: ") for line in found)


@pytest.mark.parametrize("content", ["{", '[{"name": "x"}]', '[{"name":"x","language":"en","tags":[],"truns":[]}]'])
def test_a_file_of_another_form_is_refused(tmp_path: Path, content: str) -> None:
    """A field misspelled must not pass for an expectation left out."""
    (tmp_path / "wrong.json").write_text(content, encoding="utf-8")
    with pytest.raises(KitError, match=r"wrong\.json"):
        kit.load(tmp_path)


def test_a_fact_counts_as_new_only_where_it_is_told(tiny: Path) -> None:
    """What a later turn still expects is no second fact to learn, unless it had to go in between."""
    turns = kit.load(tiny)[0].turns
    assert [[keep.first for keep in turn.keep] for turn in turns] == [[True, True], [False], [True, True]]


# The runner.


def test_a_model_that_reads_well_meets_everything(tiny: Path, settings: Settings) -> None:
    """Each kind of expectation is met by the decision it asks for."""
    run = _run(tiny, Reader(RIGHT, Usage(7_777, 20)), settings)
    assert [failure for turn in run.turns for failure in turn.failures] == []
    assert run.of("wanted") == run.met("wanted") == run.met("clean") == 6
    assert run.of("kept") == 6
    assert run.of("still") == 1
    assert {kind: run.met(kind) for kind in kit.CHANGES} == dict.fromkeys(kit.CHANGES, 1)
    fields = ("category", "standing", "scope", "valid_from", "secret")
    assert {kind: run.met(kind) for kind in fields} == dict.fromkeys(fields, 1)
    assert run.met("quoted") == 6
    assert [turn.prompt_tokens for turn in run.turns] == [7_777] * 5
    assert all(turn.calls == 1 and 100 < turn.counted_tokens < 7_777 for turn in run.turns)


def test_what_should_not_be_kept_is_counted_as_junk(tiny: Path, settings: Settings) -> None:
    """Of three facts where two may be, one forbidden and one beside the point, both are junk; so is small talk."""
    run = _run(tiny, Reader(WRONG), settings).tagged("contradiction")
    first, second, third = run.turns
    assert (first.of["wanted"], first.met["wanted"]) == (3, 1)
    assert (first.met["clean"], first.met["harmless"]) == (2, 2)
    assert (second.of["clean"], second.met["clean"], second.met["never"]) == (1, 0, 0)
    assert run.missed("clean") == 2
    assert run.junk_per_100 == pytest.approx(200 / 3)
    assert (third.met["superseded"], third.met["doubtful"]) == (0, 0)
    assert (third.met["standing"], third.met["valid_from"]) == (0, 0)
    assert first.met["category"] == 0
    assert "The user is making coffee." in second.failures[0].held[0]


def test_a_model_that_keeps_nothing_has_no_recall_and_no_junk(tiny: Path, settings: Settings) -> None:
    """Silence is scored as such: nothing kept, nothing changed, and prompts counted by the model's own count."""
    run = _run(tiny, Reader({}), settings)
    assert (run.of("wanted"), run.met("kept"), run.of("kept")) == (0, 0, 6)
    assert (run.met(*kit.CHANGES), run.of(*kit.CHANGES)) == (0, 4)
    assert all(turn.calls == 1 and turn.prompt_tokens == turn.counted_tokens > 100 for turn in run.turns)


def test_an_answer_that_cannot_be_used_holds_nothing_else_up(tiny: Path, settings: Settings) -> None:
    """It is asked for as often as the learner does, each failure is reported, and the next turn is learned."""
    run = _run(tiny, Reader(RIGHT | {"coffee": BadReply("No answer.")}), settings).tagged("contradiction")
    _, second, third = run.turns
    assert (second.calls, second.of["learned"]) == (3, 3)
    assert "No answer." in [failure.expected for failure in second.failures]
    assert third.met["kept"] == 2


def test_a_model_that_cannot_be_reached_ends_the_run(tiny: Path, settings: Settings) -> None:
    """Figures of a model that never answered would be none."""
    with pytest.raises(ModelUnreachable):
        _run(tiny, Reader({"Lille": ModelUnreachable("Nobody is there.")}), settings)


def test_secrets_are_the_spans_that_are_masked() -> None:
    """Each span is named in the person's own spelling; a text without secrets has none."""
    said = "my password is Tulip-Wagon-88! and the card is 4111 1111 1111 1111"
    assert masked(said) == ["Tulip-Wagon-88!", "4111 1111 1111 1111"]
    assert masked("my locker is 214 [redacted password]") == []


def test_a_secret_is_found_in_any_file(tmp_path: Path) -> None:
    """Below the home, within other bytes, and as JSON writes it."""
    (tmp_path / "index").mkdir()
    (tmp_path / "index" / "data.bin").write_bytes(b"\x00\xffplum.Harbor\x00")
    (tmp_path / "log").write_bytes(rb'{"said": "a\"b\u00e4"}')
    assert found_in(tmp_path, ["plum.Harbor", 'a"bä', "1907.fox"]) == {"plum.Harbor", 'a"bä'}


def test_a_short_secret_is_found_where_it_stands_by_itself(tmp_path: Path) -> None:
    """Three digits within an id are chance."""
    (tmp_path / "ids").write_bytes(b"01a1fe08-c737-4821f-" + "x4821".encode("utf-16-le"))
    assert found_in(tmp_path, ["737", "4821"]) == set()
    (tmp_path / "log").write_bytes(b"\x03737\x01" + " 4821.".encode("utf-16-le"))
    assert found_in(tmp_path, ["737", "4821"]) == {"737", "4821"}


# The command.


def test_a_run_can_be_split_and_added_up_again(tiny: Path, settings: Settings, tmp_path: Path) -> None:
    """Two shards, saved and read, report what the whole run reports."""
    whole = _run(tiny, Reader(RIGHT), settings)
    parts: list[list[TurnResult]] = [[], []]
    for turn in whole.turns:
        parts[turn.conversation != MOVES].append(turn)
    files = [tmp_path / "1.json", tmp_path / "2.json"]
    for part, file in zip(parts, files, strict=True):
        save(Run(whole.model, part), file)
    assert read(files) == whole
    assert report(read(files)) == report(whole)


def test_turns_are_taken_by_whole_conversations_from_each_file() -> None:
    """A short run touches every file before it takes a second conversation from one; shards share it out."""
    chosen = choose(kit.load(), _options(turns=60))
    assert 50 <= sum(len(conversation.turns) for conversation in chosen) <= 60
    assert len({conversation.file for conversation in chosen}) == len(list(kit.KIT.glob("*.json")))
    shards = [choose(kit.load(), _options(turns=60, shard=(part, 3))) for part in (1, 2, 3)]
    assert sorted(c.name for shard in shards for c in shard) == sorted(c.name for c in chosen)


def test_the_command_prints_figures_and_keeps_failures(
    tiny: Path, home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One command runs a kit against a model by name."""
    assert main(["--model", "offline", "--kit", str(tiny), "--json", str(tmp_path / "run.json")]) == 0
    printed = capsys.readouterr().out
    assert "Extraction by offline" in printed
    assert "in 2 conversations" in printed
    saved = json.loads((tmp_path / "run.json").read_text(encoding="utf-8"))
    assert len(saved["turns"]) == 5
    assert not home.exists()


def _options(**given: Any) -> Namespace:
    return Namespace(**{"only": None, "tag": None, "language": None, "turns": None, "shard": (1, 1), **given})
