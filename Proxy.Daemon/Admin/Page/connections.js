// Live connections: found, ordered, shown with their circuits, closed.

import { get, remove } from "./api.js";
import { confirm, note, showDetails } from "./dialogs.js";
import { bytes, duration, milliseconds, relay } from "./format.js";
import { Rows, Shortened, setAttribute, setText } from "./rows.js";

const MostRows = 100;

const byId = id => document.getElementById(id);

const Levels = { open: "ok", connecting: "rest", handshake: "rest" };

const traffic = connection => connection.bytes_sent + connection.bytes_received;

// The daemon's own order is the oldest first.
const Orders = {
  oldest: list => list,
  newest: list => list.toReversed(),
  traffic: list => list.toSorted((a, b) => traffic(b) - traffic(a)),
};

export class Connections {
  #all = [];

  constructor(redraw, refresh) {
    this.refresh = refresh;
    this.list = new Shortened("connections", "connections", MostRows, redraw);
    this.rows = new Rows(
      byId("connections-rows"), byId("connections-row"), connection => connection.id, fill,
      { details: ({ id }) => details(id), close: connection => this.#close(connection) });
    byId("connections-find").addEventListener("input", redraw);
    byId("connections-order").addEventListener("change", redraw);
  }

  set all(value) {
    this.#all = value;
  }

  draw() {
    const find = byId("connections-find").value.trim().toLowerCase();
    const found = find ? this.#all.filter(connection => isLike(connection, find)) : this.#all;
    const ordered = Orders[byId("connections-order").value](found);
    this.rows.update(this.list.take(ordered, this.#all.length, "No client is connected."));
    setText(byId("figure-connections"), this.#all.length.toLocaleString("en"));
  }

  async #close({ id, target }) {
    if (!await confirm(
      `Close connection ${id}?`,
      `${target ? `The connection to ${target}` : "It"} ends at once, whatever it is doing. This cannot be undone.`, "Close it"))
      return;
    try {
      const was = await remove(`/api/v1/connections/${encodeURIComponent(id)}`);
      note(`Connection ${id} is closed, after ${bytes(was.bytes_received)} received.`);
    } catch (failure) {
      note(`Connection ${id}: ${failure.message}`, true);
    }

    this.refresh();
  }
}

function isLike({ id, target, worker, exit, listener, protocol, state }, find) {
  return [id, target, worker, exit, listener, protocol, state].some(text => text?.toLowerCase().includes(find));
}

function fill(fields, connection) {
  const { id, state, protocol, target, worker, exit } = connection;
  setText(fields.id, id);
  setText(fields.how, protocol);
  setText(fields.target, target ?? "–");
  setText(fields.by, [worker, state === "open" ? "" : state].filter(Boolean).join(", "));
  setAttribute(fields.state, "data-level", Levels[state] ?? "rest");
  setText(fields.word, state);
  setText(fields.worker, worker ?? "–");
  setText(fields.exit, exit ? relay(exit) : "–");
  setText(fields.age, duration(connection.age_ms));
  setText(fields.received, bytes(connection.bytes_received));
  setText(fields.sent, bytes(connection.bytes_sent));
  setAttribute(fields.close, "aria-label", `Close connection ${id}`);
}

function details(id) {
  return showDetails(`Connection ${id}`, async () => {
    const one = await get(`/api/v1/connections/${encodeURIComponent(id)}`);
    return [
      ["State", one.state === "ended" ? `ended ${duration(one.ended_ms_ago)} ago${one.end ? ` (${one.end})` : ""}` : one.state],
      ["Target", one.target],
      ["Came by", `${one.listener}, ${one.protocol}`],
      ["Worker", one.worker && `${one.worker}${one.route ? ` by ${one.route}` : ""}`],
      ["Circuit", one.circuit?.path.map((name, i) => `${i + 1}. ${relay(name)}  ${name.split("~")[0]}`)],
      ["Exit", one.exit && relay(one.exit)],
      ["Attempts", one.attempts.map(attemptText)],
      ["Failure", one.cause === "ok" ? "" : `${one.cause}${one.message ? `: ${one.message}` : ""}`],
      ["Connected after", one.connect_ms === undefined ? "" : milliseconds(one.connect_ms)],
      ["Age", duration(one.age_ms)],
      ["Bytes", `${bytes(one.bytes_received)} received, ${bytes(one.bytes_sent)} sent`],
    ];
  });
}

function attemptText({ worker, outcome, cause, message, took_ms }) {
  const took = took_ms === undefined ? "" : ` after ${milliseconds(took_ms)}`;
  return `${worker}: ${outcome.replaceAll("_", " ")}${took}${cause ? `, ${cause}` : ""}${message ? ` (${message})` : ""}`;
}
