-- What is due is read from clocks.v1: each clock by what tells it apart, as it was accepted or as
-- sla-monitor's last record of it says. Of a row from before, what it was due at.
ALTER TABLE ticket ADD COLUMN clocks jsonb NOT NULL DEFAULT '{}';
UPDATE ticket SET clocks = jsonb_build_object(kind, jsonb_build_array(
    kind, coalesce(class_by_severity ->> coalesce(reclassified_to, severity), 'objective'),
    create_date, due_at, NULL, 'running'))
    FROM (VALUES ('email', 'first_response'), ('phone', 'callback'), ('chat', 'join'))
        AS promised (channel, kind)
    WHERE ticket.channel = promised.channel AND due_at IS NOT NULL;

-- The facts that make the life of a ticket, and what they come to. Of a row from before, the latest
-- of each kind.
ALTER TABLE ticket
    ADD COLUMN facts       jsonb NOT NULL DEFAULT '[]',
    ADD COLUMN released    boolean NOT NULL DEFAULT false,
    ADD COLUMN state       text NOT NULL DEFAULT '',
    ADD COLUMN answered_at timestamptz,
    ADD COLUMN asked_at    timestamptz, -- the customer's first word that is not answered yet
    ADD COLUMN answered_by text,        -- who had it when it was answered last
    ADD COLUMN held_until  timestamptz; -- it came back: given out once its clock is known, or then
UPDATE ticket SET
    facts = (
        SELECT coalesce(jsonb_agg(jsonb_build_object(
            'kind', key, 'at', value, 'id', md5(ticket_id::text || key)::uuid)), '[]')
        FROM jsonb_each(latest)
    ) || CASE WHEN create_date IS NULL THEN '[]'::jsonb ELSE jsonb_build_array(jsonb_build_object(
        'kind', 'accepted', 'at', create_date, 'id', ticket_id, 'channel', channel,
        'reopen_within', 'P30D')) END,
    released = create_date IS NOT NULL AND specialist_id IS NULL AND NOT waiting
        AND rides_with IS NULL
        AND NOT EXISTS (SELECT FROM offer WHERE offer.ticket_id = ticket.ticket_id
                        AND offer.state = 'open'),
    answered_at = greatest((latest ->> 'responded')::timestamptz,
        (latest ->> 'reached')::timestamptz, (latest ->> 'resolved')::timestamptz),
    state = CASE WHEN specialist_id IS NOT NULL OR waiting THEN ''
        WHEN latest ? 'resolved' THEN 'resolved' WHEN latest ? 'closed' THEN 'closed'
        WHEN latest ? 'reached' THEN 'reached' WHEN latest ? 'responded' THEN 'answered'
        ELSE '' END;
ALTER TABLE ticket
    DROP COLUMN due_by_severity, DROP COLUMN class_by_severity, DROP COLUMN latest;
-- What a specialist answered and the customer may reply to.
CREATE INDEX ticket_answered ON ticket (answered_by, answered_at)
    WHERE state = 'answered';
