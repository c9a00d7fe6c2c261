-- Records that can never be handled, byte for byte: here, where an erasure reaches them. Kafka is
-- told of place and reason only. Headers are written as the outbox writes them.

CREATE TABLE dead_letter (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    topic         text NOT NULL,
    partition     integer NOT NULL,
    record_offset bigint NOT NULL,
    reason        text NOT NULL,
    detail        text NOT NULL,
    key           bytea,
    value         bytea,
    headers       text NOT NULL,
    parked_at     timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX dead_letter_parked_at ON dead_letter USING brin (parked_at);
