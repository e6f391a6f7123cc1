// Sessions, avoided exits, and what happened.

import { post, remove } from "./api.js";
import { confirm, note } from "./dialogs.js";
import { clock, duration, number, relay } from "./format.js";
import { Rows, Shortened, setAttribute, setText } from "./rows.js";

const MostRows = 50, MostEvents = 200;

const byId = id => document.getElementById(id);

export class Sessions {
  #all = [];

  constructor(redraw, refresh) {
    this.refresh = refresh;
    this.list = new Shortened("sessions", "sessions", MostRows, redraw);
    this.rows = new Rows(byId("sessions-rows"), byId("sessions-row"), session => session.id, (fields, session) => {
      setText(fields.name, session.name ?? session.id);
      setText(fields.worker, session.worker ?? "–");
      setText(fields.uses, number(session.uses));
      setText(fields.idle, duration(session.idle_ms));
      setText(fields.age, duration(session.age_ms));
      setText(fields.ends, endOf(session));
      setAttribute(fields.rotate, "aria-label", `Rotate session ${session.name ?? session.id}`);
    }, { rotate: session => this.#rotate(session) });
    byId("sessions-find").addEventListener("input", redraw);
  }

  set all(value) {
    this.#all = value;
  }

  draw() {
    const find = byId("sessions-find").value.trim().toLowerCase();
    const found = this.#all.filter(({ id, name, worker }) => [id, name, worker].some(text => text?.toLowerCase().includes(find)));
    this.rows.update(this.list.take(found, this.#all.length, "No client uses a session."));
  }

  async #rotate({ id, name }) {
    const shown = name ?? id;
    if (!await confirm(
      `Rotate session ${shown}?`,
      "From its next connection on it has another circuit, and most likely another exit. Its open connections stay. "
        + "The circuit that it has now cannot be had back.",
      "Rotate it"))
      return;
    try {
      await post(`/api/v1/sessions/${encodeURIComponent(id)}/rotate`);
      note(`Session ${shown} has a new circuit from its next connection on.`);
    } catch (failure) {
      note(`Session ${shown}: ${failure.message}`, true);
    }

    this.refresh();
  }
}

function endOf({ expires_ms, uses_left }) {
  const parts = [];
  if (expires_ms !== undefined)
    parts.push(expires_ms > 0 ? `in ${duration(expires_ms)}` : "at the next connection");
  if (uses_left !== undefined)
    parts.push(`after ${number(uses_left)} more`);
  return parts.join(", ") || "when rotated";
}

export class Blacklist {
  #all = [];

  constructor(redraw, refresh) {
    this.refresh = refresh;
    this.list = new Shortened("blacklist", "exits", MostRows, redraw);
    this.rows = new Rows(byId("blacklist-rows"), byId("blacklist-row"), one => `${one.worker} ${one.fingerprint}`, (fields, one) => {
      setText(fields.name, relay(one.relay));
      setText(fields.fingerprint, one.fingerprint);
      setText(fields.worker, one.worker + (one.in_force ? "" : " (its tor is not told yet)"));
      setText(fields.why, one.why);
      setText(fields.left, duration(one.expires_ms));
      setAttribute(fields.forgive, "aria-label", `Use again: ${relay(one.relay)}`);
    }, { forgive: one => this.#forgive(one) });
    byId("blacklist-find").addEventListener("input", redraw);
  }

  set all(value) {
    this.#all = value;
  }

  draw() {
    const find = byId("blacklist-find").value.trim().toLowerCase();
    const found = this.#all.filter(one => [one.relay, one.worker, one.why].some(text => text.toLowerCase().includes(find)));
    this.rows.update(this.list.take(found, this.#all.length, "No exit is avoided."));
  }

  async #forgive({ relay: name, fingerprint }) {
    if (!await confirm(
      `Use ${relay(name)} again?`, "Every worker takes it off its list. It comes back when connections through it fail again.", "Use it again"))
      return;
    try {
      await remove(`/api/v1/blacklist?relay=${encodeURIComponent(fingerprint)}`);
      note(`${relay(name)} may be used again.`);
    } catch (failure) {
      note(`${relay(name)}: ${failure.message}`, true);
    }

    this.refresh();
  }
}

export class Events {
  #all = [];

  constructor(redraw) {
    this.list = new Shortened("events", "events", MostEvents, redraw);
    this.rows = new Rows(byId("events-rows"), byId("events-row"), happened => happened.id, (fields, happened, element) => {
      setText(fields.time, clock(happened.time));
      setAttribute(fields.time, "datetime", happened.time);
      setAttribute(element, "data-level", happened.level);
      setText(fields.level, happened.level === "info" ? "" : happened.level);
      setText(fields.text, happened.message);
    });
    byId("events-which").addEventListener("change", redraw);
  }

  /** The latest comes first; older ones than are shown are not kept. */
  add(happened) {
    if (!happened.id || this.#all.some(one => one.id === happened.id))
      return;
    this.#all.unshift(happened);
    this.#all.length = Math.min(this.#all.length, MostEvents);
  }

  draw() {
    const found = byId("events-which").value ? this.#all.filter(happened => happened.level !== "info") : this.#all;
    this.rows.update(this.list.take(found, this.#all.length, "Nothing has happened yet."));
  }
}
