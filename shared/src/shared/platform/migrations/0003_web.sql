-- Who is signed in to a service's pages, and the links by which they get in. Of both only a
-- SHA-256 is kept: who reads the database can be nobody. By the real clock, never by business time.

CREATE TABLE web_session (
    digest   bytea PRIMARY KEY,
    person   text NOT NULL,
    lead     boolean NOT NULL,
    began_at timestamptz NOT NULL DEFAULT now(),
    seen_at  timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE web_link (
    digest     bytea PRIMARY KEY,
    person     text NOT NULL,
    lead       boolean NOT NULL,
    expires_at timestamptz NOT NULL
);
