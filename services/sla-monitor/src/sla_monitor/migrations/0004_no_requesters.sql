-- Old facts named who asked; nobody here needs to know.
UPDATE fact SET data = jsonb_set(data, '{requester_id}', '""')
WHERE type = 'premium.ticket.accepted.v1' AND data ->> 'requester_id' <> '';
