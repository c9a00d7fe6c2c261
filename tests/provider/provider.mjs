// A certified OpenID provider with the defaults of its makers: it knows one client and a few people.
// Reads {people, client} as a line of JSON, once its address is written. It ends with its input.
import { createServer } from "node:http";
import { createInterface } from "node:readline";
import { Provider } from "oidc-provider";

const server = createServer();
server.listen(0, "127.0.0.1", () => {
  const address = `http://localhost:${server.address().port}`;
  const lines = createInterface({ input: process.stdin });
  lines.once("line", (line) => {
    const { people, client } = JSON.parse(line);
    const provider = new Provider(address, {
      clients: [client],
      claims: { openid: ["sub"], profile: ["name", "preferred_username"], groups: ["groups"] },
      findAccount: (_, sub) => ({ accountId: sub, claims: () => ({ sub, ...people[sub] }) }),
    });
    server.on("request", provider.callback());
    console.log("ready");
  });
  lines.once("close", () => process.exit());
  console.log(address);
});
