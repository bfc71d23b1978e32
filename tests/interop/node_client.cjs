// Drives the official client for the tests: a command a line on stdin, an answer or a happening a line on stdout.
// Binary data crosses this channel as {"$": "<base64>"}.
"use strict";

const { io } = require(process.argv[2]);
const parser = process.argv[3] ? { parser: require(process.argv[3]) } : {};
const sockets = new Map();
const say = (what) => process.stdout.write(JSON.stringify(what, encode) + "\n");

function encode(key, value) {
  if (value && value.type === "Buffer" && Array.isArray(value.data)) return { $: Buffer.from(value.data).toString("base64") };
  return value instanceof ArrayBuffer ? { $: Buffer.from(value).toString("base64") } : value;
}
const decode = (key, value) => (value && typeof value.$ === "string" ? Buffer.from(value.$, "base64") : value);

const commands = {
  open({ id, url, options }) {
    const socket = io(url, { ...parser, ...options });
    sockets.set(id, socket);
    const tell = (event, ...args) => say({ id, event, args });
    socket.on("connect", () => tell("connect", socket.id, socket.io.engine.transport.name, socket.recovered === true));
    socket.on("disconnect", (reason) => tell("disconnect", reason));
    socket.on("connect_error", (error) => tell("connect_error", error.message, error.data ?? null));
    socket.io.on("ping", () => tell("ping"));
    socket.io.on("open", () => socket.io.engine.once("upgrade", (transport) => tell("upgrade", transport.name)));
    socket.onAny((event, ...args) => {
      const ack = typeof args.at(-1) === "function" ? args.pop() : null;
      say({ id, event, args });
      if (ack && event !== "unanswered") ack(...args);
    });
  },
  emit({ id, args }) { sockets.get(id).emit(...args); },
  volatile({ id, args }) { sockets.get(id).volatile.emit(...args); },
  call({ id, args, number }) {
    sockets.get(id).timeout(5000).emit(...args, (error, ...answer) => say({ id, answer, number, error: error && error.message }));
  },
  // Values that JSON has no words for.
  oddities({ id, number }) {
    const values = [new Date(5), undefined, { a: undefined }, new ArrayBuffer(1), new ArrayBuffer(8), new Uint8Array([1, 2])];
    const shown = (value) => (value instanceof Date ? `Date ${+value}` : value);
    sockets.get(id).emit("echo", ...values, NaN, (...answer) => say({ id, answer: answer.map(shown), number, error: null }));
  },
  mark({ id }) { say({ id, event: "mark", args: [] }); },
  connect({ id }) { sockets.get(id).connect(); },
  close({ id }) { sockets.get(id).disconnect(); },
  cut({ id }) { sockets.get(id).io.engine.close(); },
  // What no client says: a packet as it is, and nothing any more.
  wire({ id, data }) {
    const { transport } = sockets.get(id).io.engine;
    if (transport.ws) transport.ws.send(data);
    else transport.doWrite(data, () => {});
  },
  mute({ id }) { sockets.get(id).io.engine.transport.send = () => {}; },
};

let rest = "";
process.stdin.setEncoding("utf8");
process.stdin.on("data", (data) => {
  const lines = (rest + data).split("\n");
  rest = lines.pop();
  for (const line of lines) {
    const command = JSON.parse(line, decode);
    commands[command.do](command);
  }
});
process.stdin.on("end", () => process.exit(0));
