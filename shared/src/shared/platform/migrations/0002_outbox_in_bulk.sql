-- Headers in one column, so that many rows go in and out by one statement: JSON pairs of a name and
-- a value, its bytes read as Latin-1, or null.
ALTER TABLE outbox ADD COLUMN headers text;
UPDATE outbox SET headers = (
    SELECT json_agg(json_build_array(name, convert_from(value, 'LATIN1')))
    FROM unnest(header_names, header_values) AS header (name, value));
ALTER TABLE outbox
    ALTER COLUMN headers SET NOT NULL,
    DROP COLUMN header_names,
    DROP COLUMN header_values,
    -- Some records speak of a partition, and stand on it, whatever their key.
    ADD COLUMN partition smallint;
