-- Tickets

-- The only place that holds what customers wrote; other services know only the ticket's id.
CREATE TABLE ticket (
    ticket_id        uuid PRIMARY KEY,
    source           text NOT NULL,
    external_id      text NOT NULL,
    account_id       text NOT NULL,
    requester_id     text NOT NULL, -- empty once the person was erased
    role             text NOT NULL,
    channel          text NOT NULL,
    severity         text NOT NULL,
    claimed_severity text NOT NULL,
    language         text NOT NULL,
    time_zone        text NOT NULL,
    subject          text NOT NULL,
    body             text NOT NULL,
    phone_number     text, -- E.164; events carry a keyed digest instead
    create_date      timestamptz NOT NULL,
    accepted_at      timestamptz NOT NULL,
    -- What was promised, what decided on it, and why nothing was promised.
    policy           text NOT NULL,
    tier             text,
    region           text,
    rule             text,
    promises         jsonb NOT NULL,
    no_promise       text,
    reopen_within_s  integer NOT NULL DEFAULT 2592000,
    -- Due times that changed after acceptance: sla-monitor's last record of each clock, by the
    -- clock's discriminator.
    clocks           jsonb NOT NULL DEFAULT '{}',
    UNIQUE (source, external_id)
);
-- An erasure finds a person's tickets by this index.
CREATE INDEX ticket_person ON ticket (source, requester_id) WHERE requester_id <> '';

-- Replies, attempts and other facts about tickets, each kept once. A fact about a merged ticket
-- counts for the ticket that stays. The customer's text is kept until it is erased.
CREATE TABLE later_fact (
    fact_id     uuid PRIMARY KEY,
    ticket_id   uuid NOT NULL, -- the ticket that the fact names
    counts_for  uuid NOT NULL, -- the ticket that stays, where that one was merged
    occurred_at timestamptz NOT NULL,
    type        text NOT NULL,
    event       text NOT NULL,
    body        text NOT NULL DEFAULT '',
    traceparent text
);
CREATE INDEX later_fact_ticket ON later_fact (ticket_id);
CREATE INDEX later_fact_counts_for ON later_fact (counts_for);

-- Which tickets were merged into others. A merge may arrive before the tickets: it counts once
-- both are known.
CREATE TABLE merge (
    ticket_id   uuid NOT NULL,
    into_id     uuid NOT NULL,
    document_id uuid PRIMARY KEY,
    occurred_at timestamptz NOT NULL,
    counts      boolean NOT NULL,
    traceparent text
);
CREATE INDEX merge_ticket ON merge (ticket_id);
CREATE INDEX merge_waits ON merge (into_id) WHERE NOT counts;

-- Audit: which key read what a customer wrote, and when.
CREATE TABLE details_read (
    ticket_id uuid NOT NULL,
    tenant    text NOT NULL,
    prefix    text NOT NULL,
    read_at   timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX details_read_ticket ON details_read (ticket_id);


-- Requests

-- Every request received, with its latest receipt. The content is kept only while the request is
-- no ticket; `digest` distinguishes a copy from another request with the same name.
CREATE TABLE request (
    ticket_id   uuid PRIMARY KEY,
    account_id  text NOT NULL,
    outcome     text NOT NULL CHECK (outcome IN ('accepted', 'held', 'rejected')),
    curable     boolean NOT NULL,
    held_until  timestamptz,
    received_at timestamptz NOT NULL,
    digest      bytea NOT NULL,
    content     text,
    traceparent text,
    receipt     text NOT NULL
);
CREATE INDEX request_held ON request (held_until) WHERE outcome = 'held';
CREATE INDEX request_curable ON request (account_id, received_at) WHERE curable;
-- An erasure finds a person's requests by this index.
CREATE INDEX request_person ON request
    ((content::jsonb ->> 'source'), (content::jsonb ->> 'requester_id')) WHERE content IS NOT NULL;

-- Accounts that changed and whose requests are still to be judged again, a few at a time; and up to
-- which request that is done.
CREATE TABLE account_news (
    account_id text PRIMARY KEY,
    done_to_at timestamptz NOT NULL,
    done_to_id uuid NOT NULL
);


-- Reference data: policies, accounts, languages

-- Every policy that was ever published; the one published last is in force.
CREATE TABLE policy (
    version      text PRIMARY KEY,
    policy_id    text NOT NULL,
    document     jsonb NOT NULL,
    published_at timestamptz NOT NULL -- event time: an older record changes nothing
);

-- Accounts as the billing system listed them, each version from its event time on. A listing may
-- arrive in parts: it counts once none is missing.
CREATE TABLE account_version (
    account_id    text NOT NULL,
    since         timestamptz NOT NULL,
    content       text NOT NULL,
    salt          bytea NOT NULL, -- of the people's digests
    parts_missing integer[] NOT NULL DEFAULT '{}',
    PRIMARY KEY (account_id, since)
);

-- The people of an account version, as salted digests: a requester is recognised and no person is
-- named. In rows, so that a request looks up one person and does not read a list of all.
CREATE TABLE account_person (
    account_id  text NOT NULL,
    since       timestamptz NOT NULL,
    digest      bytea NOT NULL,
    super_admin boolean NOT NULL,
    PRIMARY KEY (account_id, since, digest),
    FOREIGN KEY (account_id, since) REFERENCES account_version ON DELETE CASCADE
);

-- The languages of each specialist on the roster; none for a specialist who left.
CREATE TABLE specialist (
    specialist_id text PRIMARY KEY,
    languages     text[] NOT NULL,
    listed_at     timestamptz NOT NULL -- event time: an older record changes nothing
);

-- The languages of all specialists together: among these the language of a text is detected.
CREATE TABLE served_language (
    language text PRIMARY KEY
);


-- Access

-- A source belongs to one tenant.
CREATE UNIQUE INDEX access_owned_once ON access_owned (owned);

-- Systems that send signed webhooks. `secrets` names files; the secrets are in those files.
CREATE TABLE webhook_connection (
    name       text PRIMARY KEY,
    kind       text NOT NULL CHECK (kind IN ('hubspot', 'signed')),
    url        text,
    secrets    text[] NOT NULL CHECK (cardinality(secrets) BETWEEN 1 AND 2),
    mapping    jsonb NOT NULL,
    changed_at timestamptz NOT NULL
);
