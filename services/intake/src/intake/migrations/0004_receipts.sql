-- Accounts as billing told of them, each version from its event time on.
CREATE TABLE account_version (
    account_id text NOT NULL,
    since      timestamptz NOT NULL,
    content    text NOT NULL,
    PRIMARY KEY (account_id, since)
);

-- Every request that came, whatever became of it, and what was answered last. What was written in
-- it is here only while it is no ticket; `digest` tells a copy from another request of that name.
CREATE TABLE request (
    ticket_id   uuid PRIMARY KEY,
    account_id  text NOT NULL,
    outcome     text NOT NULL CHECK (outcome IN ('accepted', 'held', 'rejected')),
    curable     boolean NOT NULL,
    held_until  timestamptz,
    received_at timestamptz NOT NULL,
    digest      bytea NOT NULL,
    content     text,
    traceparent text,
    receipt     text NOT NULL
);
CREATE INDEX request_held ON request (held_until) WHERE outcome = 'held';
CREATE INDEX request_curable ON request (account_id, received_at) WHERE curable;

-- An answer is kept for whoever sends the same Idempotency-Key again.
CREATE TABLE answer (
    key         text PRIMARY KEY,
    fingerprint bytea NOT NULL,
    status      smallint NOT NULL,
    body        text NOT NULL,
    answered_at timestamptz NOT NULL
);
CREATE INDEX answer_age ON answer USING brin (answered_at);
