-- What the database of every service has. Applied before the service's own migrations.

-- The time by which promises are judged. A demo or a replay replaces this function to run
-- business time faster or step by step; production never does. Only the owner can.
CREATE FUNCTION premium_now() RETURNS timestamptz LANGUAGE sql STABLE AS 'SELECT now()';


-- Events in and out

-- Deduplication: an event is claimed in the transaction that handles it, and handled once.
CREATE TABLE processed_event (
    event_id   uuid PRIMARY KEY,
    claimed_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX processed_event_claimed_at ON processed_event USING brin (claimed_at);

-- How far each consumer has come, written in the transaction that handles the records: a database
-- that is restored to an earlier moment reads again what it lost. The digest is that of the last
-- record handled: a topic that was deleted and created again has another record there.
CREATE TABLE consumer_offset (
    consumer_group text NOT NULL,
    topic          text NOT NULL,
    partition      integer NOT NULL,
    record_offset  bigint NOT NULL,
    record_digest  bytea NOT NULL,
    PRIMARY KEY (consumer_group, topic, partition)
) WITH (fillfactor = 50); -- a small table updated by every batch: keep updates in the page

-- Events that are to be published, deleted once the broker has them.
CREATE TABLE outbox (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    topic      text NOT NULL,
    key        bytea,
    value      bytea,
    headers    text NOT NULL, -- JSON pairs of a name and a value: bytes read as Latin-1, or null
    partition  smallint,      -- where the event must stand whatever its key; null: by its key
    created_at timestamptz NOT NULL DEFAULT now()
) WITH (
    -- Rows live for milliseconds: vacuum often, or the oldest rows are slow to find.
    autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000,
    autovacuum_vacuum_cost_delay = 0
);

-- Records that can never be handled, byte for byte: here, where an erasure reaches them. The
-- topic of dead letters names only their place and reason. A row of the outbox that the broker
-- refused has no offset, and a partition only if it had one in the outbox.
CREATE TABLE dead_letter (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    topic         text NOT NULL,
    partition     integer,
    record_offset bigint,
    reason        text NOT NULL,
    detail        text NOT NULL,
    key           bytea,
    value         bytea,
    headers       text NOT NULL, -- as in the outbox
    parked_at     timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX dead_letter_parked_at ON dead_letter USING brin (parked_at);


-- Requests

-- What each request with an idempotency key led to: the same request sent again is answered from
-- it. Of a key only a digest is kept, for a sender may put anything into it; `fingerprint` is the
-- digest of the request.
CREATE TABLE idempotency_key (
    digest      text PRIMARY KEY,
    fingerprint bytea NOT NULL,
    outcome     text NOT NULL, -- JSON
    kept_at     timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX idempotency_key_kept_at ON idempotency_key USING brin (kept_at);

-- Locks a key until the transaction ends, if no other has locked it, and reads what it led to: in
-- one round trip, and the outcome as of after the lock, since each statement of a volatile function
-- has a snapshot of its own.
CREATE FUNCTION claim_idempotency_key(
    wanted text, OUT locked boolean, OUT fingerprint bytea, OUT outcome text
) LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    locked := pg_try_advisory_xact_lock(hashtextextended('idempotency_key/' || wanted, 0));
    SELECT kept.fingerprint, kept.outcome INTO fingerprint, outcome
    FROM idempotency_key AS kept WHERE kept.digest = wanted;
END $$;


-- Pages: sign-in links and sessions. Of each secret only the SHA-256 is kept, so that a reader of
-- the database cannot sign in as another person. Times are real time, not business time.

CREATE TABLE web_link (
    digest     bytea PRIMARY KEY,
    person     text NOT NULL,
    lead       boolean NOT NULL,
    expires_at timestamptz NOT NULL
);

CREATE TABLE web_session (
    digest   bytea PRIMARY KEY,
    person   text NOT NULL,
    lead     boolean NOT NULL,
    id_token text, -- ends the session at the OpenID provider; encrypted with the session's secret
    began_at timestamptz NOT NULL DEFAULT now(),
    seen_at  timestamptz NOT NULL DEFAULT now()
);


-- Access

-- Keys for the HTTP API. Of a key only the SHA-256 is kept; the prefix names it.
CREATE TABLE access_key (
    prefix       text PRIMARY KEY CHECK (prefix ~ '^[0-9A-Za-z]{8}$'),
    digest       bytea NOT NULL CHECK (octet_length(digest) = 32),
    tenant       text NOT NULL,
    name         text NOT NULL,
    slot         smallint NOT NULL CHECK (slot IN (1, 2)), -- two are valid at once, for rotation
    scopes       text[] NOT NULL,
    rate_per_s   integer NOT NULL CHECK (rate_per_s > 0),
    burst        integer NOT NULL CHECK (burst > 0),
    created_at   timestamptz NOT NULL DEFAULT now(),
    expires_at   timestamptz,
    revoked_at   timestamptz,
    last_used_at timestamptz
);
CREATE UNIQUE INDEX access_key_live ON access_key (tenant, name, slot) WHERE revoked_at IS NULL;

-- What keys may use: the sources of a tenant at intake, the specialists as whom it may act at
-- router, and the accounts to which a key is limited at sla-monitor, where the holder is the key
-- ('pk_' and its prefix) instead of its tenant. '*' is all of them.
CREATE TABLE access_owned (
    holder text,
    owned  text,
    PRIMARY KEY (holder, owned)
);

-- The service's role makes keys and revokes them, but cannot change what a key permits or delete
-- one: every key that was ever made stays in the list.
DO $$
DECLARE
    service name;
BEGIN
    FOR service IN
        SELECT DISTINCT grantee FROM information_schema.role_table_grants
        WHERE table_name IN ('access_key', 'access_owned') AND grantee <> current_user
    LOOP
        EXECUTE format('REVOKE ALL ON access_key, access_owned FROM %I', service);
        EXECUTE format('GRANT SELECT, INSERT ON access_key, access_owned TO %I', service);
        EXECUTE format('GRANT UPDATE (revoked_at, last_used_at) ON access_key TO %I', service);
    END LOOP;
END $$;
