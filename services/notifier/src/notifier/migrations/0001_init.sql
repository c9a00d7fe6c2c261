-- Whom to write to: the roster as specialists.v1 tells it. Who left keeps a row without a name
-- and an address, so that an older record that comes late does not bring them back.
CREATE TABLE specialist (
    specialist_id text PRIMARY KEY,
    name          text,
    mail          text,
    listed_at     timestamptz NOT NULL
);

-- Who has had a ticket, and since when; nobody, when specialist_id is null. The past is kept, so
-- that who had it at an instant does not depend on the order in which facts come.
CREATE TABLE assignment (
    ticket_id     uuid NOT NULL,
    since         timestamptz NOT NULL,
    specialist_id text,
    PRIMARY KEY (ticket_id, since)
);

-- One row for what one person is told of one fact. specialist_id is null for the team.
CREATE TABLE delivery (
    delivery_id   uuid PRIMARY KEY,
    ticket_id     uuid NOT NULL,
    alert         text NOT NULL,
    specialist_id text,
    fact_type     text NOT NULL,
    fact          json NOT NULL,
    traceparent   text,
    planned_at    timestamptz NOT NULL,
    state         text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'sent', 'failed')),
    attempts      smallint NOT NULL DEFAULT 0,
    next_try_at   timestamptz NOT NULL DEFAULT now(),
    reason        text
) WITH (fillfactor = 80);

-- What is left to do, in order; empty when all is told.
CREATE INDEX delivery_next_try_at ON delivery (next_try_at, delivery_id) WHERE state = 'pending';
