-- The digest of the Idempotency-Key with which an act was asked for: asked again, it is answered
-- again.
ALTER TABLE act ADD COLUMN word text;
CREATE UNIQUE INDEX act_word ON act (word) WHERE word IS NOT NULL;
