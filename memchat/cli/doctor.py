"""`memchat doctor`: find problems, say how to fix them, and repair what can be repaired safely."""

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from typing import Annotated, Any

import typer

from memchat.cli.options import Json, announce
from memchat.cli.output import Block, Line, Result, Table
from memchat.config import Settings, examine_settings
from memchat.doctor import environment
from memchat.doctor.database import FIX, Diagnosis, Health, examine, ok, pluralize, problem, warning
from memchat.errors import ConfigError, MemchatError, StoreError
from memchat.llm.providers import choose_model
from memchat.storage.protocols import Engine

Fix = Annotated[
    bool,
    typer.Option("--fix", help="Repair what can be rebuilt without loss: permissions, full-text, embeddings, index."),
]


def doctor(*, fix: Fix = False, as_json: Json = False) -> Result:
    """Check the installation, the settings and the data, and say how to fix each problem.

    Changes nothing without --fix. The exit code is 1 if there is an error; warnings leave it 0.

    With --json: {"healthy", "findings": [{"check", "health", "message", "mend"}], "mended": [sentences]}, where
    "health" is ok, warning or error.
    """
    settings, problems = examine_settings()
    found = list(_run_checks(settings, problems))
    repairs = list(_repair(settings, found)) if fix else []
    if repairs:
        found = list(_run_checks(settings, problems))
    healthy = all(one.health is not Health.ERROR for one in found)
    data: dict[str, Any] = {
        "healthy": healthy,
        "findings": [{**asdict(one), "health": str(one.health)} for one in found],
        "mended": repairs,
    }
    return Result(data, _report(found, repairs), as_json=as_json, exit_code=0 if healthy else 1)


# Checks.


def _run_checks(settings: Settings, problems: list[ConfigError]) -> Iterator[Diagnosis]:
    from memchat.app import open_engine

    yield from environment.program()
    yield from environment.settings_file(settings, problems)
    choice = choose_model(os.environ, explicit=settings.model)
    yield from environment.models(settings, choice.name, os.environ)
    engine = open_engine(settings)
    try:
        yield from environment.disk(settings, engine)
        yield from environment.permissions(settings, engine)
    except OSError as error:
        yield problem("permissions", f"{settings.home} cannot be used: {error.strerror}.", "check MEMCHAT_HOME")
    yield from _storage_checks(settings, engine)


def _storage_checks(settings: Settings, engine: Engine) -> Iterator[Diagnosis]:
    from memchat.doctor.index import examine_index
    from memchat.llm.builtin_fingerprint import FINGERPRINT

    try:
        if engine.exists:
            # The embedder is not called for its fingerprint: that could cost money.
            model = settings.embedding_model
            fingerprint = (engine.fingerprint_of(model) or model) if model else FINGERPRINT
            with engine.inspect(fingerprint) as (database, index):
                yield from examine(database, fingerprint)
                yield examine_index(index)
        elif engine.has_index:
            message = f"{engine.location} is missing, but its search index is still there."
            yield warning("database", message, "restore it or a backup of it; if you deleted it, do nothing")
        else:
            yield ok("database", f"There is no database yet. The first chat creates {engine.location}.")
    except StoreError as error:
        backup = f"replace {engine.location} with a backup"
        yield problem("database", error.message, backup if "doctor" in (error.hint or "doctor") else error.hint)
    except OSError as error:
        yield problem("database", f"{engine.location} cannot be read: {error.strerror}.", "check MEMCHAT_HOME")


# Repairs.


def _repair(settings: Settings, found: Sequence[Diagnosis]) -> Iterator[str]:
    """Repair what `--fix` can of `found`; yields a sentence for each repair."""
    failed = {one.check for one in found if one.mend is not None and FIX in one.mend}
    if "permissions" in failed and (done := environment.restrict_permissions(settings)):
        yield done
    failed.discard("permissions")
    if not failed:
        return
    from memchat.app import App
    from memchat.doctor.repairs import repair

    # In a damaged file every repair may fail; the checks that follow report that better.
    with suppress(StoreError), App(replace(settings, agents={}), on_retry=announce) as app:
        if "erasures" in failed:
            app.store.finish_erasures()
            yield "Finished the interrupted deletion."
        if "index" in failed and app.engine.drop_index():
            yield "Deleted the search index. The next chat rebuilds it; memchat reindex does it now."
        if failed - {"erasures", "index"}:
            with app.engine.repairs(app.fingerprint) as repairs:
                try:
                    yield from repair(repairs, lambda: app.embedder)
                except StoreError:
                    raise
                except MemchatError as error:
                    yield f"The embeddings could not be computed: {error.message}"


def _report(found: Sequence[Diagnosis], repairs: Sequence[str]) -> Iterator[Block]:
    for line in repairs:
        yield Line(f"Repaired: {line}")
    rows = [
        (one.check, str(one.health), one.message + (f" To fix it: {one.mend}" if one.mend else "")) for one in found
    ]
    yield Table(("CHECK", "", "FINDING"), rows)
    problems = [one for one in found if one.health is not Health.OK]
    if not problems:
        yield Line("No problems found.", "bold")
        return
    errors = sum(one.health is Health.ERROR for one in problems)
    counts = pluralize(errors, "error", "errors"), pluralize(len(problems) - errors, "warning", "warnings")
    yield Line(f"{', '.join(counts)}.", "bold")
