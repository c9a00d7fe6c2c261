-- What is due is read from clocks.v1: each clock by what tells it apart, as it was accepted or as
-- sla-monitor's last record of it says. Of a row from before, what it was due at.
ALTER TABLE ticket ADD COLUMN clocks jsonb NOT NULL DEFAULT '{}';
UPDATE ticket SET clocks = jsonb_build_object(kind, jsonb_build_array(
    kind, coalesce(class_by_severity ->> coalesce(reclassified_to, severity), 'objective'),
    create_date, due_at, NULL, 'running'))
    FROM (VALUES ('email', 'first_response'), ('phone', 'callback'), ('chat', 'join'))
        AS promised (channel, kind)
    WHERE ticket.channel = promised.channel AND due_at IS NOT NULL;
ALTER TABLE ticket DROP COLUMN due_by_severity, DROP COLUMN class_by_severity;
