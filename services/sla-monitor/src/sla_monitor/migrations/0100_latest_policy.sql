-- When each policy was published whose exceptions are kept: an older record changes nothing.
CREATE TABLE policy_in_force (
    policy_id    text PRIMARY KEY,
    published_at timestamptz NOT NULL
);
