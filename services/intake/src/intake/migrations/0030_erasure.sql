-- Who is to be forgotten is found at once, among any number of tickets and requests.
CREATE INDEX ticket_person ON ticket (source, requester_id) WHERE requester_id <> '';
CREATE INDEX request_person ON request
    ((content::jsonb ->> 'source'), (content::jsonb ->> 'requester_id')) WHERE content IS NOT NULL;

-- The people of an account are kept as digests, each version with a salt of its own: whoever asks
-- is recognised, and nobody is named.
ALTER TABLE account_version ADD COLUMN salt bytea NOT NULL
    DEFAULT decode(replace(gen_random_uuid()::text, '-', ''), 'hex');
ALTER TABLE account_version ALTER COLUMN salt DROP DEFAULT;
UPDATE account_version SET content = (content::jsonb || jsonb_build_object(
    'super_admins', (
        SELECT coalesce(jsonb_agg(encode(sha256(salt || convert_to(id, 'UTF8')), 'hex')), '[]')
        FROM jsonb_array_elements_text(content::jsonb -> 'super_admins') AS id),
    'seats', CASE jsonb_typeof(content::jsonb -> 'seats') WHEN 'array' THEN (
        SELECT coalesce(jsonb_agg(encode(sha256(salt || convert_to(id, 'UTF8')), 'hex')), '[]')
        FROM jsonb_array_elements_text(content::jsonb -> 'seats') AS id)
    ELSE content::jsonb -> 'seats' END))::text;

-- An Idempotency-Key may be made of anything: only its digest is kept.
UPDATE answer SET key = encode(sha256(convert_to(key, 'UTF8')), 'hex');
