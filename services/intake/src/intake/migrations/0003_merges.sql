-- Which tickets were merged into others: a duplicate's request may come after the news of it.
CREATE TABLE merge (
    ticket_id   uuid NOT NULL,
    into_id     uuid NOT NULL,
    document_id uuid PRIMARY KEY,
    occurred_at timestamptz NOT NULL
);
CREATE INDEX merge_ticket ON merge (ticket_id);
