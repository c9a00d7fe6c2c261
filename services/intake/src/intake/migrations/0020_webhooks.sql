-- Systems that send signed webhooks. A secret is named here, and lies in a file of that name.
CREATE TABLE webhook_connection (
    name       text PRIMARY KEY,
    kind       text NOT NULL CHECK (kind IN ('hubspot', 'signed')),
    url        text,
    secrets    text[] NOT NULL CHECK (cardinality(secrets) BETWEEN 1 AND 2),
    mapping    jsonb NOT NULL,
    changed_at timestamptz NOT NULL
);
