-- The only place that holds what customers wrote; everybody else knows the ticket's id.
CREATE TABLE ticket (
    ticket_id        uuid PRIMARY KEY,
    source           text NOT NULL,
    external_id      text NOT NULL,
    account_id       text NOT NULL,
    requester_id     text NOT NULL,
    role             text NOT NULL,
    channel          text NOT NULL,
    severity         text NOT NULL,
    claimed_severity text NOT NULL,
    language         text NOT NULL,
    time_zone        text NOT NULL,
    subject          text NOT NULL,
    body             text NOT NULL,
    policy           text NOT NULL,
    promises         jsonb NOT NULL,
    create_date      timestamptz NOT NULL,
    accepted_at      timestamptz NOT NULL,
    UNIQUE (source, external_id)
);
