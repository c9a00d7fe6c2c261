-- Matching by level, skill and step; who knows an account; why each decision was made.

ALTER TABLE ticket
    ADD COLUMN class_by_severity jsonb NOT NULL DEFAULT '{}',
    ADD COLUMN pool     text,        -- tickets of one pool ask for the same
    ADD COLUMN rank_at  timestamptz, -- the order of work
    ADD COLUMN again_at timestamptz DEFAULT now(); -- when less is asked for; see wakes_at
UPDATE ticket SET pool = jsonb_build_array(channel, base_language, 0)::text, rank_at = due_at
    WHERE channel IS NOT NULL;
DROP INDEX ticket_waiting;
CREATE INDEX ticket_waiting ON ticket (pool, rank_at, ticket_id) WHERE waiting;

ALTER TABLE capacity ADD COLUMN last_at timestamptz; -- when they were last given a ticket of it

-- Nobody is given more than they can hold, whatever a router believes. Written as triggers, for a
-- roster may shrink below what somebody holds already: only to be given more is refused then.
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

-- What each transaction changed of the roster and its loads, and in which pools somebody waited for
-- the first time: what a router's memory lacks is what comes after the last that it has seen.
CREATE TABLE change (
    version        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    specialist_ids text[] NOT NULL,
    pools          text[] NOT NULL
);

CREATE TABLE acquaintance (
    account_id    text PRIMARY KEY,
    specialist_id text NOT NULL,
    at            timestamptz NOT NULL
) WITH (fillfactor = 80);

CREATE TABLE decision (
    ticket_id   uuid NOT NULL,
    decision_id uuid NOT NULL,
    decided_at  timestamptz NOT NULL,
    record      text NOT NULL,
    PRIMARY KEY (ticket_id, decision_id)
);
CREATE INDEX decision_decided_at ON decision USING brin (decided_at);
