-- A change of declared exceptions concerns every ticket created in their spans. Its work is done a
-- few hundred tickets at a time, and this says how far it has come: a restart goes on from there.
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

-- An exception covers a ticket by its create date, whenever its clocks started.
CREATE INDEX fact_create_date ON fact (occurred_at, ticket_id)
    WHERE type = 'premium.ticket.accepted.v1';
