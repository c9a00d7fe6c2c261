-- News of an account may help many requests that wait for it. They are judged a few at a time; this
-- says for which accounts some are left, and how far it has come.
CREATE TABLE account_news (
    account_id text PRIMARY KEY,
    done_to_at timestamptz NOT NULL,
    done_to_id uuid NOT NULL
);
