// Drives the official client of Socket.IO 2, as node_client.cjs drives that of today: same commands, same answers.
// Under Node it polls in text only (b64=1). With the argument "bytes" it gets what browsers have, requests that can take bytes.
"use strict";

const http = require("node:http");

class BinaryRequest {
  constructor() {
    this.responseType = "";
    this.sent = {};
  }
  open(method, url) { Object.assign(this, { method, url }); }
  setDisableHeaderCheck() {}
  setRequestHeader(name, value) { this.sent[name] = value; }
  getResponseHeader(name) { return this.answer.headers[name.toLowerCase()]; }
  abort() { if (this.request) this.request.destroy(); }
  send(data) {
    const fail = () => this.tell(4, 0);
    this.request = http.request(this.url, { method: this.method, headers: this.sent }, (answer) => {
      this.answer = answer;
      this.tell(2, answer.statusCode);
      const chunks = [];
      answer.on("data", (chunk) => chunks.push(chunk));
      answer.on("end", () => {
        this.response = Buffer.concat(chunks);
        this.responseText = this.response.toString();
        this.tell(4, answer.statusCode);
      });
    });
    this.request.on("error", fail);
    this.request.end(data === null ? undefined : data);
  }
  tell(readyState, status) {
    Object.assign(this, { readyState, status });
    this.onreadystatechange();
  }
}

if (process.argv[3] === "bytes") {
  const path = require.resolve("xmlhttprequest-ssl", { paths: [process.argv[2]] });
  require.cache[path] = { id: path, filename: path, loaded: true, exports: BinaryRequest };
}

const io = require(process.argv[2]);
const sockets = new Map();
const say = (what) => process.stdout.write(JSON.stringify(what, encode) + "\n");

function encode(key, value) {
  if (value && value.type === "Buffer" && Array.isArray(value.data)) return { $: Buffer.from(value.data).toString("base64") };
  return value instanceof ArrayBuffer ? { $: Buffer.from(value).toString("base64") } : value;
}
const decode = (key, value) => (value && typeof value.$ === "string" ? Buffer.from(value.$, "base64") : value);

const commands = {
  open({ id, url, options }) {
    const socket = io(url, options);
    sockets.set(id, socket);
    const tell = (event, ...args) => say({ id, event, args });
    const { engine } = socket.io;
    engine.on("upgrade", (transport) => tell("upgrade", transport.name));
    socket.on("connect", () => tell("connect", socket.id, socket.io.engine.transport.name));
    socket.on("disconnect", (reason) => tell("disconnect", reason));
    socket.on("connect_error", (error) => tell("connect_error", String(error)));
    socket.on("error", (data) => tell("error", data));
    socket.on("pong", () => tell("pong"));
    // This client has no onAny.
    socket.onevent = ({ data: [event, ...args], id: question }) => {
      say({ id, event, args });
      if (question != null && event !== "unanswered") socket.ack(question)(...args);
    };
  },
  emit({ id, args }) { sockets.get(id).emit(...args); },
  call({ id, args, number }) { sockets.get(id).emit(...args, (...answer) => say({ id, answer, number, error: null })); },
  mark({ id }) { say({ id, event: "mark", args: [] }); },
  connect({ id }) { sockets.get(id).connect(); },
  close({ id }) { sockets.get(id).disconnect(); },
  cut({ id }) { sockets.get(id).io.engine.close(); },
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
