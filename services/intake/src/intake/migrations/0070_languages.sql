-- In what languages each specialist answers, as the roster says; who left answers in none.
CREATE TABLE specialist (
    specialist_id text PRIMARY KEY,
    languages     text[] NOT NULL,
    listed_at     timestamptz NOT NULL -- event time: an older record changes nothing
);

-- Those of all together: a request's text is read among them.
CREATE TABLE served_language (
    language text PRIMARY KEY
);
