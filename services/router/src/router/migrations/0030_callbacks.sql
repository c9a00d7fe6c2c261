-- The ledgers of promised calls. Numbers are intake's: here is only by what equal ones are known,
-- until the person is erased; the ledger's own id says nothing of the number.
CREATE TABLE callback_wish (
    ticket_id  uuid PRIMARY KEY,
    ledger     uuid NOT NULL,
    number_key text,
    at         timestamptz NOT NULL,
    due_at     timestamptz,
    owed       boolean NOT NULL, -- else it only tells of the customer at that number
    dialled    boolean NOT NULL,
    open       boolean NOT NULL, -- a call is owed still
    remind_at  timestamptz       -- when it is time for the planned dial
);
CREATE INDEX callback_wish_ledger ON callback_wish (ledger);
CREATE INDEX callback_wish_number ON callback_wish (number_key) WHERE number_key IS NOT NULL;
CREATE INDEX callback_wish_open ON callback_wish (at) WHERE open;
CREATE INDEX callback_wish_reminder ON callback_wish (remind_at) WHERE remind_at IS NOT NULL;

-- What was told of their tickets, and each attempt.
CREATE TABLE callback_fact (
    fact_id       uuid PRIMARY KEY,
    ticket_id     uuid NOT NULL,
    at            timestamptz NOT NULL,
    kind          text NOT NULL,
    specialist_id text,
    outcome       text
);
CREATE INDEX callback_fact_ticket ON callback_fact (ticket_id);

ALTER TABLE ticket ADD COLUMN rides_with uuid; -- the ticket whose call answers this one as well
