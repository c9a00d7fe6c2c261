-- Every policy that was ever published; the one published last prices.
CREATE TABLE policy (
    version      text PRIMARY KEY,
    policy_id    text NOT NULL,
    document     jsonb NOT NULL,
    published_at timestamptz NOT NULL -- event time: an older record changes nothing
);

-- What else decided on the promises, and why there are none.
ALTER TABLE ticket
    ADD COLUMN tier       text,
    ADD COLUMN region     text,
    ADD COLUMN rule       text,
    ADD COLUMN no_promise text;
