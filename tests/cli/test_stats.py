"""`memchat stats`: counts in words, as a picture and as JSON."""

from tests.cli.conftest import Shell


def test_memories_are_counted_by_category_and_month(shell: Shell) -> None:
    """For the user alone, without the superseded."""
    shell.add("I am vegetarian.", "My knee hurts.", options=("--category", "health"))
    shell.add("Lives in Lille.", options=("--category", "place"))
    shell.add("Lives in Lyon.", user="bob")
    found = shell.run("stats", "--json").json
    assert (found["memories"], found["categories"]) == (3, {"health": 2, "place": 1})
    assert list(found["months"].values()) == [3]
    assert (found["conversations"], found["messages"], found["pending"]) == (0, 0, 0)
    assert shell.run("stats").out.splitlines()[:3] == [
        "3 memories, 0 conversations, 0 messages",
        "health\t2",
        "place\t1",
    ]


def test_a_terminal_shows_bars_that_fit(shell: Shell) -> None:
    """Twice as many, twice as long; at forty columns, too."""
    shell.add("I am vegetarian.", "My knee hurts.", options=("--category", "health"))
    shell.add("Lives in Lille.", options=("--category", "place"))
    for columns in (40, 80):
        shown = shell.at_terminal("stats", size=(columns, 24)).out
        bars = {line.split()[0]: line.count("█") for line in shown.splitlines() if "█" in line}
        assert bars["place"] > 0
        assert abs(bars["health"] - 2 * bars["place"]) <= 1
        assert max(map(len, shown.splitlines())) <= columns + len("\x1b[1m\x1b[0m")


def test_nothing_heavy_is_loaded(shell: Shell) -> None:
    """SQLite is enough."""
    shell.add("Likes tea.")
    code = (
        "import sys; from memchat.cli.main import run; run(['stats'])\n"
        "print(*sorted({'chromadb', 'litellm', 'onnxruntime', 'numpy'} & set(sys.modules)), 'loaded')"
    )
    assert shell.program(code=code).out.splitlines()[-1].strip() == "loaded"
