-- What the inbox shows beyond who has what: each ticket's history, and what was done by whom.

CREATE TABLE happening (
    ticket_id     uuid NOT NULL,
    at            timestamptz NOT NULL,
    type          text NOT NULL, -- of the event, as in the catalogue
    specialist_id text,          -- whom it concerns: of a fact from outside, who had the ticket
    fact          jsonb NOT NULL,
    -- An open page asks what is new since a moment: ids and times become visible out of order,
    -- transactions older than the oldest that runs do not.
    tx            xid8 NOT NULL DEFAULT pg_current_xact_id()
);

CREATE INDEX happening_of_ticket ON happening (ticket_id, at);
CREATE INDEX happening_of_specialist ON happening (specialist_id, at)
    WHERE specialist_id IS NOT NULL;
CREATE INDEX happening_tx ON happening (tx);

-- Every act from a page, once, whoever sends it twice; and the record of who did it.
CREATE TABLE act (
    act_id    uuid PRIMARY KEY, -- derived from who does what at which turn of the ticket
    at        timestamptz NOT NULL,
    who       text NOT NULL,
    lead      boolean NOT NULL, -- done as a lead, on what is another's
    ticket_id uuid,             -- null where it is about a person
    act       text NOT NULL,
    wish      jsonb NOT NULL,
    outcome   text NOT NULL
);

CREATE INDEX act_of_ticket ON act (ticket_id) WHERE ticket_id IS NOT NULL;
