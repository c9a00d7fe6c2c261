"""Sends a ticket by the client that openapi-python-client generated, and reads its receipt."""
# mypy: ignore-errors

import json
import sys

import intake_client
from intake_client.api.receipts import read_receipt
from intake_client.api.tickets import take_request
from intake_client.api.webhooks import take_hubspot_events
from intake_client.models import SupportRequest

address, key, document = sys.argv[1:]
client = intake_client.AuthenticatedClient(base_url=address, token=key)
request = SupportRequest.from_dict(json.loads(document))
taken = take_request.sync_detailed(client=client, body=request)
read = read_receipt.sync_detailed(request.source, request.external_id, client=client)
unsigned = take_hubspot_events.sync_detailed("hubspot-tickets", client=client, body=[])
said = {
    "taken": [taken.status_code, taken.parsed.to_dict()],
    "read": [read.status_code, read.parsed.to_dict()],
    "unsigned": [unsigned.status_code, unsigned.parsed.to_dict()],
}
sys.stdout.write(json.dumps(said))
