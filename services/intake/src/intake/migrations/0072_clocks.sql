-- When promises are due that are due otherwise than was said at acceptance: what is read back says
-- so. By what tells the clocks of a ticket apart, as sla-monitor's last record has it.
ALTER TABLE ticket ADD COLUMN clocks jsonb NOT NULL DEFAULT '{}';
