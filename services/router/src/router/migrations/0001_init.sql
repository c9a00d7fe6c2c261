-- The roster

CREATE TABLE specialist (
    specialist_id text PRIMARY KEY,
    name          text NOT NULL,
    listed_at     timestamptz NOT NULL, -- event time: an older entry has no effect
    removed       boolean NOT NULL,
    -- Qualifications.
    languages     text[] NOT NULL,
    levels        jsonb NOT NULL DEFAULT '{}', -- of each language, from 1 to 5
    skills        text[] NOT NULL DEFAULT '{}',
    team          text,
    certified     boolean NOT NULL DEFAULT true,
    universal     integer CHECK (universal >= 0), -- capacity of all channels together, weighted
    weights       jsonb NOT NULL DEFAULT '{}',    -- of each channel in `universal`; without one: 1
    -- Availability. Heartbeats do not write to this table, so that an open page cannot undo what
    -- its owner did.
    presence      text NOT NULL,
    shifts        jsonb,
    on_shift      boolean NOT NULL DEFAULT true,
    turns_at      timestamptz, -- when on_shift changes next; null: never
    auto_ring     boolean NOT NULL DEFAULT false, -- gets offers without having signed in
    away          text CHECK (away IN ('said', 'unanswered')), -- until they return
    unanswered    integer NOT NULL DEFAULT 0 -- offers in a row that expired
);
CREATE INDEX specialist_turns ON specialist (turns_at) WHERE turns_at IS NOT NULL;

-- The presence that a specialist's heartbeats report. A table of its own, because it is written
-- every few seconds.
CREATE TABLE presence (
    specialist_id  text PRIMARY KEY REFERENCES specialist,
    said           text,       -- null: never signed in, or removed since
    presence_until timestamptz -- then offline, unless renewed
) WITH (fillfactor = 50);
CREATE INDEX presence_lapses ON presence (presence_until) WHERE presence_until IS NOT NULL;

CREATE TABLE capacity (
    specialist_id text NOT NULL REFERENCES specialist,
    channel       text NOT NULL,
    capacity      integer NOT NULL CHECK (capacity >= 0),
    load          integer NOT NULL DEFAULT 0 CHECK (load >= 0),
    last_at       timestamptz, -- when they were last assigned a ticket of this channel
    PRIMARY KEY (specialist_id, channel)
) WITH (fillfactor = 50); -- every batch updates this small table: leave room for updates in place

-- No load may exceed a capacity, whatever a router has cached. Triggers instead of checks, because
-- the roster may lower a capacity below the present load; only a higher load is refused then.
CREATE FUNCTION refuse_overload() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE check_violation USING MESSAGE = format(
        '%s would hold %s on %s and can hold %s',
        NEW.specialist_id, NEW.load, NEW.channel, NEW.capacity);
END $$;
CREATE TRIGGER capacity_is_kept BEFORE UPDATE ON capacity FOR EACH ROW
    WHEN (NEW.load > OLD.load AND NEW.load > greatest(NEW.capacity, OLD.capacity))
    EXECUTE FUNCTION refuse_overload();

CREATE FUNCTION refuse_universal_overload() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    most integer;
    held bigint;
BEGIN
    SELECT universal, (
        SELECT sum(load * coalesce((weights ->> channel)::int, 1)) FROM capacity AS c
        WHERE c.specialist_id = s.specialist_id)
    INTO most, held FROM specialist AS s
    WHERE s.specialist_id = NEW.specialist_id AND universal IS NOT NULL;
    IF held > most THEN
        RAISE check_violation USING MESSAGE = format(
            '%s would hold %s across channels and can hold %s', NEW.specialist_id, held, most);
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER universal_capacity_is_kept AFTER UPDATE ON capacity
    FOR EACH ROW WHEN (NEW.load > OLD.load) EXECUTE FUNCTION refuse_universal_overload();

-- The specialists that each transaction changed, and the pools in which a ticket waited for the
-- first time. A router updates its cache with the changes after the last version that it has read.
CREATE TABLE roster_change (
    version        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    specialist_ids text[] NOT NULL,
    pools          text[] NOT NULL
);


-- Tickets

CREATE TABLE ticket (
    ticket_id       uuid PRIMARY KEY,
    traceparent     text, -- of the request; events of timers continue it
    -- The request; null until it arrives, because later facts may arrive first.
    account_id      text,
    role            text,
    channel         text,
    severity        text,
    language        text,
    base_language   text,
    time_zone       text,
    create_date     timestamptz,
    -- The latest correction of the severity, and which severity a specialist confirmed.
    reclassified_at timestamptz,
    reclassified_by uuid,
    reclassified_to text,
    confirmed       text,
    -- The clocks by discriminator, as accepted or as sla-monitor last published them, and the
    -- earliest due time of the open ones.
    clocks          jsonb NOT NULL DEFAULT '{}',
    due_at          timestamptz,
    -- The facts of a ticket's lifecycle, and the status that follows from them.
    facts           jsonb NOT NULL DEFAULT '[]',
    released        boolean NOT NULL DEFAULT false,
    state           text NOT NULL DEFAULT '',
    answered_at     timestamptz,
    asked_at        timestamptz, -- the customer's first message that is not answered yet
    answered_by     text,        -- its specialist when it was last answered
    -- Assignment; declined_by: who declined it or handed it back.
    specialist_id   text REFERENCES specialist,
    assigned_count  integer NOT NULL,
    declined_by     jsonb NOT NULL,
    hand_back_at    timestamptz, -- taken from an absent specialist then, unless they return
    pinned_to       text REFERENCES specialist,
    joined_to       uuid, -- the ticket whose call answers this one as well
    -- The queue: set while it needs a specialist and has none.
    waiting         boolean NOT NULL,
    waiting_since   timestamptz,
    pool            text,        -- tickets of one pool have the same requirements
    rank_at         timestamptz, -- the order of work
    held_until      timestamptz, -- reopened: assigned once its clock is known, or then
    again_at        timestamptz DEFAULT now(), -- when its requirements are lowered next
    -- Offers.
    offered_count   integer NOT NULL DEFAULT 0,
    excluded_until  jsonb NOT NULL DEFAULT '{}', -- until when each specialist gets no offer
    rounds          integer NOT NULL DEFAULT 0,  -- how often it waited to be offered again
    rings_at        timestamptz, -- no earlier offer to those who declined it or let it expire
    wakes_at        timestamptz DEFAULT now() -- when its next timer is due
) WITH (fillfactor = 80);

CREATE INDEX ticket_waiting ON ticket (pool, rank_at, ticket_id) WHERE waiting;
CREATE INDEX ticket_held ON ticket (specialist_id) WHERE specialist_id IS NOT NULL;
CREATE INDEX ticket_wakes ON ticket (wakes_at) WHERE wakes_at IS NOT NULL;
-- Waiting tickets by due time, regardless of the order of work.
CREATE INDEX ticket_due ON ticket (channel, base_language, due_at) WHERE waiting;
-- Answered tickets to which the customer may reply.
CREATE INDEX ticket_answered ON ticket (answered_by, answered_at) WHERE state = 'answered';
-- Tickets that wait after no specialist accepted them.
CREATE INDEX ticket_rang ON ticket (due_at) WHERE waiting AND rings_at IS NOT NULL;

-- The history that the inbox shows: every event of a ticket once, however often it is read.
CREATE TABLE ticket_history (
    ticket_id     uuid NOT NULL,
    fact_id       uuid,
    at            timestamptz NOT NULL,
    type          text NOT NULL, -- of the event, as in the catalogue
    specialist_id text,          -- of the event, or who had the ticket then
    fact          jsonb NOT NULL,
    -- Open pages poll by this: ids and times become visible out of order, transactions older than
    -- the oldest running one do not.
    tx            xid8 NOT NULL DEFAULT pg_current_xact_id()
);
CREATE UNIQUE INDEX ticket_history_once ON ticket_history (ticket_id, fact_id);
CREATE INDEX ticket_history_of_ticket ON ticket_history (ticket_id, at);
CREATE INDEX ticket_history_of_specialist ON ticket_history (specialist_id, at)
    WHERE specialist_id IS NOT NULL;
CREATE INDEX ticket_history_tx ON ticket_history (tx);


-- Matching and offers

-- The specialist who last had a ticket of each account.
CREATE TABLE account_affinity (
    account_id    text PRIMARY KEY,
    specialist_id text NOT NULL,
    at            timestamptz NOT NULL
) WITH (fillfactor = 80);

-- Why each assignment decision was made.
CREATE TABLE decision (
    ticket_id   uuid NOT NULL,
    decision_id uuid NOT NULL,
    decided_at  timestamptz NOT NULL,
    record      text NOT NULL,
    PRIMARY KEY (ticket_id, decision_id)
);
CREATE INDEX decision_decided_at ON decision USING brin (decided_at);

-- The operator's rules for offers: one row, or none if the built-in rules are in force.
CREATE TABLE rules (
    only_one boolean PRIMARY KEY DEFAULT true CHECK (only_one),
    document jsonb NOT NULL
);

-- An offer rings at one specialist until it is accepted, declined or withdrawn, or its lease ends.
CREATE TABLE offer (
    offer_id      uuid PRIMARY KEY,
    ticket_id     uuid NOT NULL REFERENCES ticket,
    specialist_id text NOT NULL REFERENCES specialist,
    offered_at    timestamptz NOT NULL,
    lease_ends_at timestamptz NOT NULL,
    state         text NOT NULL,
    settled_at    timestamptz,
    CHECK (state IN ('open', 'accepted', 'declined', 'expired', 'withdrawn')),
    CHECK ((state = 'open') = (settled_at IS NULL))
);
-- A ticket rings at one specialist at a time, even if the lock on matching failed.
CREATE UNIQUE INDEX offer_open ON offer (ticket_id) WHERE state = 'open';
CREATE INDEX offer_rings ON offer (specialist_id) WHERE state = 'open';

-- The executed commands of specialists and leads, with their outcomes.
CREATE TABLE act (
    act_id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind          text NOT NULL,
    subject       uuid NOT NULL, -- the ticket, or the offer
    actor         text NOT NULL,
    at            timestamptz NOT NULL,
    from_id       text,
    to_id         text,
    reason        text,
    ticket_id     uuid NOT NULL REFERENCES ticket,
    outcome       text NOT NULL,
    specialist_id text -- who then had the ticket or was offered it
);
CREATE INDEX act_again ON act (subject, kind, actor);
CREATE INDEX act_of_ticket ON act (ticket_id);


-- Callbacks

-- The requests in the ledgers of callbacks. Only intake stores telephone numbers: `number_key` is a
-- keyed digest, deleted when the requester is erased. The ledger's id does not reveal the number.
CREATE TABLE callback_request (
    ticket_id       uuid PRIMARY KEY,
    ledger          uuid NOT NULL,
    number_key      text,
    at              timestamptz NOT NULL,
    due_at          timestamptz,
    owed            boolean NOT NULL, -- false: the ticket only has the customer's number
    dialled         boolean NOT NULL,
    open            boolean NOT NULL, -- a call is still owed
    remind_at       timestamptz,      -- when to remind of the planned dial
    reopen_within_s integer NOT NULL DEFAULT 2592000 -- a reply within it reopens ticket and call
);
CREATE INDEX callback_request_ledger ON callback_request (ledger);
CREATE INDEX callback_request_number ON callback_request (number_key) WHERE number_key IS NOT NULL;
CREATE INDEX callback_request_open ON callback_request (at) WHERE open;
CREATE INDEX callback_request_reminder ON callback_request (remind_at) WHERE remind_at IS NOT NULL;

-- The facts about the tickets of the ledgers, and each attempt to call.
CREATE TABLE callback_fact (
    fact_id       uuid PRIMARY KEY,
    ticket_id     uuid NOT NULL,
    at            timestamptz NOT NULL,
    kind          text NOT NULL,
    specialist_id text,
    outcome       text
);
CREATE INDEX callback_fact_ticket ON callback_fact (ticket_id);


-- Coverage

-- For each channel and language in which a ticket ever waited: when a qualified specialist is next
-- on shift. Promises due by then are infeasible; `published_until` is how far that is published.
CREATE TABLE coverage (
    channel       text NOT NULL,
    base_language text NOT NULL,
    opens_at      timestamptz NOT NULL,
    spoken        text NOT NULL,
    published_until    timestamptz NOT NULL,
    PRIMARY KEY (channel, base_language)
);

-- The tickets that were published as infeasible.
CREATE TABLE infeasible (
    ticket_id     uuid PRIMARY KEY,
    channel       text NOT NULL,
    base_language text NOT NULL,
    due_at        timestamptz NOT NULL
);
CREATE INDEX infeasible_due ON infeasible (channel, base_language, due_at);
