-- The set of facts about each ticket: a clock's state is a pure function of it.
CREATE TABLE fact (
    ticket_id   uuid NOT NULL,
    fact_id     uuid NOT NULL,
    occurred_at timestamptz NOT NULL,
    type        text NOT NULL,
    data        jsonb NOT NULL,
    PRIMARY KEY (ticket_id, fact_id)
);

-- One row a promise: what the facts come to, and what has been announced of it.
CREATE TABLE clock (
    ticket_id     uuid NOT NULL,
    kind          text NOT NULL,
    promise_class text NOT NULL,
    account_id    text NOT NULL,
    channel       text NOT NULL,
    severity      text NOT NULL,
    target_s      integer NOT NULL,
    started_at    timestamptz NOT NULL,
    due_at        timestamptz,
    warn_at       timestamptz[] NOT NULL,
    state         text NOT NULL CHECK (state IN ('running', 'paused', 'met', 'cancelled')),
    settled_at    timestamptz,
    warned        smallint NOT NULL,
    broken        text CHECK (broken IN ('breached', 'missed')),
    broken_id     uuid,
    retractions   smallint NOT NULL,
    next_at       timestamptz,
    PRIMARY KEY (ticket_id, kind)
) WITH (fillfactor = 80);

-- The timer wheel: survives a crash, and costs nothing for a clock with nothing to announce.
CREATE INDEX clock_next_at ON clock (next_at) WHERE next_at IS NOT NULL;
