-- What every service's database has: the time, the inbox, the outbox.

-- The time by which promises are judged. A demo or a replay replaces this function to run
-- business time faster or step by step; production never does. Only the owner can.
CREATE FUNCTION premium_now() RETURNS timestamptz LANGUAGE sql STABLE AS 'SELECT now()';

CREATE TABLE inbox (
    event_id   uuid PRIMARY KEY,
    claimed_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX inbox_claimed_at ON inbox USING brin (claimed_at);

CREATE TABLE outbox (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    topic         text NOT NULL,
    key           bytea,
    value         bytea,
    header_names  text[] NOT NULL,
    header_values bytea[] NOT NULL,
    created_at    timestamptz NOT NULL DEFAULT now()
) WITH (
    -- Rows live for milliseconds: sweep their remains early, or the oldest are slow to find.
    autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000,
    autovacuum_vacuum_cost_delay = 0
);
