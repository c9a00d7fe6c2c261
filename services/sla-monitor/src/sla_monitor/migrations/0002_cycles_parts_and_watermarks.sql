-- A kind of promise may recur on a ticket, time is told in parts, and silence is proven.
-- Before the first release: clocks of a stack made earlier are not carried over.
DROP TABLE clock;
TRUNCATE fact;

-- Facts come from several services, and some come late.
ALTER TABLE fact
    ADD COLUMN source text NOT NULL,
    ADD COLUMN learned_at timestamptz NOT NULL;

-- One row a promise: what the facts come to, and what has been announced of it. Fields of fixed
-- width come first: there are millions of rows.
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
    partition     smallint NOT NULL,
    retractions   smallint NOT NULL,
    kind          text NOT NULL,
    promise_class text NOT NULL,
    channel       text NOT NULL,
    severity      text NOT NULL,
    state         text NOT NULL CHECK (state IN ('running', 'paused', 'met', 'cancelled')),
    cancelled_for text,
    broken        text CHECK (broken IN ('breached', 'missed')),
    exception     text,
    account_id    text NOT NULL,
    warn_used_s   integer[] NOT NULL,
    warn_at       timestamptz[] NOT NULL,
    phases        jsonb NOT NULL,
    PRIMARY KEY (ticket_id, kind, started_by)
) WITH (fillfactor = 80);

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
