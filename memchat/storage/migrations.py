"""The database's schema as a list that only ever grows. `PRAGMA user_version` counts the migrations applied.

Times are ISO 8601 in UTC with microseconds, so that they sort as text; days are `YYYY-MM-DD`. Owners are users, agents,
and the conversations of library calls that give a run_id alone (kind `session`).
"""

from memchat.storage.name_migration import COMPOSE_NAMES

MIGRATIONS: tuple[tuple[str, str], ...] = (
    (
        "first schema",
        """
        CREATE TABLE owners (
            id INTEGER PRIMARY KEY,
            kind TEXT NOT NULL,
            name TEXT NOT NULL,
            UNIQUE (kind, name)
        ) STRICT;

        CREATE TABLE sessions (
            id TEXT PRIMARY KEY,
            user TEXT NOT NULL,
            agent TEXT,
            title TEXT NOT NULL DEFAULT '',
            private INTEGER NOT NULL DEFAULT 0,
            started_at TEXT NOT NULL,
            last_at TEXT NOT NULL
        ) STRICT;
        CREATE INDEX sessions_of_user ON sessions (user, last_at);
        CREATE INDEX sessions_with_agent ON sessions (agent) WHERE agent IS NOT NULL;

        CREATE TABLE messages (
            number INTEGER PRIMARY KEY,
            id TEXT NOT NULL UNIQUE,
            session_id TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
            role TEXT NOT NULL,
            text TEXT NOT NULL,
            created_at TEXT NOT NULL,
            status TEXT NOT NULL,
            model TEXT,
            recalled TEXT NOT NULL DEFAULT '[]'
        ) STRICT;
        CREATE INDEX messages_of_session ON messages (session_id, number);
        CREATE INDEX messages_with_recall ON messages (session_id) WHERE recalled <> '[]';

        CREATE TABLE memories (
            number INTEGER PRIMARY KEY,
            id TEXT NOT NULL UNIQUE,
            owner INTEGER NOT NULL REFERENCES owners (id),
            scope TEXT NOT NULL,
            session_id TEXT NOT NULL DEFAULT '',
            agent TEXT,
            text TEXT NOT NULL,
            said TEXT NOT NULL,
            category TEXT NOT NULL,
            metadata TEXT NOT NULL DEFAULT '{}',
            cues TEXT NOT NULL DEFAULT '[]',
            standing INTEGER NOT NULL DEFAULT 0,
            verbatim INTEGER NOT NULL DEFAULT 0,
            source TEXT NOT NULL,
            valid_from TEXT,
            valid_to TEXT,
            created_at TEXT NOT NULL,
            updated_at TEXT NOT NULL,
            confirmed_at TEXT,
            last_used_at TEXT,
            expires_at TEXT,
            superseded_by TEXT,
            mistaken INTEGER NOT NULL DEFAULT 0,
            doubtful INTEGER NOT NULL DEFAULT 0,
            message_id TEXT,
            evidence_session TEXT,
            quote TEXT,
            model TEXT
        ) STRICT;
        CREATE INDEX memories_of_owner ON memories (owner, superseded_by, number, session_id, expires_at);
        CREATE UNIQUE INDEX memories_once ON memories (owner, scope, session_id, said)
            WHERE superseded_by IS NULL AND verbatim = 0;
        CREATE INDEX memories_from_message ON memories (message_id) WHERE message_id IS NOT NULL;
        CREATE INDEX memories_replaced ON memories (superseded_by) WHERE superseded_by IS NOT NULL;
        CREATE INDEX memories_standing ON memories (owner) WHERE standing = 1;
        CREATE INDEX memories_bounded ON memories (owner)
            WHERE superseded_by IS NULL AND (session_id <> '' OR expires_at IS NOT NULL);
        CREATE INDEX memories_of_session ON memories (session_id) WHERE session_id <> '';
        CREATE INDEX memories_told_in ON memories (evidence_session) WHERE evidence_session IS NOT NULL;
        CREATE INDEX turns_of_owner ON memories (owner) WHERE verbatim = 1;
        CREATE INDEX memories_verbatim ON memories (evidence_session, number) WHERE verbatim = 1;

        CREATE TABLE vectors (
            number INTEGER PRIMARY KEY REFERENCES memories (number) ON DELETE CASCADE,
            owner INTEGER NOT NULL,
            fingerprint TEXT NOT NULL,
            kinds TEXT NOT NULL,
            rows BLOB NOT NULL
        ) STRICT;
        CREATE INDEX vectors_of_owner ON vectors (owner, number);

        CREATE TABLE changes (
            seq INTEGER PRIMARY KEY AUTOINCREMENT,
            memory_id TEXT NOT NULL,
            owner INTEGER NOT NULL,
            event TEXT NOT NULL,
            at TEXT NOT NULL,
            old_text TEXT,
            new_text TEXT,
            reason TEXT NOT NULL DEFAULT ''
        ) STRICT;
        CREATE INDEX changes_of_memory ON changes (memory_id, seq);
        CREATE INDEX changes_of_owner ON changes (owner, seq);

        CREATE TABLE work (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            session_id TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
            user_message_id TEXT NOT NULL UNIQUE REFERENCES messages (id) ON DELETE CASCADE,
            state TEXT NOT NULL DEFAULT 'waiting',
            attempts INTEGER NOT NULL DEFAULT 0,
            created_at TEXT NOT NULL,
            due_at TEXT NOT NULL,
            claim TEXT,
            claimed_until TEXT,
            error TEXT,
            instructions TEXT,
            metadata TEXT NOT NULL DEFAULT '{}',
            scope TEXT,
            infer INTEGER NOT NULL DEFAULT 1
        ) STRICT;
        CREATE INDEX work_due ON work (due_at);

        CREATE TABLE erasures (
            id INTEGER PRIMARY KEY,
            asked_at TEXT NOT NULL,
            index_dropped INTEGER NOT NULL DEFAULT 0,
            finished INTEGER NOT NULL DEFAULT 0
        ) STRICT;

        CREATE TABLE facts_about_store (
            name TEXT PRIMARY KEY,
            value TEXT NOT NULL
        ) STRICT, WITHOUT ROWID;

        CREATE VIRTUAL TABLE words USING fts5 (terms, tokenize = "porter unicode61 remove_diacritics 2 tokenchars '_'");
        """,
    ),
    (
        "each owner's words apart",
        """
        UPDATE words SET terms = ltrim(replace(
            substr(terms, instr(terms || ' ', ' ')),
            ' ',
            ' ' || substr(terms, 1, instr(terms || ' ', ' ') - 1) || '_'));
        """,
    ),
    (
        "messages that are kept out of memory",
        """
        ALTER TABLE messages ADD COLUMN private INTEGER NOT NULL DEFAULT 0;
        UPDATE messages SET private = 1 WHERE session_id IN (SELECT id FROM sessions WHERE private = 1);
        """,
    ),
    ("an end for what is learned later", "ALTER TABLE work ADD COLUMN expires_at TEXT;"),
    (
        "pending work by its person",
        """
        ALTER TABLE work ADD COLUMN user TEXT NOT NULL DEFAULT '';
        UPDATE work SET user = (SELECT user FROM sessions WHERE sessions.id = work.session_id)
            WHERE session_id IN (SELECT id FROM sessions);
        CREATE INDEX work_of_user ON work (user);
        """,
    ),
    ("vectors by their embedder", "CREATE INDEX vectors_of_embedder ON vectors (fingerprint);"),
    (
        "the planned end in a column",
        """
        ALTER TABLE changes ADD COLUMN planned_end TEXT;
        UPDATE changes SET
            planned_end = substr(reason, -10),
            reason = substr(reason, 1, max(length(reason) - length('; it was to end on YYYY-MM-DD'), 0))
            WHERE event = 'END' AND (reason GLOB 'it was to end on [0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]'
                OR reason GLOB '*; it was to end on [0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]');
        """,
    ),
    (
        "an epoch for caches",
        """
        CREATE TABLE epoch (
            id INTEGER PRIMARY KEY CHECK (id = 1),
            number INTEGER NOT NULL
        ) STRICT;
        INSERT INTO epoch (id, number) SELECT 1, coalesce(max(id), 0) FROM erasures;
        DROP TABLE facts_about_store;
        """,
    ),
    ("where a conversation was held", "ALTER TABLE sessions ADD COLUMN origin TEXT NOT NULL DEFAULT '';"),
    (
        "messages found by meaning and by words",
        """
        CREATE TABLE message_vectors (
            seq INTEGER PRIMARY KEY AUTOINCREMENT,
            number INTEGER NOT NULL UNIQUE REFERENCES messages (number) ON DELETE CASCADE,
            owner INTEGER NOT NULL,
            fingerprint TEXT NOT NULL,
            rows BLOB NOT NULL
        ) STRICT;
        CREATE INDEX message_vectors_of_owner ON message_vectors (owner, fingerprint, seq, number);

        CREATE VIRTUAL TABLE message_words
            USING fts5 (terms, tokenize = "porter unicode61 remove_diacritics 2 tokenchars '_'");

        CREATE TABLE message_backlog (
            number INTEGER PRIMARY KEY REFERENCES messages (number) ON DELETE CASCADE,
            user TEXT NOT NULL
        ) STRICT;
        CREATE INDEX message_backlog_of_user ON message_backlog (user, number);
        INSERT INTO message_backlog (number, user)
            SELECT m.number, s.user FROM messages AS m JOIN sessions AS s ON s.id = m.session_id
            WHERE m.private = 0 AND m.text <> '';

        CREATE TRIGGER message_added AFTER INSERT ON messages WHEN new.private = 0 AND new.text <> ''
        BEGIN
            INSERT OR IGNORE INTO message_backlog (number, user)
                SELECT new.number, user FROM sessions WHERE id = new.session_id;
        END;
        CREATE TRIGGER message_changed AFTER UPDATE OF text ON messages
        BEGIN
            DELETE FROM message_words WHERE rowid = new.number;
            DELETE FROM message_vectors WHERE number = new.number OR number = (
                SELECT min(number) FROM messages
                WHERE session_id = new.session_id AND number > new.number AND private = 0);
            INSERT OR IGNORE INTO message_backlog (number, user)
                SELECT m.number, s.user FROM messages AS m JOIN sessions AS s ON s.id = m.session_id
                WHERE m.private = 0 AND m.text <> '' AND m.number IN (new.number, (
                    SELECT min(number) FROM messages
                    WHERE session_id = new.session_id AND number > new.number AND private = 0));
        END;
        CREATE TRIGGER message_deleted AFTER DELETE ON messages
        BEGIN
            DELETE FROM message_words WHERE rowid = old.number;
        END;
        """,
    ),
    (
        "how a model's answers turn out when it extracts",
        """
        CREATE TABLE extraction_forms (
            model TEXT PRIMARY KEY,
            unusable INTEGER NOT NULL
        ) STRICT;
        """,
    ),
    (
        "words of every script",
        """
        DELETE FROM words WHERE rowid IN (SELECT number FROM memories WHERE text || cues GLOB '*[^ -~]*');
        INSERT INTO words (rowid, terms)
            SELECT number, terms_of_memory(owner, text, cues, coalesce(valid_from, substr(created_at, 1, 10)))
            FROM memories WHERE text || cues GLOB '*[^ -~]*';
        """,
    ),
    (
        "the scale of each embedder's cosines",
        """
        CREATE TABLE cosine_scales (
            fingerprint TEXT PRIMARY KEY,
            unrelated REAL NOT NULL,
            dividing REAL NOT NULL
        ) STRICT;
        """,
    ),
    ("names in one Unicode form", COMPOSE_NAMES),
    (
        "edits of memories, found by owner",
        """
        CREATE INDEX IF NOT EXISTS edits_of_owner ON changes (owner, seq) WHERE old_text <> new_text;
        """,
    ),
    (
        "tokens spent, and how long conversations are",
        """
        CREATE TABLE IF NOT EXISTS usage (
            id INTEGER PRIMARY KEY,
            user TEXT NOT NULL,
            agent TEXT NOT NULL,
            day TEXT NOT NULL,
            purpose TEXT NOT NULL,
            model TEXT NOT NULL,
            calls INTEGER NOT NULL,
            estimated INTEGER NOT NULL,
            prompt_tokens INTEGER NOT NULL,
            completion_tokens INTEGER NOT NULL,
            saved_tokens INTEGER NOT NULL,
            UNIQUE (user, agent, day, purpose, model)
        ) STRICT;

        CREATE TABLE IF NOT EXISTS conversation_sizes (
            session_id TEXT PRIMARY KEY REFERENCES sessions (id) ON DELETE CASCADE,
            user TEXT NOT NULL,
            agent TEXT NOT NULL,
            bytes INTEGER NOT NULL
        ) STRICT;
        CREATE INDEX IF NOT EXISTS conversation_sizes_of_user ON conversation_sizes (user, agent, bytes);
        DELETE FROM conversation_sizes;
        INSERT INTO conversation_sizes (session_id, user, agent, bytes)
            SELECT s.id, s.user, coalesce(s.agent, ''), sum(length(CAST(m.text AS BLOB)))
            FROM sessions AS s JOIN messages AS m ON m.session_id = s.id WHERE m.private = 0 GROUP BY s.id;

        CREATE TRIGGER IF NOT EXISTS size_grows AFTER INSERT ON messages WHEN new.private = 0
        BEGIN
            INSERT INTO conversation_sizes (session_id, user, agent, bytes)
                SELECT id, user, coalesce(agent, ''), length(CAST(new.text AS BLOB))
                FROM sessions WHERE id = new.session_id
                ON CONFLICT (session_id) DO UPDATE SET bytes = bytes + excluded.bytes;
        END;
        CREATE TRIGGER IF NOT EXISTS size_changes AFTER UPDATE OF text ON messages WHEN new.private = 0
        BEGIN
            UPDATE conversation_sizes
                SET bytes = bytes + length(CAST(new.text AS BLOB)) - length(CAST(old.text AS BLOB))
                WHERE session_id = new.session_id;
        END;
        CREATE TRIGGER IF NOT EXISTS size_shrinks AFTER DELETE ON messages WHEN old.private = 0
        BEGIN
            UPDATE conversation_sizes SET bytes = bytes - length(CAST(old.text AS BLOB))
                WHERE session_id = old.session_id;
        END;
        """,
    ),
    (
        "jobs that compare added memories with others",
        """
        CREATE TABLE work_of_two_kinds (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            user TEXT NOT NULL DEFAULT '',
            session_id TEXT REFERENCES sessions (id) ON DELETE CASCADE,
            user_message_id TEXT UNIQUE REFERENCES messages (id) ON DELETE CASCADE,
            memory_id TEXT UNIQUE REFERENCES memories (id) ON DELETE CASCADE,
            state TEXT NOT NULL DEFAULT 'waiting',
            attempts INTEGER NOT NULL DEFAULT 0,
            created_at TEXT NOT NULL,
            due_at TEXT NOT NULL,
            claim TEXT,
            claimed_until TEXT,
            error TEXT,
            instructions TEXT,
            metadata TEXT NOT NULL DEFAULT '{}',
            scope TEXT,
            infer INTEGER NOT NULL DEFAULT 1,
            expires_at TEXT,
            CHECK ((memory_id IS NULL) = (session_id IS NOT NULL AND user_message_id IS NOT NULL))
        ) STRICT;
        INSERT INTO work_of_two_kinds (id, user, session_id, user_message_id, state, attempts, created_at, due_at,
            claim, claimed_until, error, instructions, metadata, scope, infer, expires_at)
            SELECT id, user, session_id, user_message_id, state, attempts, created_at, due_at,
                claim, claimed_until, error, instructions, metadata, scope, infer, expires_at FROM work
            WHERE session_id IN (SELECT id FROM sessions) AND user_message_id IN (SELECT id FROM messages);
        DROP TABLE work;
        ALTER TABLE work_of_two_kinds RENAME TO work;
        CREATE INDEX work_due ON work (due_at);
        CREATE INDEX work_of_user ON work (user);
        CREATE INDEX work_of_session ON work (session_id) WHERE session_id IS NOT NULL;
        """,
    ),
)
