-- What proves to the company's issuer whose session it is to end. Sealed with the session's secret,
-- of which only a SHA-256 is here: who reads the database cannot read it.

ALTER TABLE web_session ADD COLUMN id_token text;
