"""`memchat doctor`: look for what is wrong, say what mends it, and mend what safely can be."""

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from memchat.cli.options import Json, announce
from memchat.cli.output import Block, Line, Result, Table
from memchat.config import Settings, examine_settings
from memchat.doctor import environment
from memchat.doctor.database import FIX, Diagnosis, Health, examine, ok, pluralize, problem, warning
from memchat.errors import ConfigError, MemchatError, StoreError
from memchat.llm.providers import choose_model
from memchat.storage.protocols import Engine

if TYPE_CHECKING:
    from memchat.app import App

Fix = Annotated[
    bool,
    typer.Option("--fix", help="Mend what can be made again without loss: permissions, words, vectors, the index."),
]


def doctor(*, fix: Fix = False, as_json: Json = False) -> Result:
    """Look at everything memchat stands on, and say what is wrong and which command mends it.

    Mends nothing without --fix. The exit code is 1 when there is an error; warnings leave it 0.

    With --json: {"healthy", "findings": [{"check", "health", "message", "mend"}], "mended": [sentences]}, where
    "health" is ok, warning or error.
    """
    settings, problems = examine_settings()
    found = list(_run_checks(settings, problems))
    mended: list[str] = []
    if fix:
        mended = list(_repair(settings, found))
        found = list(_run_checks(settings, problems)) if mended else found
    healthy = all(one.health is not Health.ERROR for one in found)
    data: dict[str, Any] = {
        "healthy": healthy,
        "findings": [{**asdict(one), "health": str(one.health)} for one in found],
        "mended": mended,
    }
    return Result(data, _shown(found, mended), as_json=as_json, exit_code=0 if healthy else 1)


# Looking.


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

    try:
        if not engine.exists:
            yield _missing(engine)
            return
        fingerprint = _fingerprint(settings, engine)
        with engine.inspect(fingerprint) as (database, index):
            yield from examine(database, fingerprint)
            yield from examine_index(index)
    except StoreError as error:
        backup = f"put a backup in the place of {engine.location}"
        yield problem("database", error.message, backup if "doctor" in (error.hint or "doctor") else error.hint)
    except OSError as error:
        yield problem("database", f"{engine.location} cannot be read: {error.strerror}.", "check MEMCHAT_HOME")


def _missing(engine: Engine) -> Diagnosis:
    if engine.has_index:
        message = f"{engine.location} is gone; there still is an index of what it held."
        return warning("database", message, "put it, or a backup, back in its place; if you removed it, nothing")
    return ok("database", f"There is none yet: {engine.location} is made with the first word.")


def _fingerprint(settings: Settings, engine: Engine) -> str:
    """That of the embedder in use. No embedder is asked who it is: that could cost money."""
    from memchat.llm.builtin_embedder import FINGERPRINT

    model = settings.embedding_model
    return (engine.fingerprint_of(model) or model) if model else FINGERPRINT


# Mending.


def _repair(settings: Settings, found: Sequence[Diagnosis]) -> Iterator[str]:
    """Do what `--fix` does about `found`, and say it."""
    ill = {one.check for one in found if one.mend is not None and FIX in one.mend}
    if "permissions" in ill and (done := environment.restrict_permissions(settings)):
        yield done
    ill.discard("permissions")
    if not ill:
        return
    from memchat.app import App

    # A damaged file may let none of it be done, which the next look says better.
    with suppress(StoreError), App(replace(settings, agents={}), on_retry=announce) as app:
        if "erasures" in ill:
            app.store.finish_erasures()
            yield "The erasure that was interrupted is finished."
        if "index" in ill and app.engine.drop_index():
            yield "The index was thrown away: the next chat builds it anew, or memchat reindex now."
        if ill - {"erasures", "index"}:
            yield from _rows_mended(app)


def _rows_mended(app: "App") -> Iterator[str]:
    from memchat.doctor.repairs import repair

    with app.engine.repairs(app.fingerprint) as repairs:
        try:
            yield from repair(repairs, lambda: app.embedder)
        except MemchatError as error:
            if isinstance(error, StoreError):
                raise
            yield f"No new vectors could be made: {error.message}"


# Telling.


def _shown(found: Sequence[Diagnosis], mended: Sequence[str]) -> Iterator[Block]:
    for line in mended:
        yield Line(f"Mended: {line}")
    yield Table(("CHECK", "", "FINDING"), [(one.check, str(one.health), _describe(one)) for one in found])
    ill = [one for one in found if one.health is not Health.OK]
    if not ill:
        yield Line("Everything is in order.", "bold")
        return
    errors = sum(one.health is Health.ERROR for one in ill)
    told = pluralize(errors, "error", "errors"), pluralize(len(ill) - errors, "warning", "warnings")
    yield Line(f"{', '.join(told)}.", "bold")


def _describe(one: Diagnosis) -> str:
    return one.message if one.mend is None else f"{one.message} To mend it: {one.mend}"
