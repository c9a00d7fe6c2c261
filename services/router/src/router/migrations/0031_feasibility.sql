-- For each channel and language in which anybody ever waited: from when on somebody will be there.
-- What is due by then is infeasible; `told_until` says how far that was told.
CREATE TABLE outlook (
    channel       text NOT NULL,
    base_language text NOT NULL,
    opens_at      timestamptz NOT NULL,
    spoken        text NOT NULL,
    told_until    timestamptz NOT NULL,
    PRIMARY KEY (channel, base_language)
);

-- The tickets that were told to be infeasible.
CREATE TABLE infeasible (
    ticket_id     uuid PRIMARY KEY,
    channel       text NOT NULL,
    base_language text NOT NULL,
    due_at        timestamptz NOT NULL
);
CREATE INDEX infeasible_due ON infeasible (channel, base_language, due_at);

-- Who waits, by when it is due: whatever the order of work is.
CREATE INDEX ticket_due ON ticket (channel, base_language, due_at) WHERE waiting;
