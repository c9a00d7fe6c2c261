-- A ticket's history holds each fact once: what is read again adds nothing.
ALTER TABLE happening ADD COLUMN fact_id uuid; -- null: written before there was one
CREATE UNIQUE INDEX happening_once ON happening (ticket_id, fact_id);
