-- When a ticket would be due at each severity: what it brought when it was accepted.
ALTER TABLE ticket ADD COLUMN due_by_severity jsonb NOT NULL DEFAULT '{}';
