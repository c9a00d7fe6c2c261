-- Who looked at what a customer wrote, by the prefix of their key.
CREATE TABLE details_read (
    ticket_id uuid NOT NULL,
    tenant    text NOT NULL,
    prefix    text NOT NULL,
    read_at   timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX details_read_ticket ON details_read (ticket_id);
