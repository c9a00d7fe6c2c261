-- Which ticket waits for the call of another, and since when: who has that one is told of both.
CREATE TABLE ride (
    ticket_id uuid NOT NULL,
    since     timestamptz NOT NULL,
    joined    uuid NOT NULL,
    PRIMARY KEY (ticket_id, since)
);
