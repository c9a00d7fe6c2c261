-- What is known of specialists and tickets

-- Names and addresses from the roster (specialists.v1). A specialist who left keeps a row without a
-- name and an address, so that an older record that arrives late does not bring them back.
CREATE TABLE specialist (
    specialist_id text PRIMARY KEY,
    name          text,
    mail          text,
    listed_at     timestamptz NOT NULL
);

-- Who has had a ticket, and since when; specialist_id is null while it has no specialist. The past
-- is kept, so that who had it at an instant does not depend on the order in which events arrive.
CREATE TABLE assignment (
    ticket_id     uuid NOT NULL,
    since         timestamptz NOT NULL,
    specialist_id text,
    PRIMARY KEY (ticket_id, since)
);

-- Which ticket waits for the call of another, and since when: the specialist of that other ticket
-- is notified of both.
CREATE TABLE ride (
    ticket_id uuid NOT NULL,
    since     timestamptz NOT NULL,
    joined    uuid NOT NULL,
    PRIMARY KEY (ticket_id, since)
);

-- Due times that changed after acceptance: messages sent later than that show the new one.
CREATE TABLE moved (
    ticket_id uuid NOT NULL,
    promise   text NOT NULL,
    due_at    timestamptz,          -- null while nothing is due
    moved_at  timestamptz NOT NULL, -- when the event was read
    PRIMARY KEY (ticket_id, promise)
);


-- Messages

-- One row for each recipient of each event. specialist_id is null for the team.
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

-- What is left to send, in order; empty when all is sent.
CREATE INDEX delivery_next_try_at ON delivery (next_try_at, delivery_id) WHERE state = 'pending';
