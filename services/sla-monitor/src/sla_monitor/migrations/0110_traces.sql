-- The trace that a fact of upstream belongs to: what time alone brings later goes on with it.
ALTER TABLE fact ADD COLUMN traceparent text;
