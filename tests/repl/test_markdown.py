"""Replies that stream onto the screen."""

import random
import re
from io import StringIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from memchat.repl.plain_writer import PlainWriter
from tests.repl.reply_on_screen import Screen

REPLY = """# Title here

Hello **bold text** and *italic* with `code span` and a [link](http://x.y/z) plus snake_case and 5*3 = 15, 2 * 3.
Second line of it is rather long and it goes on and on until it wraps at the end of the screen, surely.

1. First item with a very long text that has to wrap somewhere since eighty columns are not enough for it
   - nested **item** a
2. Second

   ```python
   def f(x):
       return x + 1  # done
   ```
3. Third

> quoted text that is long enough to wrap around the eighty columns of the screen which is wide but not that wide

| Name | What it is | Cost |
|------|:----------:|-----:|
| a | **bold** thing | 1 |
| longer name here | a much longer description of what the thing is, so that it has to be wrapped in its cell | 20000 |

日本語のテキストはスペースがないので、折り返しは文字ごとに行われます。とても長い文章でも**太字**が使えますし、終わり。
---
    indented code
```
unclosed
  fence"""


def cut(text: str, seed: int) -> list[str]:
    dice = random.Random(seed)
    pieces: list[str] = []
    while text:
        size = dice.randint(1, 12)
        pieces.append(text[:size])
        text = text[size:]
    return pieces


@pytest.mark.parametrize("seed", range(10))
def test_the_way_a_reply_is_cut_does_not_change_what_is_printed(seed: int) -> None:
    """Pieces of any size give the same text as the whole reply at once."""
    assert Screen().finish(*cut(REPLY, seed)) == Screen().finish(REPLY)


def test_single_characters_give_the_same_text_too() -> None:
    """The smallest pieces are no exception."""
    assert Screen().finish(*REPLY) == Screen().finish(REPLY)


def test_nothing_printed_is_ever_touched_again() -> None:
    """The only escape sequences are colours: no cursor movement, no erasing, no other screen."""
    printed = Screen(colours=True).finish(*cut(REPLY, 1))
    sequences = re.findall(r"\x1b.[^a-zA-Z]*[a-zA-Z]", printed)
    assert sequences
    assert all(re.fullmatch(r"\x1b\[[0-9;]*m", sequence) for sequence in sequences)
    assert "\r" not in printed


def test_no_background_is_coloured_anywhere() -> None:
    """Code and everything else keep the terminal's own background."""
    printed = Screen(colours=True).finish(REPLY)
    codes = [int(code) for found in re.findall(r"\x1b\[([0-9;]*)m", printed) for code in found.split(";") if code]
    assert not [code for code in codes if 40 <= code <= 49 or 100 <= code <= 107]


def test_lines_have_no_trailing_blanks_and_fit_the_screen() -> None:
    """What is copied from the screen has no padding, and words wrap before the edge."""
    for line in Screen().finish(REPLY).splitlines():
        assert line == line.rstrip()
        assert cell_len(line) <= 80


def test_words_appear_while_their_paragraph_is_still_open() -> None:
    """A person sees text move without waiting for a line or a block to end."""
    assert Screen().feed("Once upon a time, there", " was") == "Once upon a time, there"
    assert Screen().feed("First line\nOnce upon", " a time") == "First line\nOnce upon a"
    assert Screen().feed("- item\n\n  Once upon", " a time") == "- item\n\n  Once upon a"


def test_only_the_length_of_a_title_is_held_back() -> None:
    """A paragraph that goes on shows every word from there, with or without punctuation."""
    words = [f"word{n} " for n in range(20)]
    screen = Screen(width=200)
    shown = [screen.feed(word) for word in words]
    assert all(text.split() == [f"word{n}" for n in range(at + 1)] for at, text in enumerate(shown) if at >= 6)


@pytest.mark.parametrize("width", [40, 80])
@pytest.mark.parametrize("title", ["My heading", "日本語の見出し", "🎉 A **bold** one"])
@pytest.mark.parametrize("line", ["=====", "-----", "---", "=" * 100])
def test_an_underlined_line_is_a_heading(width: int, title: str, line: str) -> None:
    """The underline is not shown, and the text looks as a heading of its level does."""
    level = "#" if line.startswith("=") else "##"
    for colours in (False, True):
        underlined = Screen(width, colours).finish(*f"before\n\n{title}\n{line}\nafter\n")
        assert underlined == Screen(width, colours).finish(f"before\n\n{level} {title}\nafter\n")


def test_the_underline_of_a_long_line_is_not_shown() -> None:
    """The line is on the screen before the underline comes; it is not touched again."""
    title = "A heading that takes so many words that it cannot be held back"
    assert Screen().finish(*f"{title}\n=======\nafter") == f"{title}\nafter\n"


@pytest.mark.parametrize("text", ["- item\n---", "a, b\n---", "title\n\n---"])
def test_a_rule_stays_a_rule(text: str) -> None:
    """Dashes under a list, a sentence or a blank line make no heading of it."""
    assert Screen().finish(text).splitlines()[-1] == "─" * 20


@pytest.mark.parametrize("text", ["title\n=", "title\n\n====", "title\n== 5"])
def test_equals_signs_that_underline_nothing_are_text(text: str) -> None:
    """They are shown as they were written."""
    assert Screen().finish(*text) == f"{text}\n"


def test_list_items_appear_while_they_are_being_written() -> None:
    """A list is not held back until it ends."""
    assert Screen().feed("- milk and ", "honey\n- bread ", "with") == "- milk and honey\n- bread"


def test_code_appears_line_by_line() -> None:
    """A long block of code is not held back until its fence closes."""
    assert Screen().feed("```python\nx = 1\ny = 2\nz") == "x = 1\ny = 2\n"


def test_emphasis_is_never_shown_half_done() -> None:
    """Asterisks that will be closed are not printed and then left standing."""
    screen = Screen()
    assert screen.feed("So, it is **very") == "So, it is"
    assert screen.finish(" important** indeed.") == "So, it is very important indeed.\n"


def test_an_asterisk_that_is_never_closed_does_not_stop_the_text() -> None:
    """What is held back for it is bounded, also within one paragraph."""
    assert len(Screen().feed("*never closed ", *["word "] * 200)) > 400


def test_emphasis_may_run_over_a_line_break() -> None:
    """Lines of one paragraph belong together, and keep their breaks."""
    assert Screen().finish("**two\nlines** of it") == "two\nlines of it\n"


def test_bold_text_is_bold() -> None:
    """The mark-up becomes the terminal's own attribute."""
    assert Screen(colours=True).finish("**ja**") == "\x1b[1mja\x1b[0m\n"


def test_a_link_shows_its_address() -> None:
    """An address that can be read and copied; one that is its own text is not said twice."""
    assert Screen().finish("[here](https://a.b/c) <https://d.e>") == "here (https://a.b/c) https://d.e\n"


@pytest.mark.parametrize("text", ["5*3 = 15 and 2 * 3", "snake_case_name", "a [x] b", "~5 minutes", "1985 was good"])
def test_plain_text_stays_as_it_was_written(text: str) -> None:
    """Characters that only look like mark-up are kept."""
    assert Screen().finish(*text) == f"{text}\n"


def test_code_in_a_list_is_indented_as_the_list_is() -> None:
    """It stands under the words of its item, and the list goes on after it."""
    shown = Screen().finish(*"1. Run:\n\n   ```sh\n   make\n\n     all\n   ```\n2. Done")
    assert shown == "1. Run:\n\n   make\n\n     all\n\n2. Done\n"


def test_code_in_a_nested_list_is_indented_further() -> None:
    """Every level of the list counts."""
    shown = Screen().finish(*"- a\n  - b\n    ```\n    x\n      y\n    ```\n")
    assert shown == "- a\n  - b\n\n    x\n      y\n"


def test_code_that_begins_in_the_line_of_its_item_leaves_the_mark() -> None:
    """The number of an item is not lost because code follows it at once."""
    assert Screen().finish(*"1. ```sh\n   make\n   ```\n2. b") == "1.\n\n   make\n\n2. b\n"


def test_code_after_a_list_begins_in_the_first_column() -> None:
    """Only code that belongs to an item is indented."""
    assert Screen().finish(*"- a\n\n```\nx\n```\n") == "- a\n\nx\n"


@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_a_long_line_of_code_in_a_list_is_indented_once(size: int) -> None:
    """It is shown in parts as it arrives, none of its blanks lost."""
    line = "x" * 499 + "      " + "y" * 600
    text = f"- a\n  ```\n  {line}\n  ```\n"
    pieces = [text[at : at + size] for at in range(0, len(text), size)]
    assert Screen().finish(*pieces) == f"- a\n\n  {line}\n"


def test_code_in_a_quote_keeps_its_own_indentation() -> None:
    """The mark of the quote is taken off each line, and no more."""
    assert Screen().finish(*"> ```\n> if x:\n>   y\n> ```\n") == "if x:\n  y\n"


def test_a_blank_line_shows_where_code_begins_and_ends_without_colour() -> None:
    """There is one on both sides, also where the reply has none, and no mark that would be copied along."""
    assert Screen().finish(*"before\n```sh\nmake\n```\nafter") == "before\n\nmake\n\nafter\n"
    assert Screen().finish(*"before\n\n```sh\nmake\n```\n\nafter") == "before\n\nmake\n\nafter\n"


def test_a_shorter_fence_inside_code_is_code() -> None:
    """Four backticks are closed by four."""
    assert Screen().finish("````md\n```\ninner\n```\n````\nafter") == "```\ninner\n```\n\nafter\n"


def test_tabs_and_spaces_of_code_are_kept() -> None:
    """A makefile can be copied from the screen."""
    assert Screen().finish("```make\nall:\n\tcc  x.c\n```") == "all:\n\tcc  x.c\n"


def test_an_unclosed_fence_shows_all_its_code() -> None:
    """A reply that was cut off loses nothing."""
    assert Screen().finish("```\none\ntw") == "one\ntw\n"


def test_a_line_of_code_wider_than_the_screen_stays_one_line() -> None:
    """The terminal wraps it, so that it is copied in one piece."""
    line = "x = " + "1 + " * 300 + "1"
    assert Screen().finish(*cut(f"```python\n{line}\n```", 3)) == f"{line}\n"


def test_a_word_wider_than_the_screen_stays_whole() -> None:
    """A long address is copied in one piece, however it arrived."""
    address = "https://example.org/" + "a" * 1500
    assert address in Screen().finish(*cut(f"See {address} for more.", 5))


def test_scripts_without_spaces_wrap_at_the_edge() -> None:
    """Wide characters count two columns, and a full stop does not start a line."""
    lines = Screen(width=20).finish("日本語の文章はこのように折り返されますよ。はい。").splitlines()
    assert max(cell_len(line) for line in lines) <= 20
    assert not any(line.startswith("。") for line in lines)


def test_a_wrapped_list_item_hangs_under_its_text() -> None:
    """The following lines start where the item's words did."""
    assert Screen(width=20).finish("10. one two three four five") == "10. one two three\n    four five\n"


def test_a_quote_begins_with_a_bar_on_every_line() -> None:
    """Wrapped lines and quotes in quotes too; the prompt's mark stays the prompt's."""
    shown = Screen(width=20).finish(*"> one two three four five\n> > deep\n> - item")
    assert shown == "│ one two three four\n│ five\n│ │ deep\n│ - item\n"


def test_the_bar_of_a_quote_is_dim_and_its_text_is_not() -> None:
    """The words of a quote are read, its bar is only seen."""
    assert Screen(colours=True).finish("> word") == "\x1b[2m│\x1b[0m word\n"


def test_a_bar_the_model_wrote_is_text() -> None:
    """Only a quote's own mark is turned into a bar."""
    assert Screen(colours=True).finish("│ word") == "│ word\n"


def test_a_narrower_screen_is_taken_up_at_once() -> None:
    """After a resize the next line breaks at the new width; what is printed stays."""
    screen = Screen(width=40)
    screen.feed("twelve words of text go here and ")
    screen.console.width = 20
    shown = screen.finish("some more words of it follow here.")
    assert all(len(line) <= 20 for line in shown.splitlines()[1:])


def test_escape_sequences_of_the_model_do_not_reach_the_screen() -> None:
    """Not even when they are cut into pieces."""
    assert Screen().finish("safe \x1b", "[2Jtext \x1b]0;title\x07", "here") == "safe text here\n"


@given(st.text(alphabet="ab*_`~[]()#>|-1. \n\t\\<&日。", max_size=120), st.integers(0, 3))
def test_every_letter_of_any_text_is_printed(text: str, seed: int) -> None:
    """Broken mark-up may look odd but loses no words (a fence's language and a link's target aside)."""
    if "```" in text or "~~~" in text or "[" in text:
        return
    shown = Screen().finish(*cut(text, seed))
    assert [c for c in shown if c in "ab日"] == [c for c in text if c in "ab日"]


def test_a_pipe_gets_the_reply_as_it_was_written() -> None:
    """No rendering, no wrapping; only what a terminal would obey is taken out."""
    out = StringIO()
    reply = PlainWriter(out)
    for piece in ("**bold** ", "\x1b", "[31mred\n", "| a |"):
        reply.feed(piece)
    reply.close()
    assert out.getvalue() == "**bold** red\n| a |\n"
