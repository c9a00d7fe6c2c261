-- When a promise is due that is due otherwise than its ticket's acceptance said: what is mailed
-- later than that was read says so, too.
CREATE TABLE moved (
    ticket_id uuid NOT NULL,
    promise   text NOT NULL,
    due_at    timestamptz,          -- null while nothing is due
    moved_at  timestamptz NOT NULL, -- when it was read
    PRIMARY KEY (ticket_id, promise)
);
