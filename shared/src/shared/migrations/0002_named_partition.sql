-- Some records speak of a partition, and stand on it, whatever their key.
ALTER TABLE outbox ADD COLUMN partition smallint;
