-- The trace of the request: what time or somebody's coming brings goes on with it.
ALTER TABLE ticket ADD COLUMN traceparent text;
