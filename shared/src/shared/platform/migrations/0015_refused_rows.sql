-- A row of the outbox that the broker refuses lies among the dead letters. It has no offset, for it
-- stands nowhere; and a partition only if it may stand on no other.
ALTER TABLE dead_letter
    ALTER COLUMN partition DROP NOT NULL,
    ALTER COLUMN record_offset DROP NOT NULL;
