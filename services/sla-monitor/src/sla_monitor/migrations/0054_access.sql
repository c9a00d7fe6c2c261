-- Who may use the HTTP door. Of a key only its SHA-256 is kept; the prefix names it.
CREATE TABLE access_key (
    prefix       text PRIMARY KEY CHECK (prefix ~ '^[0-9A-Za-z]{8}$'),
    digest       bytea NOT NULL CHECK (octet_length(digest) = 32),
    tenant       text NOT NULL,
    name         text NOT NULL,
    slot         smallint NOT NULL CHECK (slot IN (1, 2)), -- two live at once, for rotation
    scopes       text[] NOT NULL,
    rate_per_s   integer NOT NULL CHECK (rate_per_s > 0),
    burst        integer NOT NULL CHECK (burst > 0),
    accounts     text[], -- which it reaches; NULL: all
    created_at   timestamptz NOT NULL DEFAULT now(),
    expires_at   timestamptz,
    revoked_at   timestamptz,
    last_used_at timestamptz
);
CREATE UNIQUE INDEX access_key_live ON access_key (tenant, name, slot) WHERE revoked_at IS NULL;

-- Who breaks into the service can make no keys: it reads them, and notes when they were used.
DO $$
DECLARE
    service name;
BEGIN
    FOR service IN
        SELECT DISTINCT grantee FROM information_schema.role_table_grants
        WHERE table_name = 'access_key' AND grantee <> current_user
    LOOP
        EXECUTE format('REVOKE ALL ON access_key FROM %I', service);
        EXECUTE format('GRANT SELECT ON access_key TO %I', service);
        EXECUTE format('GRANT UPDATE (last_used_at) ON access_key TO %I', service);
    END LOOP;
END $$;
