-- How far each consumer has come, written in the transaction that handles the records: a database
-- that is restored to an earlier moment reads again what it lost. The digest is that of the last
-- record handled: a topic that was deleted and created again has another record there.
CREATE TABLE consumer_offset (
    consumer_group text NOT NULL,
    topic          text NOT NULL,
    partition      integer NOT NULL,
    record_offset  bigint NOT NULL,
    record_digest  bytea NOT NULL,
    PRIMARY KEY (consumer_group, topic, partition)
) WITH (fillfactor = 50); -- a small table updated by every batch: keep updates in the page
