-- A reply of the customer may reopen a closed ticket, and with it the call that is owed.
ALTER TABLE callback_wish ADD COLUMN reopen_within_s integer NOT NULL DEFAULT 2592000;
UPDATE callback_fact SET kind = 'merged' WHERE kind = 'ended';
