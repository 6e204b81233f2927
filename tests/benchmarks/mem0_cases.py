"""217 calls of mem0's `Memory`, run on mem0ai and on memchat, and compared.

    python -m tests.benchmarks.mem0_cases [--mem0-python PYTHON]

PYTHON is the interpreter of a virtual environment that has `mem0ai`. Each case is an expression over `m`, an open
`Memory`, and `k(text, **more)`, which keeps a text as it is and returns its id. What comes back is compared without
ids, times and scores; of an error, by whether mem0's users would catch it. A case that differs names the row of the table of
intended differences in docs/mem0.md that says so; one that names none is printed as unexplained.
"""

import argparse
import asyncio
import importlib
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
KEPT = (
    "memory event user_id agent_id run_id actor_id role metadata message old_memory new_memory is_deleted expiration_date"
).split()

RUNS = "a run or an agent alone"
IN_RUN = "`search` finds a user's runs"
UNKNOWN = "`get` of an unknown id"
NESTED = "metadata may be nested"
KEYWORDS = "unknown keywords"
SUPPORT = "`timestamp`"
USERS = "`user_id` in `OR`"
LIMIT = "`limit=0`"
SCORES = "scores from 0 to 1"
ERASED = "`delete_all` says"
GONE = "deleting keeps the history"
GRAPH = "`graph_store`"
ATTRIBUTES = "attributes `config`"
CLIENTS = "`MemoryClient`, `AsyncMemoryClient` in the package"
TRUTH = "a truth value for `threshold`"
CONTAINS = "`contains` and `icontains` find"

SAY = '[{"role": "user", "content": "Likes tea"}, {"role": "assistant", "content": "Noted"}]'
VALUES = {"rating": ("3", "5", "9"), "topic": ('"tea"', '"jam"', '"zoo"')}


def cases() -> Iterator[tuple[str, str]]:
    """Each expression with the row that explains a difference, empty where there is to be none."""
    yield from _adds()
    yield from _reads()
    yield from _filters()
    yield from _changes()
    yield from _erasures()
    yield from _configurations()


def _adds() -> Iterator[tuple[str, str]]:
    for messages in (
        '"Likes tea"',
        '{"role": "user", "content": "Likes tea"}',
        SAY,
        '[{"role": "user", "content": "A"}]',
    ):
        for ids in (
            'user_id="u"',
            'agent_id="a"',
            'run_id="r"',
            'user_id="u", agent_id="a"',
            'user_id="u", run_id="r"',
        ):
            yield f"m.add({messages}, {ids}, infer=False)", ""
    for more in (
        'metadata={"a": 1}',
        'metadata={"a": "b", "c": True}',
        "metadata={}",
        "metadata=None",
        'expiration_date="2999-12-31"',
    ):
        yield f'm.add("Likes tea", user_id="u", infer=False, {more})', ""
    named = '[{"role": "user", "name": "Al", "content": "Likes tea"}]'
    yield f'm.add({named}, user_id="u", infer=False)', ""
    yield '(m.add([{"role": "system", "content": "Be nice"}], user_id="u", infer=False))', ""
    yield f'm.add({SAY}, user_id="u")', ""
    yield f'm.add({SAY}, user_id="u", prompt="Keep drinks")', ""
    yield 'm.add("Likes tea", user_id="u", infer=False, metadata={"a": {"b": 1}})', NESTED
    yield 'm.add("Likes tea", user_id="u", infer=False, metadata={"a": [1, 2]})', NESTED
    for wrong in (
        '"x"',
        '"x", user_id=""',
        '"x", user_id=" "',
        '5, user_id="u"',
        'None, user_id="u"',
        '"x", user_id="u", expiration_date="soon"',
    ):
        yield f"m.add({wrong}, infer=False)", ""
    yield 'm.add("x", user_id="u", infer=False, timestamp=1)', SUPPORT
    yield 'm.add("x", user_id="u", infer=False, memory_type="wrong")', SUPPORT
    yield 'm.add("x", user_id="u", infer=False, foo=1)', KEYWORDS


def _reads() -> Iterator[tuple[str, str]]:
    named = ('{"user_id": "u"}', '{"agent_id": "a"}', '{"run_id": "r"}', '{"user_id": "u", "agent_id": "a"}')
    keeps = ('user_id="u"', 'agent_id="a"', 'run_id="r"', 'user_id="u", agent_id="a"')
    for filters, ids in zip(named, keeps, strict=True):
        for call in (
            "m.get_all(filters={0})",
            'm.search("tea", filters={0})',
            "m.get_all(filters={0}, top_k=1)",
            'm.search("tea", filters={0}, top_k=1)',
        ):
            yield f'(k("Likes tea", {ids}), {call.format(filters)})[1]', ""
    for more in (
        "threshold=0.0",
        "threshold=None",
        "rerank=False",
        "rerank=True",
        "show_expired=True",
        "show_expired=False",
    ):
        yield f'(k("Likes tea", user_id="u"), m.search("tea", filters={{"user_id": "u"}}, {more}))[1]', ""
    for more in ("show_expired=True", "show_expired=False", "top_k=100"):
        yield (
            f'(k("Old", user_id="u", expiration_date="2020-01-01"), m.get_all(filters={{"user_id": "u"}}, {more}))[1]',
            "",
        )
    yield 'm.get_all(filters={"user_id": "nobody"})', ""
    yield 'm.search("tea", filters={"user_id": "nobody"})', ""
    yield '(k("Likes tea", user_id="u", run_id="r"), m.get_all(filters={"user_id": "u"}))[1]', ""
    yield '(k("Likes tea", user_id="u", run_id="r"), m.search("tea", filters={"user_id": "u"}))[1]', IN_RUN
    yield '(k("Likes tea", user_id="u", run_id="r"), m.search("tea", filters={"user_id": "u", "run_id": "r"}))[1]', ""
    yield '(k("Likes tea", user_id="u", run_id="r"), m.get_all(filters={"run_id": "r"}))[1]', RUNS
    yield '(k("Likes tea", user_id="u", agent_id="a"), m.get_all(filters={"agent_id": "a"}))[1]', RUNS
    yield '(k("Likes tea", user_id="u", agent_id="a"), m.get_all(filters={"user_id": "u"}))[1]', ""
    yield '(k("Likes tea", user_id=7), m.get_all(filters={"user_id": 7}))[1]', ""
    yield '(k("Likes tea", user_id="u", metadata={"a": 1}), m.get_all(filters={"user_id": "u"}))[1]', ""
    for wrong in (
        "filters={}",
        "",
        'filters={"user_id": "u"}, threshold="x"',
    ):
        yield f'm.search("tea", {wrong})', ""
    yield 'm.search("tea", filters={"user_id": "u"}, threshold=True)', TRUTH
    yield 'm.search("tea", filters={"user_id": "u"}, threshold=2)', SCORES
    yield 'm.search("tea", filters={"user_id": "u"}, threshold=-1)', SCORES
    yield 'm.search("", filters={"user_id": "u"})', ""
    yield 'm.search(5, filters={"user_id": "u"})', ""
    yield 'm.search(None, filters={"user_id": "u"})', ""
    yield 'm.search("tea", filters={"user_id": "u"}, top_k="3")', ""
    yield 'm.search("tea", filters={"user_id": "u"}, top_k=0)', LIMIT
    yield 'm.search("tea", filters={"user_id": "u"}, reference_date="2026-01-01")', SUPPORT
    yield 'm.search("tea", filters={"user_id": "u"}, foo=1)', KEYWORDS
    yield 'm.get_all(filters={"user_id": "u"}, foo=1)', KEYWORDS
    yield "m.get_all(filters={})", ""
    yield 'm.get_all(filters={"user_id": "u"}, top_k=0)', LIMIT
    yield "m.get_all()", ""
    yield 'm.search("tea", user_id="u")', ""
    yield 'm.get_all(user_id="u")', ""
    yield '(k("Likes tea", user_id="u"), m.search("tea", filters={"user_id": "u"}, explain=True))[1]', ""


def _filters() -> Iterator[tuple[str, str]]:
    keep = '(k("One", user_id="u", metadata={"rating": 3, "topic": "tea"}), k("Two", user_id="u", metadata={"rating": 5, "topic": "jam"}), '
    for field, (low, high, other) in VALUES.items():
        for condition in (
            low, f'{{"eq": {low}}}', f'{{"ne": {low}}}', f'{{"in": [{low}, {other}]}}', f'{{"nin": [{low}]}}', f'{{"gt": {low}}}',
            f'{{"gte": {low}}}', f'{{"lt": {high}}}', f'{{"lte": {high}}}', f'{{"eq": {other}}}', '"*"', f"[{low}, {high}]",
        ):  # fmt: skip
            if field == "topic" and any(name in condition for name in ("gt", "lt")):
                continue
            yield f'{keep}m.get_all(filters={{"user_id": "u", "{field}": {condition}}}))[2]', ""
    for condition in ('{"contains": "ea"}', '{"icontains": "EA"}', '{"contains": "EA"}'):
        yield f'{keep}m.get_all(filters={{"user_id": "u", "topic": {condition}}}))[2]', CONTAINS
    for condition in (
        '"rating": {"eq": 3}', '"rating": {"ne": 3}', '"rating": {"in": [3, 9]}', '"rating": {"nin": [3]}', '"rating": {"gt": 3}',
        '"rating": {"gte": 5}', '"rating": {"lt": 5}', '"rating": {"lte": 3}', '"topic": {"contains": "a"}', '"topic": {"icontains": "TEA"}',
    ):  # fmt: skip
        why = CONTAINS if "contains" in condition else ""
        yield f'{keep}m.search("One Two", filters={{"user_id": "u", {condition}}}, threshold=0.0))[2]', why
    joined = (
        '"AND": [{"rating": 3}, {"topic": "tea"}]', '"AND": [{"rating": 3}, {"topic": "jam"}]', '"OR": [{"rating": 3}, {"topic": "jam"}]',
        '"NOT": [{"rating": 3}]', '"OR": [{"rating": {"gte": 5}}, {"topic": "zoo"}]', '"rating": 3, "topic": "tea"', '"NOT": [{"topic": {"in": ["tea", "jam"]}}]',
    )  # fmt: skip
    for condition in joined:
        yield f'{keep}m.get_all(filters={{"user_id": "u", {condition}}}))[2]', ""
        yield f'{keep}m.search("One Two", filters={{"user_id": "u", {condition}}}, threshold=0.0))[2]', ""
    yield f'{keep}m.get_all(filters={{"AND": [{{"user_id": "u"}}, {{"rating": 3}}]}}))[2]', ""
    yield f'{keep}m.get_all(filters={{"user_id": "u", "rating": {{"gte": 3, "lt": 5}}}}))[2]', ""
    yield f'{keep}m.get_all(filters={{"user_id": "u", "rating": {{"almost": 3}}}}))[2]', ""
    yield f'{keep}m.get_all(filters={{"user_id": {{"in": ["u", "v"]}}}}))[2]', USERS
    yield f'{keep}m.get_all(filters={{"OR": [{{"user_id": "u"}}, {{"user_id": "v"}}]}}))[2]', USERS


def _changes() -> Iterator[tuple[str, str]]:
    keep = 'k("Likes tea", user_id="u", metadata={"a": 1})'
    for given in (
        '"Likes jam"',
        'text="Likes jam"',
        'data="Likes jam"',
        'metadata={"b": 2}',
        '"Likes jam", metadata={"a": 2}',
        'expiration_date="2999-12-31"',
        "expiration_date=None",
    ):
        yield f"m.update({keep}, {given})", ""
        yield f"(lambda i: (m.update(i, {given}), m.get(i)))({keep})[1]", ""
    yield f"m.update({keep})", ""
    yield f"m.update({keep}, 5)", ""
    yield f"m.update({keep}, metadata=[1])", ""
    yield f'm.update({keep}, expiration_date="soon")', ""
    yield 'm.update("00000000-0000-0000-0000-000000000000", "x")', ""
    yield f"m.get({keep})", ""
    yield 'm.get("00000000-0000-0000-0000-000000000000")', UNKNOWN
    yield 'm.history("00000000-0000-0000-0000-000000000000")', UNKNOWN
    yield f"m.history({keep})", ""
    yield f'(lambda i: (m.update(i, "Likes jam"), m.history(i)))({keep})[1]', ""


def _erasures() -> Iterator[tuple[str, str]]:
    keep = 'k("Likes tea", user_id="u")'
    yield f"m.delete({keep})", ""
    yield f'({keep}, m.delete({keep}), m.get_all(filters={{"user_id": "u"}}))[2]', ""
    yield 'm.delete("00000000-0000-0000-0000-000000000000")', ""
    yield f"(lambda i: (m.delete(i), m.get(i)))({keep})[1]", UNKNOWN
    yield f"(lambda i: (m.delete(i), m.history(i)))({keep})[1]", GONE
    yield f'({keep}, m.delete_all(user_id="u"))[1]', ""
    yield f'({keep}, m.delete_all(user_id="u"), m.get_all(filters={{"user_id": "u"}}))[2]', ""
    yield 'm.delete_all(user_id="nobody")', ERASED
    yield "m.delete_all()", ""
    yield '(k("x", agent_id="a"), m.delete_all(agent_id="a"), m.get_all(filters={"agent_id": "a"}))[2]', ""
    yield '(k("x", run_id="r"), m.delete_all(run_id="r"), m.get_all(filters={"run_id": "r"}))[2]', ""
    yield '(k("x", user_id="u", run_id="r"), m.delete_all(run_id="r"), m.get_all(filters={"user_id": "u"}))[2]', RUNS
    yield (
        '(k("x", user_id="u", agent_id="a"), m.delete_all(agent_id="a"), m.get_all(filters={"user_id": "u"}))[2]',
        RUNS,
    )
    yield (
        '(k("x", user_id="u", run_id="r"), m.delete_all(user_id="u", run_id="r"), m.get_all(filters={"user_id": "u"}))[2]',
        "",
    )
    yield f'({keep}, k("y", user_id="v"), m.delete_all(user_id="u"), m.get_all(filters={{"user_id": "v"}}))[3]', ""
    yield f'({keep}, m.reset(), m.get_all(filters={{"user_id": "u"}}))[2]', ""
    yield f'({keep}, m.reset(), k("z", user_id="u"), m.get_all(filters={{"user_id": "u"}}))[3]', ""
    yield 'm.chat("hello")', ""


def _configurations() -> Iterator[tuple[str, str]]:
    for change in ({}, {"version": "v1.1"}, {"custom_instructions": "Keep drinks"}, {"history_db_path": ":memory:"}):
        yield f"type(opened({change!r})).__name__", ""
    yield 'type(opened({"vector_store": {"provider": "nowhere", "config": {}}})).__name__', ""
    yield 'type(opened({"llm": {"provider": "nowhere", "config": {}}})).__name__', ""
    yield 'type(opened({"embedder": {"provider": "nowhere", "config": {}}})).__name__', ""
    yield 'type(opened({"graph_store": {"provider": "neo4j", "config": {}}})).__name__', GRAPH
    keep = 'await a.add("Likes tea", user_id="u", infer=False)'
    reads = 'a.get_all(filters={"user_id": "u"})'
    for call in (reads, 'a.search("tea", filters={"user_id": "u"})', 'a.delete_all(user_id="u")'):
        yield f"run_async({keep!r}, {call!r})", ""
    for name in (
        "from_config",
        "add",
        "search",
        "get_all",
        "get",
        "update",
        "delete",
        "delete_all",
        "history",
        "reset",
        "close",
    ):
        yield f'callable(getattr(m, "{name}"))', ""
    for name in ("MemoryClient", "AsyncMemoryClient"):
        yield f'hasattr(library, "{name}")', CLIENTS
    for name in ("config", "llm", "vector_store", "embedding_model"):
        yield f'hasattr(m, "{name}")', ATTRIBUTES


# One library, in a process of its own.


def plain(value: Any) -> Any:
    """`value` without ids, times and scores; lists of memories in the order of their texts."""
    if isinstance(value, Mapping):
        known = {
            name: plain(value[name]) for name in KEPT if value.get(name) is not None and value[name] not in ({}, [])
        }
        if "results" in value:
            known["results"] = sorted((plain(one) for one in value["results"]), key=json.dumps)
        return known
    return [plain(one) for one in value] if isinstance(value, list | tuple) else value


def work(name: str) -> None:
    """Print the outcome of each case as a line of JSON."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    library = importlib.import_module(name)
    config: dict[str, Any] = json.loads(os.environ["CASES_CONFIG"])
    count = 0

    def opened(change: Mapping[str, Any], kind: str = "Memory") -> Any:
        nonlocal count
        count += 1
        place = tempfile.mkdtemp()
        os.environ["MEMCHAT_HOME"] = place
        given = {
            **json.loads(json.dumps(config).replace("PLACE", place)),
            "history_db_path": f"{place}/history.db",
            **change,
        }
        return getattr(library, kind).from_config(given)

    def run_async(first: str, second: str) -> Any:
        async def both() -> Any:
            made = opened({}, "AsyncMemory")
            made = await made if asyncio.iscoroutine(made) else made
            body = f"async def go(a):\n    {first}\n    return await {second}"
            scope: dict[str, Any] = {}
            exec(body, scope)
            return await scope["go"](made)

        return asyncio.run(both())

    for expression, _ in cases():
        memory = opened({})

        def k(text: str, memory: Any = memory, **more: Any) -> str:
            return str(memory.add(text, infer=False, **more)["results"][0]["id"])

        try:
            outcome = {
                "value": plain(
                    eval(
                        expression, {"m": memory, "k": k, "opened": opened, "run_async": run_async, "library": library}
                    )
                )
            }
        except NotImplementedError:
            outcome = {"error": "NotImplementedError"}
        except Exception as error:
            kinds = [one.__name__ for one in type(error).__mro__]
            outcome = {
                "error": kinds[0],
                "caught": "ValueError" in kinds,
                "raw": "MemchatError" not in kinds,
                "text": str(error)[:120],
            }
        answers.write(json.dumps(outcome) + "\n")
        answers.flush()
        getattr(memory, "close", lambda: None)()


# Both beside each other.


def judged(mem0: Mapping[str, Any], memchat: Mapping[str, Any]) -> str:
    """How the two outcomes of one case compare."""
    if "error" in mem0:
        if "error" not in memchat:
            return "memchat takes more"
        return "identical" if memchat.get("caught") or not mem0.get("caught") else "same refusal, other class"
    if "error" in memchat:
        return "memchat refuses"
    same = mem0["value"] == memchat["value"] or _holds(mem0["value"], memchat["value"])
    return "identical" if same else "different answers"


def _holds(less: Any, more: Any) -> bool:
    """Whether `more` has all of `less`: further keys are no difference."""
    if isinstance(less, dict) and isinstance(more, dict):
        return all(name in more and _holds(value, more[name]) for name, value in less.items())
    if isinstance(less, list) and isinstance(more, list):
        return len(less) == len(more) and all(map(_holds, less, more))
    return bool(less == more)


def outcomes(name: str, python: str, config: Mapping[str, Any], env: Mapping[str, str]) -> list[dict[str, Any]]:
    """What each case comes to in `name`, run by `python`."""
    command = [python, str(Path(__file__)), "--work", name]
    environ = {
        **os.environ,
        **env,
        "CASES_CONFIG": json.dumps(config),
        "MEM0_TELEMETRY": "False",
        "PYTHONPATH": str(ROOT),
    }
    ran = subprocess.run(command, env=environ, capture_output=True, text=True, check=False, cwd=tempfile.mkdtemp())
    found = [json.loads(line) for line in ran.stdout.splitlines()]
    assert len(found) == len(list(cases())), ran.stderr[-2000:]
    return found


def compare(mem0_python: str) -> None:
    from tests.api.scripted_memory import word_vectors
    from tests.scripted_server import Reply, ScriptedServer

    def answered(request: dict[str, Any]) -> Reply:
        both = {
            "memory": [{"id": "0", "text": "Likes tea"}],
            "facts": [{"text": "Likes tea", "quote": "Likes tea", "category": "other"}],
        }
        return Reply(json.dumps(both))

    with ScriptedServer(answered, embed=word_vectors) as server:
        env = server.environment()
        embedder = {
            "model": "text-embedding-3-small",
            "openai_base_url": env["OPENAI_API_BASE"],
            "api_key": "x",
            "embedding_dims": 64,
        }
        llm = {"model": "gpt-4o-mini", "openai_base_url": env["OPENAI_API_BASE"], "api_key": "x"}
        store = {"collection_name": "mem0", "path": "PLACE/qdrant", "embedding_model_dims": 64, "on_disk": True}
        config: dict[str, Any] = {
            "llm": {"provider": "openai", "config": llm},
            "embedder": {"provider": "openai", "config": embedder},
            "vector_store": {"provider": "qdrant", "config": store},
        }
        theirs = outcomes("mem0", mem0_python, config, env)
        ours = outcomes("memchat", sys.executable, config, env)
    counts: Counter[str] = Counter()
    table = (ROOT / "docs" / "mem0.md").read_text("utf-8")
    for (expression, why), one, other in zip(cases(), theirs, ours, strict=True):
        verdict = judged(one, other)
        counts[verdict] += 1
        if verdict not in {"identical", "memchat takes more"}:
            said = why if why and why in table else "UNEXPLAINED"
            print(f"{verdict}: {expression}\n    {said}\n    mem0 {one}\n    memchat {other}")
    print(f"{sum(counts.values())} cases: {dict(counts)}")


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--work")
    parser.add_argument("--mem0-python", default=sys.executable)
    given = parser.parse_args(arguments)
    chosen: Callable[[], None] = (lambda: work(given.work)) if given.work else (lambda: compare(given.mem0_python))
    chosen()


if __name__ == "__main__":
    main()
