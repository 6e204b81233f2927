"""The migration to one spelling of names: merges the owners and conversations whose names differ only in Unicode form.

`composed` and `composed_id` are SQL functions of `database`, over `memchat.core.names`. A conversation whose composed
id is another user's gets its user's name as a suffix. A moved memory that says the same as another current one is
superseded by it. Vectors and terms of moved messages are dropped; the backlog makes them again.
"""

COMPOSE_NAMES = """
    CREATE TABLE renamed_sessions AS
        SELECT s.id AS old, composed(s.user) AS user, CASE
            WHEN EXISTS (SELECT 1 FROM sessions AS t WHERE t.id = composed_id(s.id)
                AND composed(t.user) <> composed(s.user))
            THEN composed_id(s.id) || '@' || composed(s.user) ELSE composed_id(s.id) END AS new
        FROM sessions AS s WHERE composed_id(s.id) <> s.id;
    DELETE FROM renamed_sessions WHERE EXISTS (
        SELECT 1 FROM renamed_sessions AS r WHERE r.new = renamed_sessions.new AND r.user <> renamed_sessions.user);
    INSERT OR IGNORE INTO sessions (id, user, agent, title, private, started_at, last_at, origin)
        SELECT r.new, s.user, s.agent, s.title, s.private, s.started_at, s.last_at, s.origin
        FROM sessions AS s JOIN renamed_sessions AS r ON r.old = s.id;
    UPDATE sessions SET user = composed(user), agent = composed(agent)
        WHERE user <> composed(user) OR agent <> composed(agent);
    UPDATE messages SET session_id = (SELECT new FROM renamed_sessions WHERE old = session_id)
        WHERE session_id IN (SELECT old FROM renamed_sessions);
    UPDATE work SET session_id = coalesce((SELECT new FROM renamed_sessions WHERE old = session_id), session_id),
        user = composed(user);
    DELETE FROM sessions WHERE id IN (SELECT old FROM renamed_sessions);

    UPDATE OR IGNORE owners SET name = composed(name) WHERE name <> composed(name)
        AND id = (SELECT min(o.id) FROM owners AS o
            WHERE o.kind = owners.kind AND composed(o.name) = composed(owners.name));
    CREATE TABLE merged_owners AS
        SELECT o.id AS old, t.id AS new FROM owners AS o JOIN owners AS t
        ON t.kind = o.kind AND t.name = composed(o.name) AND t.id <> o.id WHERE o.name <> composed(o.name);
    CREATE TABLE moved_memories AS
        SELECT number, coalesce((SELECT new FROM merged_owners WHERE old = owner), owner) AS owner,
            coalesce((SELECT new FROM renamed_sessions WHERE old = session_id), session_id) AS session_id
        FROM memories WHERE owner IN (SELECT old FROM merged_owners)
            OR session_id IN (SELECT old FROM renamed_sessions);
    UPDATE memories SET superseded_by = (
            SELECT t.id FROM moved_memories AS m, memories AS t LEFT JOIN moved_memories AS f ON f.number = t.number
            WHERE m.number = memories.number AND t.scope = memories.scope AND t.said = memories.said
            AND t.owner IN (SELECT m.owner UNION SELECT old FROM merged_owners WHERE new = m.owner)
            AND coalesce(f.session_id, t.session_id) = m.session_id AND t.superseded_by IS NULL AND t.verbatim = 0
            AND t.number <> memories.number AND (f.number IS NULL OR f.number < memories.number) LIMIT 1)
        WHERE number IN (SELECT number FROM moved_memories) AND superseded_by IS NULL AND verbatim = 0;
    UPDATE memories SET
        owner = (SELECT m.owner FROM moved_memories AS m WHERE m.number = memories.number),
        session_id = (SELECT m.session_id FROM moved_memories AS m WHERE m.number = memories.number)
        WHERE number IN (SELECT number FROM moved_memories);
    UPDATE memories SET evidence_session = (SELECT new FROM renamed_sessions WHERE old = evidence_session)
        WHERE evidence_session IN (SELECT old FROM renamed_sessions);
    UPDATE memories SET agent = composed(agent) WHERE agent <> composed(agent);
    UPDATE vectors SET owner = (SELECT owner FROM moved_memories WHERE number = vectors.number)
        WHERE number IN (SELECT number FROM moved_memories);
    UPDATE changes SET owner = (SELECT new FROM merged_owners WHERE old = owner)
        WHERE owner IN (SELECT old FROM merged_owners);
    DELETE FROM words WHERE rowid IN (SELECT number FROM moved_memories);
    INSERT INTO words (rowid, terms)
        SELECT number, terms_of_memory(owner, text, cues, coalesce(valid_from, substr(created_at, 1, 10)))
        FROM memories WHERE number IN (SELECT number FROM moved_memories);

    DELETE FROM message_words WHERE rowid IN (
        SELECT number FROM message_vectors WHERE owner IN (SELECT old FROM merged_owners));
    INSERT OR IGNORE INTO message_backlog (number, user)
        SELECT v.number, s.user FROM message_vectors AS v JOIN messages AS m ON m.number = v.number
        JOIN sessions AS s ON s.id = m.session_id WHERE v.owner IN (SELECT old FROM merged_owners);
    DELETE FROM message_vectors WHERE owner IN (SELECT old FROM merged_owners);
    UPDATE message_backlog SET user = composed(user) WHERE user <> composed(user);

    DELETE FROM owners WHERE id IN (SELECT old FROM merged_owners);
    UPDATE epoch SET number = number + 1
        WHERE EXISTS (SELECT 1 FROM moved_memories) OR EXISTS (SELECT 1 FROM renamed_sessions);
    DROP TABLE moved_memories;
    DROP TABLE merged_owners;
    DROP TABLE renamed_sessions;
"""
