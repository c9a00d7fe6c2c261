-- Facts and clocks

-- All facts about each ticket: the state of its clocks is a pure function of them. They come from
-- several services, some of them late.
CREATE TABLE fact (
    ticket_id   uuid NOT NULL,
    fact_id     uuid NOT NULL,
    source      text NOT NULL,
    occurred_at timestamptz NOT NULL,
    learned_at  timestamptz NOT NULL,
    type        text NOT NULL,
    data        jsonb NOT NULL,
    traceparent text, -- of upstream's trace: what time alone brings later continues it
    PRIMARY KEY (ticket_id, fact_id)
);

-- A declared exception covers a ticket by its create date, whenever its clocks started.
CREATE INDEX fact_create_date ON fact (occurred_at, ticket_id)
    WHERE type = 'premium.ticket.accepted.v1';

-- There are millions of clocks: a value from a short list takes four bytes, and what only the
-- engine reads is compact JSON.
CREATE TYPE promise_kind AS ENUM (
    'first_response', 'next_response', 'resolution', 'callback', 'join');
CREATE TYPE promise_class AS ENUM ('guarantee', 'objective');
CREATE TYPE channel AS ENUM ('email', 'phone', 'chat');
CREATE TYPE severity AS ENUM ('standard', 'business_critical');
CREATE TYPE clock_state AS ENUM ('running', 'paused', 'met', 'cancelled');
CREATE TYPE cancellation AS ENUM ('closed', 'merged', 'erased', 'withdrawn');
CREATE TYPE broken AS ENUM ('breached', 'missed');

-- One row for each promise: its state as derived from the facts, and what has been announced of it.
CREATE TABLE clock (
    ticket_id     uuid NOT NULL,
    started_by    uuid NOT NULL,
    broken_id     uuid,
    started_at    timestamptz NOT NULL,
    due_at        timestamptz,
    settled_at    timestamptz,
    next_at       timestamptz, -- when there is something to announce; null: never, as it stands
    target_s      integer NOT NULL,
    warned_s      integer NOT NULL,
    kind          promise_kind NOT NULL,
    promise_class promise_class NOT NULL,
    channel       channel NOT NULL,
    severity      severity NOT NULL,
    state         clock_state NOT NULL,
    cancelled_for cancellation,
    broken        broken,
    partition     smallint NOT NULL,
    retractions   smallint NOT NULL,
    recurs        boolean NOT NULL DEFAULT false, -- not started by the request: a ticket may have
                                                  -- several of a kind, told apart by `started_by`
    exception     text,
    account_id    text NOT NULL,
    warnings      text NOT NULL, -- [[seconds of the target, microseconds from the start], …]
    phases        text NOT NULL, -- [[part, milliseconds from the start], …]
    PRIMARY KEY (ticket_id, kind, started_by)
) WITH (
    fillfactor = 90,
    -- A clock that fell due leaves a dead entry at the head of the index of timers, which every
    -- sweep steps over: do not wait until a fifth of millions of clocks is dead.
    autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 50000
);

-- The timers: they survive a crash, and a clock with nothing to announce costs nothing.
CREATE INDEX clock_next_at ON clock (partition, next_at) WHERE next_at IS NOT NULL;


-- Watermarks

-- Up to when each partition is evaluated and published as such, and how many of its clocks are
-- open. In two tables, because two sides write them: the sweep, and the handler of facts.
CREATE TABLE watermark (
    partition    smallint PRIMARY KEY,
    evaluated_to timestamptz,
    published_at      timestamptz
) WITH (fillfactor = 50);

CREATE TABLE open_clocks (
    partition smallint PRIMARY KEY,
    open      bigint NOT NULL
) WITH (fillfactor = 50);


-- Policies

-- When each policy whose exceptions are kept was published: an older record changes nothing.
CREATE TABLE policy_in_force (
    policy_id    text PRIMARY KEY,
    published_at timestamptz NOT NULL
);

-- The declared exceptions of each policy in force: inside one a guarantee is an objective.
CREATE TABLE exception_window (
    policy_id text NOT NULL,
    name      text NOT NULL,
    starts_at timestamptz NOT NULL,
    ends_at   timestamptz NOT NULL,
    content   text NOT NULL,
    PRIMARY KEY (policy_id, name)
);

-- A change of declared exceptions concerns every ticket created in their spans. They are evaluated
-- again a few hundred at a time, and this is how far that has come: a restart continues there.
CREATE TABLE reevaluation (
    reevaluation_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    policy_id       text NOT NULL,
    cause_id        uuid NOT NULL,
    caused_at       timestamptz NOT NULL,
    traceparent     text,
    starts_at       timestamptz NOT NULL,
    ends_at         timestamptz NOT NULL,
    done_to_at      timestamptz NOT NULL,
    done_to_id      uuid NOT NULL,
    done            bigint NOT NULL DEFAULT 0,
    started_at      timestamptz NOT NULL DEFAULT now(),
    finished_at     timestamptz
);
CREATE INDEX reevaluation_unfinished ON reevaluation (reevaluation_id) WHERE finished_at IS NULL;
