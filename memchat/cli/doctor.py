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
from memchat.doctor.database import FIX, Diagnosis, Health, examine, ok, problem, warning
from memchat.errors import ConfigError, MemchatError, StoreError
from memchat.llm.model_choice import choose_model
from memchat.text.plurals import pluralize

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
    errors = sum(one.health is Health.ERROR for one in found)
    warnings = sum(one.health is Health.WARNING for one in found)
    data: dict[str, Any] = {
        "healthy": not errors,
        "findings": [{**asdict(one), "health": str(one.health)} for one in found],
        "mended": repairs,
    }
    rows = [
        (one.check, str(one.health), one.message + (f" To fix it: {one.mend}" if one.mend else "")) for one in found
    ]
    counts = f"{pluralize(errors, 'error', 'errors')}, {pluralize(warnings, 'warning', 'warnings')}."
    shown: list[Block] = [
        *(Line(f"Repaired: {line}") for line in repairs),
        Table(("CHECK", "", "FINDING"), rows),
        Line(counts if errors or warnings else "No problems found.", "bold"),
    ]
    return Result(data, shown, as_json=as_json, exit_code=1 if errors else 0)


# Checks.


def _run_checks(settings: Settings, problems: list[ConfigError]) -> Iterator[Diagnosis]:
    from memchat.app import open_engine
    from memchat.doctor.index import examine_index
    from memchat.llm.builtin_fingerprint import FINGERPRINT

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
