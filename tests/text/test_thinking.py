"""Thinking told apart from the answer."""

import pytest

from memchat.text.thinking import ThinkingSplitter, split_unopened

REPLIES = [
    ("<think>\nLet me see.\n</think>\n\nIt is 4.", "\n\nIt is 4.", "\nLet me see.\n"),
    ("  <think></think>\n\nHello", "\n\nHello", ""),
    ("<think>a</think><think>b</think>c", "c", "ab"),
    ("<thinking>Hm <b>x</b></thinking>Yes", "Yes", "Hm <b>x</b>"),
    ("[THINK]Hm[/THINK]Yes", "Yes", "Hm"),
    ("◁think▷Hm◁/think▷Yes", "Yes", "Hm"),
    ("<think>never ends", "", "never ends"),
    (
        "<|channel|>analysis<|message|>The user asks.<|end|>"
        "<|start|>assistant<|channel|>final<|message|>It is 4.<|return|>",
        "It is 4.",
        "The user asks.",
    ),
    ("<|start|>assistant<|channel|>commentary<|message|>x<|end|><|start|>assistant<|message|>y", "y", "x"),
    ("analysisWe need to answer.assistantfinalIt is 4.", "It is 4.", "We need to answer."),
    ("analysis of the text follows", "analysis of the text follows", ""),
    ("analysisPaper is out", "analysisPaper is out", ""),
    ("Plain <think> in the middle </think> stays", "Plain <think> in the middle </think> stays", ""),
    ("<b>bold</b> <thinker>", "<b>bold</b> <thinker>", ""),
    ("<", "<", ""),
    ("  indented", "  indented", ""),
    ("", "", ""),
]


@pytest.mark.parametrize(("reply", "answer", "thinking"), REPLIES)
@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_a_stream_is_split_however_it_is_cut(reply: str, answer: str, thinking: str, size: int) -> None:
    """Nothing is lost, nothing is said twice, and no mark is left in either."""
    splitter = ThinkingSplitter()
    parts = [part for at in range(0, len(reply), size) for part in splitter.feed(reply[at : at + size])]
    parts += splitter.close()
    assert "".join(part.text for part in parts if not part.thinking) == answer
    assert "".join(part.text for part in parts if part.thinking) == thinking


def test_an_answer_is_passed_on_as_it_comes() -> None:
    """Once it is clear that it begins with no mark."""
    splitter = ThinkingSplitter()
    assert [part.text for part in splitter.feed("It")] == ["It"]
    assert [part.text for part in splitter.feed(" is <")] == [" is <"]


def test_a_closing_tag_alone_ends_thinking() -> None:
    """Some templates open the block in the prompt, so that the reply holds its end only."""
    assert split_unopened("Let me see.\n</think>\n\nIt is 4.") == ("It is 4.", "Let me see.")
    assert split_unopened("Write </think> to close it.") == ("Write </think> to close it.", "")
