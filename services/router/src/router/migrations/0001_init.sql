-- Who works here, what they can take, and every ticket as the router knows it.

CREATE TABLE specialist (
    specialist_id text PRIMARY KEY,
    name          text NOT NULL,
    languages     text[] NOT NULL,
    presence      text NOT NULL,
    listed_at     timestamptz NOT NULL, -- event time: an older roster record changes nothing
    removed       boolean NOT NULL
);

CREATE TABLE capacity (
    specialist_id text NOT NULL REFERENCES specialist,
    channel       text NOT NULL,
    capacity      integer NOT NULL CHECK (capacity >= 0),
    load          integer NOT NULL DEFAULT 0 CHECK (load >= 0),
    PRIMARY KEY (specialist_id, channel)
) WITH (fillfactor = 50); -- a small table updated by every batch: keep updates in the page

CREATE TABLE ticket (
    ticket_id       uuid PRIMARY KEY,
    -- What the request said; null until it comes, for later facts may overtake it.
    account_id      text,
    role            text,
    channel         text,
    severity        text,
    language        text,
    time_zone       text,
    create_date     timestamptz,
    due_at          timestamptz,
    -- The latest moment of each kind of fact, and the latest correction of the severity.
    latest          jsonb NOT NULL,
    reclassified_at timestamptz,
    reclassified_by uuid,
    reclassified_to text,
    -- Who has it, how often it was given to somebody, who gave it back.
    specialist_id   text REFERENCES specialist,
    assigned_count  integer NOT NULL,
    declined_by     jsonb NOT NULL,
    waiting_since   timestamptz,
    -- The queue: set while it needs a specialist and has none.
    waiting         boolean NOT NULL,
    base_language   text
) WITH (fillfactor = 80);

CREATE INDEX ticket_waiting ON ticket (channel, base_language, due_at, ticket_id) WHERE waiting;
CREATE INDEX ticket_held ON ticket (specialist_id) WHERE specialist_id IS NOT NULL;
