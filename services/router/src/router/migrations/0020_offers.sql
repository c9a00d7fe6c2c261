-- Offers: a ticket rings at somebody for the length of a lease, and is then theirs or goes on.
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

-- A ticket rings at one person at a time, whatever went wrong with the lock.
CREATE UNIQUE INDEX offer_open ON offer (ticket_id) WHERE state = 'open';
CREATE INDEX offer_rings ON offer (specialist_id) WHERE state = 'open';

ALTER TABLE ticket
    ADD COLUMN offered_count integer NOT NULL DEFAULT 0,
    ADD COLUMN set_aside     jsonb NOT NULL DEFAULT '{}', -- who is passed over, and until when
    ADD COLUMN hand_back_at  timestamptz, -- it leaves somebody who has gone, unless they come back
    ADD COLUMN pinned_to     text REFERENCES specialist,
    ADD COLUMN confirmed     text,
    ADD COLUMN wakes_at      timestamptz; -- when time alone changes what is to be done

CREATE INDEX ticket_wakes ON ticket (wakes_at) WHERE wakes_at IS NOT NULL;

-- Somebody's own word on whether they are there. Apart from the roster's row, for it is written
-- every few seconds; null: they never said, or left.
CREATE TABLE presence (
    specialist_id text PRIMARY KEY REFERENCES specialist,
    said          text,
    said_until    timestamptz -- unless it is said again by then, it means offline
) WITH (fillfactor = 50);

CREATE INDEX presence_lapses ON presence (said_until) WHERE said_until IS NOT NULL;

-- A load never rises above the capacity; where the roster took capacity away, it only falls. A
-- CHECK cannot see what was there before, so a trigger looks.
CREATE FUNCTION capacity_holds() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.load > greatest(NEW.capacity, OLD.load) THEN
        RAISE check_violation USING MESSAGE = format(
            '%s would hold %s of %s on %s', NEW.specialist_id, NEW.load, NEW.capacity, NEW.channel);
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER capacity_holds BEFORE UPDATE ON capacity
    FOR EACH ROW EXECUTE FUNCTION capacity_holds();

-- What people did: who, when, from whom, to whom, why, and what came of it.
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
    specialist_id text -- who had it then, or at whom it rang
);

CREATE INDEX act_again ON act (subject, kind, actor);
CREATE INDEX act_of_ticket ON act (ticket_id);

-- One row, where the operator's rules differ from the built-in ones.
CREATE TABLE rules (
    only_one boolean PRIMARY KEY DEFAULT true CHECK (only_one),
    document jsonb NOT NULL
);
