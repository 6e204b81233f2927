"""Check the index against the database. Damage to it loses nothing, since it is built from the database."""

from memchat.doctor.database import FIX, Diagnosis, ok, restore, warning
from memchat.errors import StoreError
from memchat.storage.protocols import IndexInspection
from memchat.storage.results import IndexFault, Phase
from memchat.text.plurals import pluralize

BY_ITSELF = "The next chat rebuilds it"
NONE_YET = "There is no index yet; the next chat builds it."


def examine_index(inspection: IndexInspection) -> Diagnosis:
    """Report the state of the index."""
    try:
        state = inspection.state()
    except StoreError as error:
        return warning("index", f"{error.message} Recall works without the index.", error.hint)
    if state.phase is Phase.ABSENT:
        return ok("index", NONE_YET)
    if state.phase is Phase.ELSEWHERE:
        return ok("index", "Another memchat is using it and keeps it up to date.")
    if state.phase is not Phase.READY:
        return _explain_unusable(inspection)
    done = inspection.compare()
    if done.exit_code != 0:
        how = "in time" if done.exit_code is None else f"(the process that read it ended with status {done.exit_code})"
        return warning("index", f"It could not be read {how}. {BY_ITSELF}; nothing is lost.", FIX)
    if done.failure is not None:
        return warning("index", done.failure, None)
    if done.check is None:
        return ok("index", "Another memchat has just opened it.")
    surplus = {name: len(getattr(done.check, name)) for name in ("missing", "extra", "wrong")}
    if any(surplus.values()):
        counts = ", ".join(f"{count} {name}" for name, count in surplus.items())
        return warning("index", f"It differs from the database: {counts}.", FIX)
    return ok("index", f"It contains {pluralize(done.check.memories, 'memory', 'memories')}, like the database.")


def _explain_unusable(inspection: IndexInspection) -> Diagnosis:
    found = inspection.explain_unusable()
    if found.fault is IndexFault.EMPTY:
        return ok("index", NONE_YET)
    if found.fault is IndexFault.UNCLEAN:
        return warning("index", f"It was not closed cleanly, or is damaged. {BY_ITSELF}; nothing is lost.", FIX)
    if found.fault is IndexFault.OTHER_EMBEDDER:
        return warning("index", f"It was built with another embedder ({found.fingerprint}). {BY_ITSELF}.", FIX)
    if found.fault is IndexFault.NEWER:
        changes = f"It contains {found.indexed_changes} changes, the database {found.stored_changes}"
        backup = f"if you have just restored a backup: {FIX}; otherwise {restore(inspection.database_name)}"
        return warning("index", f"{changes}: the database is older, or lost some.", backup)
    return warning("index", f"It belongs to another state of the database. {BY_ITSELF}; nothing is lost.", FIX)
