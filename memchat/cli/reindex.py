"""`memchat reindex`: the index, and where the embedder has changed the vectors, made again."""

from typing import TYPE_CHECKING

from memchat.cli.formatting import pluralize
from memchat.cli.options import Json, open_app
from memchat.cli.output import Line, Result
from memchat.cli.progress import progress_bar
from memchat.errors import StoreBusy
from memchat.text.embedding import with_dimension

if TYPE_CHECKING:
    from memchat.app import App


def reindex(*, as_json: Json = False) -> Result:
    """Build the index anew from the database.

    After a change of the embedding model every memory is embedded with the new one first, in small batches: what was
    done stays done when this is interrupted, and the next run goes on from there.

    With --json: {"embedded", "messages", "indexed", "elsewhere"}; "elsewhere" says that another memchat has the index
    and builds it anew itself.
    """
    with open_app() as app:
        fingerprint, embedded = _embedded(app)
        messages = _messages(app)
        indexed, elsewhere = _indexed(app, fingerprint)
    data = {"embedded": embedded, "messages": messages, "indexed": indexed, "elsewhere": elsewhere}
    lines = [Line(f"{pluralize(embedded, 'memory', 'memories')} embedded with {fingerprint}.")] if embedded else []
    if messages:
        lines.append(Line(f"{pluralize(messages, 'message', 'messages')} made searchable."))
    if elsewhere:
        lines.append(Line("Another memchat is running and has the index: it builds it anew itself."))
    else:
        lines.append(Line(f"{pluralize(indexed, 'memory', 'memories')} indexed."))
    return Result(data, lines, as_json=as_json)


def _embedded(app: "App") -> tuple[str, int]:
    """Give every memory vectors of the embedder in use; returns its fingerprint and how many got new ones."""
    store = app.store
    embedder = app.embedder_provider.fresh_embedder()
    # The only command that asks: under the same name it may have become another one.
    fingerprint = with_dimension(embedder.fingerprint, embedder.dimension)
    app.embedder_provider.measure_scale()
    with progress_bar("Embedding") as progress:
        return fingerprint, store.vectors.renew(fingerprint, embedder, progress)


def _messages(app: "App") -> int:
    """Index every message that waits for it; returns how many."""
    if not app.settings.any_excerpts:
        return 0
    index, done = app.store.message_index, 0
    index.queue_foreign()
    waiting = index.backlog()
    with progress_bar("Messages") as progress:
        while count := index.index_next(None, app.embedder):
            done += count
            progress(done, max(done, waiting))
    return done


def _indexed(app: "App", fingerprint: str) -> tuple[int, bool]:
    try:
        with progress_bar("Indexing") as progress:
            return app.engine.rebuild_index(fingerprint, progress), False
    except StoreBusy:
        return 0, True
