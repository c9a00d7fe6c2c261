-- Who lets offers ring is away until they come back; a ticket that nobody took rings again later.
-- On the roster's row, which no heartbeat writes: an open page does not undo what its owner did.
ALTER TABLE specialist
    ADD COLUMN auto_ring  boolean NOT NULL DEFAULT false, -- offers ring though they never signed in
    ADD COLUMN away       text CHECK (away IN ('said', 'unanswered')),
    ADD COLUMN unanswered integer NOT NULL DEFAULT 0; -- offers in a row that expired

ALTER TABLE ticket
    ADD COLUMN rounds   integer NOT NULL DEFAULT 0, -- how often it waited to ring again
    ADD COLUMN rings_at timestamptz; -- not before then at who declined it or let it ring
CREATE INDEX ticket_rang ON ticket (due_at) WHERE waiting AND rings_at IS NOT NULL;
