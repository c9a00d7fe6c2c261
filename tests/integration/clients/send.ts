// Sends a ticket by openapi-fetch, typed by what openapi-typescript generated, and reads its receipt.
import createClient from "openapi-fetch";
import type { components, paths } from "./intake.d.ts";

declare const process: { argv: string[] };
const [address, key, document] = process.argv.slice(2);
const client = createClient<paths>({
  baseUrl: address,
  headers: { authorization: `Bearer ${key}` },
});
const body = JSON.parse(document!) as components["schemas"]["SupportRequest"];
const taken = await client.POST("/v1/tickets", { body });
const path = { source: body.source, external_id: body.external_id };
const read = await client.GET("/v1/receipts/{source}/{external_id}", { params: { path } });
const unsigned = await client.POST("/v1/webhooks/hubspot/{connection}", {
  params: { path: { connection: "hubspot-tickets" } },
  body: [],
});
const outcome: components["schemas"]["Outcome"] | undefined = taken.data?.outcome;
if (outcome === undefined) throw new Error(JSON.stringify(taken.error));
console.log(
  JSON.stringify({
    taken: [taken.response.status, taken.data],
    read: [read.response.status, read.data],
    unsigned: [unsigned.response.status, unsigned.error],
  }),
);
