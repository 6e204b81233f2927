"""Report the state of the index to `memchat doctor`, with the reason if it cannot be used."""

from memchat.storage.database import Database
from memchat.storage.index.config import IndexConfig
from memchat.storage.index.folder import inspect_index
from memchat.storage.index.manifest import read_manifest
from memchat.storage.index.verify import compare_isolated
from memchat.storage.position import position
from memchat.storage.results import IndexComparison, IndexFault, IndexState, UnusableIndex


class ChromaInspection:
    """Looks at the index of one database, without opening it in this process."""

    def __init__(self, config: IndexConfig, database: Database) -> None:
        self._config = config
        self._db = database
        self.database_name = str(config.database)

    def state(self) -> IndexState:
        return inspect_index(self._config)

    def explain_unusable(self) -> UnusableIndex:
        """Return the reason why an index that exists cannot be used."""
        index = self._config.index
        found = read_manifest(index)
        if found is None:
            return UnusableIndex(IndexFault.UNCLEAN if any(index.iterdir()) else IndexFault.EMPTY)
        manifest, now = found[0], position(self._db)
        fault = IndexFault.OTHER_STATE
        if manifest.fingerprint != self._config.fingerprint:
            fault = IndexFault.OTHER_EMBEDDER
        elif manifest.seq > now.seq or manifest.epoch > now.epoch:
            fault = IndexFault.NEWER
        return UnusableIndex(fault, manifest.fingerprint, manifest.seq, now.seq)

    def compare(self) -> IndexComparison:
        """Compare every record with the database."""
        return compare_isolated(self._config)
