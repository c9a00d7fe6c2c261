-- A kind of promise may recur on a ticket, time is told in parts, and silence is proven.
-- Before the first release: clocks of a stack made earlier are not carried over.
DROP TABLE clock;
TRUNCATE fact;

-- Facts come from several services, and some come late.
ALTER TABLE fact
    ADD COLUMN source text NOT NULL,
    ADD COLUMN learned_at timestamptz NOT NULL;

-- There are millions of clocks: what has few values takes four bytes, and what only the engine
-- reads is compact JSON.
CREATE TYPE promise_kind AS ENUM (
    'first_response', 'next_response', 'resolution', 'callback', 'join');
CREATE TYPE promise_class AS ENUM ('guarantee', 'objective');
CREATE TYPE channel AS ENUM ('email', 'phone', 'chat');
CREATE TYPE severity AS ENUM ('standard', 'business_critical');
CREATE TYPE clock_state AS ENUM ('running', 'paused', 'met', 'cancelled');
CREATE TYPE cancellation AS ENUM ('closed', 'merged', 'erased', 'withdrawn');
CREATE TYPE broken AS ENUM ('breached', 'missed');

-- One row a promise: what the facts come to, and what has been announced of it.
CREATE TABLE clock (
    ticket_id     uuid NOT NULL,
    started_by    uuid NOT NULL,
    broken_id     uuid,
    started_at    timestamptz NOT NULL,
    due_at        timestamptz,
    settled_at    timestamptz,
    next_at       timestamptz,
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
    exception     text,
    account_id    text NOT NULL,
    warnings      text NOT NULL, -- [[seconds of the target, microseconds from the start], …]
    phases        text NOT NULL, -- [[part, milliseconds from the start], …]
    PRIMARY KEY (ticket_id, kind, started_by)
) WITH (fillfactor = 90);

-- The timer wheel: survives a crash, and costs nothing for a clock with nothing to announce.
CREATE INDEX clock_next_at ON clock (partition, next_at) WHERE next_at IS NOT NULL;

-- What has been said of each partition, and how many clocks of it are open. Two tables, because
-- two sides write them: whoever sweeps a partition, and whoever folds facts into it.
CREATE TABLE watermark (
    partition    smallint PRIMARY KEY,
    evaluated_to timestamptz,
    told_at      timestamptz
) WITH (fillfactor = 50);

CREATE TABLE open_clocks (
    partition smallint PRIMARY KEY,
    open      bigint NOT NULL
) WITH (fillfactor = 50);

-- The declared exceptions of each policy, as it stands: inside one a guarantee is an objective.
CREATE TABLE exception_window (
    policy_id text NOT NULL,
    name      text NOT NULL,
    starts_at timestamptz NOT NULL,
    ends_at   timestamptz NOT NULL,
    content   text NOT NULL,
    PRIMARY KEY (policy_id, name)
);
