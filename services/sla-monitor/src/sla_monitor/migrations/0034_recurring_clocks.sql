-- A clock that the request did not start: a kind may have several, told apart by what started them.
ALTER TABLE clock ADD COLUMN recurs boolean NOT NULL DEFAULT false;
UPDATE clock SET recurs = true WHERE kind = 'next_response';
