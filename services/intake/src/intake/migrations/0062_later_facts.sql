-- What was told of requests later: the same said twice is one, a reply to a ticket that was merged
-- counts for the one that stays, and what the customer wrote is kept until it is erased.
CREATE TABLE later_fact (
    fact_id     uuid PRIMARY KEY,
    ticket_id   uuid NOT NULL,             -- of which it was told
    counts_for  uuid NOT NULL,             -- the ticket that stays, where that one was merged
    occurred_at timestamptz NOT NULL,
    type        text NOT NULL,
    event       text NOT NULL,
    body        text NOT NULL DEFAULT '',
    traceparent text
);
CREATE INDEX later_fact_ticket ON later_fact (ticket_id);
CREATE INDEX later_fact_counts_for ON later_fact (counts_for);

-- A merge counts once both tickets are known.
ALTER TABLE merge ADD COLUMN counts boolean NOT NULL DEFAULT true;
ALTER TABLE merge ADD COLUMN traceparent text;
ALTER TABLE merge ALTER COLUMN counts DROP DEFAULT;
CREATE INDEX merge_waits ON merge (into_id) WHERE NOT counts;

ALTER TABLE ticket ADD COLUMN reopen_within_s integer NOT NULL DEFAULT 2592000;
