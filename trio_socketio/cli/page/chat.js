"use strict";

const $ = (id) => document.getElementById(id);
const KEPT = 200; // messages that a room shows
const MAX_PICTURE = 900_000;
const ADJECTIVES = ["Swift", "Calm", "Bright", "Quiet", "Brave", "Merry"];
const ANIMALS = ["Heron", "Otter", "Lynx", "Wren", "Fox", "Seal"];
const pick = (list) => list[Math.floor(Math.random() * list.length)];

const rooms = new Map(); // name -> {items, members, unread, typing}
let current = "";
let name = sessionStorage.getItem("name") || `${pick(ADJECTIVES)} ${pick(ANIMALS)}`;
$("name").value = name;
document.title = `${name} · trio_socketio chat`;

// The connection

const socket = io({ auth: (give) => give({ name }) });
let began = performance.now();

socket.io.on("open", watchTransport); // the upgrade may be over before the namespace is joined
socket.on("connect", () => {
  for (const room of rooms.size ? [...rooms.keys()] : ["lobby"]) enter(room);
  measure();
});
socket.on("disconnect", (reason) => showStatus("offline", `offline: ${reason}`));
socket.io.on("reconnect_attempt", (attempt) => {
  began = performance.now();
  showStatus("offline", `reconnecting, attempt ${attempt}`);
});
socket.on("connect_error", () => socket.active || showStatus("offline", "refused"));

function watchTransport() {
  const engine = socket.io.engine;
  showStatus(engine.transport.name, engine.transport.name);
  engine.once("upgrade", (transport) => {
    showStatus(transport.name, `${transport.name}, upgraded after ${Math.round(performance.now() - began)} ms`);
    $("status").classList.remove("flash");
    void $("status").offsetWidth; // restarts the animation
    $("status").classList.add("flash");
  });
}

function showStatus(state, text) {
  $("status").dataset.state = state;
  $("transport").textContent = text;
  if (state === "offline") $("rtt").textContent = "";
}

function measure() {
  if (!socket.connected) return;
  const sent = performance.now();
  socket.timeout(4000).emit("clock", sent, (error) => {
    if (!error) $("rtt").textContent = `${(performance.now() - sent).toFixed(1)} ms`;
  });
}
setInterval(measure, 2000);

// The server's events

socket.on("said", (message) => {
  const room = rooms.get(message.room);
  if (!room) return;
  delete room.typing[message.name];
  add(message.room, message);
});
socket.on("presence", (roomName, members) => {
  const room = rooms.get(roomName);
  if (!room) return;
  room.members = members;
  if (roomName === current) showMembers();
});
socket.on("typing", (roomName, who) => {
  const room = rooms.get(roomName);
  if (!room) return;
  clearTimeout(room.typing[who]);
  room.typing[who] = setTimeout(() => { delete room.typing[who]; showTyping(); }, 2500);
  showTyping();
});

// Rooms

function enter(roomName) {
  socket.emit("enter", roomName, (answer) => {
    if (answer.error) return notice(answer.error);
    const known = rooms.get(roomName);
    const room = known || { items: [], members: [], unread: 0, typing: {}, seen: new Set() };
    room.members = answer.members;
    rooms.set(roomName, room);
    for (const message of answer.history) add(roomName, message, true);
    if (!known) open(roomName); else if (roomName === current) show();
  });
}

function leave(roomName) {
  socket.emit("leave", roomName, () => {});
  for (const item of rooms.get(roomName).items) forget(item);
  rooms.delete(roomName);
  if (roomName === current) open([...rooms.keys()][0] || "");
  else showTabs();
}

function open(roomName) {
  current = roomName;
  if (rooms.has(roomName)) rooms.get(roomName).unread = 0;
  show();
  $("text").focus({ preventScroll: true });
}

function add(roomName, message, past = false) {
  const room = rooms.get(roomName);
  if (message.id !== undefined) {
    if (room.seen.has(message.id)) return;
    room.seen.add(message.id);
  }
  const item = { ...message };
  if (message.picture) {
    item.url = URL.createObjectURL(new Blob([message.picture], { type: message.kind }));
    delete item.picture;
  }
  room.items.push(item);
  while (room.items.length > KEPT) forget(room.items.shift());
  if (roomName !== current) { if (!past) { room.unread += 1; showTabs(); } return item; }
  draw(item, room.items.at(-2));
  showTyping();
  return item;
}

function forget(item) {
  if (item.url) URL.revokeObjectURL(item.url);
  item.element?.remove();
}

// Saying something

$("say").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = $("text").value.trim();
  if (!text || !current) return;
  $("text").value = "";
  deliver(add(current, { room: current, name, text, mine: true }), "say", text);
});

function sendPicture(file) {
  if (!file || !current) return;
  if (!/^image\/(png|jpeg|gif|webp)$/.test(file.type)) return notice("A picture is a PNG, JPEG, GIF or WebP.");
  if (file.size > MAX_PICTURE) return notice(`That picture is too large: at most ${MAX_PICTURE / 1000} kB.`);
  file.arrayBuffer().then((bytes) => {
    const item = add(current, { room: current, name, kind: file.type, picture: bytes, mine: true });
    deliver(item, "picture", file.type, bytes);
  });
}

function deliver(item, event, ...content) {
  const room = rooms.get(item.room);
  tick(item, "✓", "");
  socket.emit(event, item.room, ...content, (answer) => {
    if (answer.error) return tick(item, answer.error, "failed");
    room.seen.add(answer.id);
    tick(item, "✓✓", "done");
  });
}

function tick(item, text, state) {
  item.tick = [text, state];
  const element = item.element?.querySelector(".tick");
  if (!element) return;
  element.textContent = text;
  element.className = `tick ${state}`;
  element.title = state === "done" ? "the server has it" : state === "failed" ? "" : "sent";
}

let typed = -Infinity;
$("text").addEventListener("input", () => {
  if (performance.now() - typed < 1000 || !current) return;
  typed = performance.now();
  socket.volatile.emit("typing", current);
});
$("file").addEventListener("change", (event) => { sendPicture(event.target.files[0]); event.target.value = ""; });
addEventListener("paste", (event) => {
  const file = [...(event.clipboardData?.files || [])][0];
  if (file) { event.preventDefault(); sendPicture(file); }
});
addEventListener("dragover", (event) => { event.preventDefault(); document.body.classList.add("dropping"); });
addEventListener("dragleave", () => document.body.classList.remove("dropping"));
addEventListener("drop", (event) => {
  event.preventDefault();
  document.body.classList.remove("dropping");
  sendPicture(event.dataTransfer.files[0]);
});

// The rest of the page

$("new-room").addEventListener("submit", (event) => {
  event.preventDefault();
  const roomName = $("room-name").value.trim();
  $("room-name").value = "";
  if (rooms.has(roomName)) open(roomName); else if (roomName) enter(roomName);
});
$("name").addEventListener("change", () => {
  const wanted = $("name").value.trim();
  if (!wanted) { $("name").value = name; return; }
  name = wanted;
  sessionStorage.setItem("name", name);
  document.title = `${name} · trio_socketio chat`;
  if (socket.connected) socket.emit("rename", name, (answer) => answer.error && notice(answer.error));
});
$("cut").addEventListener("click", () => socket.io.engine?.close());
$("theme").addEventListener("click", () => {
  const dark = getComputedStyle(document.documentElement).getPropertyValue("--page").trim() === "#15151d";
  document.documentElement.dataset.theme = dark ? "light" : "dark";
  localStorage.setItem("theme", dark ? "light" : "dark");
});
if (localStorage.getItem("theme")) document.documentElement.dataset.theme = localStorage.getItem("theme");

let hideNotice;
function notice(text) {
  $("notice").textContent = text;
  $("notice").hidden = false;
  clearTimeout(hideNotice);
  hideNotice = setTimeout(() => { $("notice").hidden = true; }, 4000);
}

function element(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

function hue(text) {
  let sum = 0;
  for (const character of text) sum = (sum * 31 + character.codePointAt(0)) % 6;
  return `hue${sum}`;
}

function draw(item, before) {
  const line = element("li", "message");
  line.classList.toggle("mine", Boolean(item.mine));
  line.classList.toggle("same", before?.name === item.name && !before?.mine === !item.mine);
  const who = element("div", "who");
  who.append(element("span", `dot ${hue(item.name)}`), item.name);
  const body = element("div", item.url ? "body has-picture" : "body", item.text);
  if (item.url) {
    const picture = element("img", "picture");
    picture.src = item.url;
    picture.alt = `a picture from ${item.name}`;
    picture.addEventListener("load", scrollDown, { once: true });
    body.append(picture);
  }
  line.append(who, body);
  if (item.mine) line.append(element("div", "tick"));
  item.element = line;
  if (item.tick) tick(item, ...item.tick);
  $("messages").append(line);
  scrollDown();
}

function scrollDown() { $("messages").scrollTop = $("messages").scrollHeight; }

function show() {
  const room = rooms.get(current);
  $("messages").replaceChildren();
  room?.items.forEach((item, index) => draw(item, room.items[index - 1]));
  showTabs();
  showMembers();
  showTyping();
}

function showTabs() {
  $("tabs").replaceChildren(...[...rooms].map(([roomName, room]) => {
    const tab = element("div", "tab");
    tab.setAttribute("role", "tab");
    tab.setAttribute("aria-selected", String(roomName === current));
    const select = element("button", "", roomName);
    select.type = "button";
    select.addEventListener("click", () => open(roomName));
    if (room.unread) select.append(element("span", "new", room.unread));
    tab.append(select);
    if (rooms.size > 1) {
      const close = element("button", "", "×");
      close.type = "button";
      close.setAttribute("aria-label", `Leave ${roomName}`);
      close.addEventListener("click", () => leave(roomName));
      tab.append(close);
    }
    return tab;
  }));
}

function showMembers() {
  $("members").replaceChildren(...(rooms.get(current)?.members || []).map((member) => {
    const line = element("li");
    line.append(element("span", `dot ${hue(member)}`), member);
    return line;
  }));
}

function showTyping() {
  const people = Object.keys(rooms.get(current)?.typing || {});
  $("typing").textContent = people.length ? `${people.join(", ")} ${people.length > 1 ? "are" : "is"} typing …` : "";
}
