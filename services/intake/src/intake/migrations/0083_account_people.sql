-- An account's people are rows: a request asks for one of them, not for a list of all.
-- A listing may come in parts; it counts once none is missing.
ALTER TABLE account_version ADD COLUMN parts_missing integer[] NOT NULL DEFAULT '{}';

CREATE TABLE account_person (
    account_id  text NOT NULL,
    since       timestamptz NOT NULL,
    digest      bytea NOT NULL,
    super_admin boolean NOT NULL,
    PRIMARY KEY (account_id, since, digest),
    FOREIGN KEY (account_id, since) REFERENCES account_version ON DELETE CASCADE
);

INSERT INTO account_person (account_id, since, digest, super_admin)
SELECT account_id, since, decode(person, 'hex'), true
FROM account_version, jsonb_array_elements_text(content::jsonb -> 'super_admins') AS person;

INSERT INTO account_person (account_id, since, digest, super_admin)
SELECT account_id, since, decode(person, 'hex'), false
FROM account_version, jsonb_array_elements_text(
    CASE jsonb_typeof(content::jsonb -> 'seats')
        WHEN 'array' THEN content::jsonb -> 'seats' ELSE '[]' END) AS person
ON CONFLICT DO NOTHING;

UPDATE account_version SET content = (content::jsonb || jsonb_build_object(
    'super_admins', '[]'::jsonb,
    'seats', CASE jsonb_typeof(content::jsonb -> 'seats')
        WHEN 'array' THEN '[]'::jsonb ELSE content::jsonb -> 'seats' END))::text;
