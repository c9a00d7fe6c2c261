-- What the inbox shows beyond who has what: each ticket's history.

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
