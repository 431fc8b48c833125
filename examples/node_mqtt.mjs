// Sends a value each second over MQTT and shows what others send.   npm install mqtt && node node_mqtt.mjs
//
// From another machine:  LINESHAFT_TOKEN=ls_… node node_mqtt.mjs mqtts://plant.example:8883 authority.crt
// In a browser's place:  LINESHAFT_TOKEN=ls_… node node_mqtt.mjs wss://plant.example:8443/mqtt authority.crt
//
// The token:  lineshaft token create --data DIR --role operator --name example
import fs from "node:fs";
import mqtt from "mqtt";

const [url = "mqtt://127.0.0.1:1883", authority] = process.argv.slice(2);
const token = process.env.LINESHAFT_TOKEN;

const client = await mqtt.connectAsync(url, {
  clientId: "node-example",
  protocolVersion: 5,
  ...(token && { username: "any", password: token }), // The user name does not matter.
  ...(authority && { ca: fs.readFileSync(authority) }),
});
client.on("message", (topic, payload) => console.log(topic, payload.toString()));
await client.subscribeAsync("Example/#", { qos: 1 });

for (;;) {
  // The device Example/Node with the tag Example/Node/load, at this time.
  const load = Math.round(process.cpuUsage().user / 1000);
  const message = JSON.stringify({ value: load, timestamp: Date.now(), unit: "ms" });
  await client.publishAsync("Example/Node/load", message, { qos: 1 }); // Done when the value is on disk over there.
  await new Promise((resolve) => setTimeout(resolve, 1000));
}
