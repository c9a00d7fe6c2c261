-- A clock that fell due leaves a dead entry at the head of the timer wheel, and every look steps
-- over it: do not wait for a fifth of millions of clocks.
ALTER TABLE clock SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 50000);
