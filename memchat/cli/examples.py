"""Examples that the help pages show, by command."""

EXAMPLES = {
    "": ("memchat", 'memchat ask "What did I say about Lisbon?"', "memchat memories list --user alice"),
    "chat": (
        "memchat chat --user alice",
        "memchat chat --continue",
        "memchat chat --private --model offline",
    ),
    "ask": (
        'memchat ask "Which restaurants would I like?"',
        'memchat ask -f notes.txt "What is still open?"',
        'git diff | memchat ask "Write a commit message."',
    ),
    "compare": ('memchat compare "Can you suggest a restaurant?"',),
    "memories": ("memchat memories list", "memchat memories search restaurants", "memchat memories show @2"),
    "memories list": (
        "memchat memories list --category food",
        "memchat memories list --since 2026-01-01 --sort updated",
        "memchat memories list --where project=atlas --json",
    ),
    "memories search": ("memchat memories search where do I live", "memchat memories search --top-k 20 allergies"),
    "memories show": ("memchat memories show @2", "memchat memories show 7f3a09c1"),
    "memories add": ('memchat memories add "I am allergic to peanuts."', "memchat memories add - < facts.txt"),
    "memories edit": ('memchat memories edit @2 "User lives in Amsterdam."', "memchat memories edit 7f3a09c1"),
    "memories history": ("memchat memories history @2",),
    "memories undo": ("memchat memories undo @2",),
    "memories export": ("memchat memories export --user alice > alice.jsonl",),
    "memories forget": ("memchat memories forget @2", "memchat memories forget --category food --dry-run"),
    "memories import": (
        "memchat memories import alice.jsonl",
        "memchat memories import --dry-run chatgpt-export.zip",
    ),
    "forget": (
        "memchat forget @2",
        'memchat forget --query "my former employer"',
        "memchat forget --all --user alice",
    ),
    "sessions": ("memchat sessions list", "memchat sessions search Lisbon", "memchat sessions show @1"),
    "sessions list": ("memchat sessions list --user alice",),
    "sessions show": ("memchat sessions show @1", "memchat sessions show trip"),
    "sessions search": ('memchat sessions search "the book you recommended"',),
    "sessions rename": ('memchat sessions rename @1 "Trip to Lisbon"',),
    "sessions export": ("memchat sessions export > conversations.jsonl",),
    "sessions import": ("memchat sessions import --dry-run conversations.json",),
    "sessions forget": ("memchat sessions forget @1",),
    "stats": ("memchat stats --user alice",),
    "status": ("memchat status", "memchat status --retry"),
    "doctor": ("memchat doctor", "memchat doctor --fix"),
    "reindex": ("memchat reindex",),
    "backup": ("memchat backup memchat-2026-12-01.db",),
    "config": ("memchat config",),
    "models": ("memchat models",),
    "setup": ("memchat setup",),
    "serve": ("memchat serve", "MEMCHAT_SERVER_KEY=… memchat serve --host 0.0.0.0 --port 8080"),
    "tokens": ("memchat tokens add --user alice", "memchat tokens list"),
    "tokens add": ("memchat tokens add --user alice",),
    "tokens list": ("memchat tokens list",),
    "tokens revoke": ("memchat tokens revoke 3",),
    "mcp": ("memchat mcp --user alice", "memchat mcp --http 8765"),
}
"""Command lines by the words of the command, of the program itself under no word; at most 76 columns each."""


def examples_of(path: str) -> tuple[str, ...]:
    """Return the examples of the command at `path`, such as `memchat memories list`."""
    return EXAMPLES.get(path.removeprefix("memchat").strip(), ())
