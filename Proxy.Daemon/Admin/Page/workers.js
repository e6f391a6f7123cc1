// The workers: what is wrong with them, what they carry, and drain and enable.

import { post } from "./api.js";
import { confirm, note, showDetails } from "./dialogs.js";
import { bytes, milliseconds, number, perSecond, plural, relay } from "./format.js";
import { sparkPoints } from "./history.js";
import { Rows, Shortened, setAttribute, setText } from "./rows.js";

const MostRows = 100, MostProblems = 6;

const byId = id => document.getElementById(id);

/** What the operator's word and health's come to, in one word, and how bad it is. */
export function conditionOf({ health }) {
  if (health.administrative === "draining")
    return { word: "Draining", level: "rest" };
  if (health.administrative === "leaving")
    return { word: "Leaving", level: "rest" };
  switch (health.state) {
    case "HEALTHY": return { word: "Healthy", level: "ok" };
    case "SUSPECT": return { word: "Suspect", level: "warn" };
    case "RECOVERY": return { word: "Recovery", level: "bad" };
    case "DEAD": return { word: "Dead", level: "bad" };
    default: return { word: health.state, level: "warn" };
  }
}

function isAvailable({ health }) {
  return health.administrative === "enabled" && (health.state === "HEALTHY" || health.state === "SUSPECT");
}

/** Why it is in that condition, and what is wrong besides; empty: nothing. */
function whyOf({ health, tor }) {
  const parts = [];
  if (health.reason)
    parts.push(health.reason);
  if (health.next_retry)
    parts.push(health.next_retry === "0s" ? "it is tried now" : `next try in ${health.next_retry}`);
  if (health.administrative !== "enabled" && health.state !== "HEALTHY")
    parts.push(`it is ${health.state.toLowerCase()} as well`);
  // Of one that is down the control port is down as well.
  if (tor?.problem && (health.state === "HEALTHY" || health.state === "SUSPECT"))
    parts.push(`control port: ${tor.problem}`);
  else if (tor?.connected && tor.bootstrap < 100)
    parts.push(`tor has started to ${tor.bootstrap} %`);
  return parts.join("; ");
}

function hasProblem(worker) {
  return conditionOf(worker).level !== "ok" || Boolean(worker.tor?.problem) || (worker.tor?.connected && worker.tor.bootstrap < 100);
}

export class Workers {
  #all = [];

  constructor(history, redraw, refresh) {
    this.history = history;
    this.refresh = refresh;
    this.list = new Shortened("workers", "workers", MostRows, redraw);
    this.rows = new Rows(
      byId("workers-rows"), byId("workers-row"), worker => worker.id, (fields, worker) => this.#fill(fields, worker),
      { details: worker => this.#details(worker), steer: worker => this.#steer(worker) });
    this.problems = new Rows(byId("problems"), problemTemplate(), problem => problem.key, (fields, problem, element) => {
      setText(element, problem.text);
      setAttribute(element, "data-level", problem.level);
    });
    byId("workers-find").addEventListener("input", redraw);
    byId("workers-which").addEventListener("change", redraw);
  }

  set all(value) {
    this.#all = value;
  }

  get all() {
    return this.#all;
  }

  draw() {
    this.longest = this.history.longestConnect;
    const find = byId("workers-find").value.trim().toLowerCase(), onlyProblems = byId("workers-which").value === "problems";
    const found = this.#all.filter(worker => (!onlyProblems || hasProblem(worker)) && (!find
      || [worker.id, worker.address, worker.country ?? "", conditionOf(worker).word].some(text => text.toLowerCase().includes(find))));
    this.rows.update(this.list.take(found, this.#all.length, "There is no worker."));
    this.#drawOverview();
  }

  #drawOverview() {
    const available = this.#all.filter(isAvailable).length, all = this.#all.length;
    const problems = this.#all.filter(hasProblem);
    const isRest = problems.every(worker => conditionOf(worker).level === "rest");
    const level = available === 0 ? "bad" : available === all ? "ok" : isRest ? "rest" : "warn";
    const verdict = byId("verdict");
    setAttribute(verdict, "data-level", level);
    setText(verdict, available === 0 ? "No worker can carry connections: clients get errors."
      : available === all ? all === 1 ? "The worker carries connections." : `All ${all} workers carry connections.`
      : `${available} of ${plural(all, "worker")} carr${available === 1 ? "ies" : "y"} connections.`);
    const shown = problems.slice(0, MostProblems).map(worker => {
      const { word, level } = conditionOf(worker), why = whyOf(worker);
      return { key: worker.id, level, text: `${worker.id}: ${word.toLowerCase()}${why ? ` (${why})` : ""}` };
    });
    if (problems.length > shown.length)
      shown.push({ key: "", level: "rest", text: `and ${problems.length - shown.length} more: show those “with problems” below` });
    this.problems.update(shown);

    const rates = this.history.rates;
    setText(byId("figure-dials"), perSecond(rates.dials));
    setText(byId("figure-received"), bytes(rates.received));
    setText(byId("figure-sent"), bytes(rates.sent));
    const connects = this.#all.map(worker => worker.connect_ms).filter(value => value !== undefined).sort((a, b) => a - b);
    setText(byId("figure-connect"), connects.length ? milliseconds(connects[connects.length >> 1]) : "–");
  }

  #fill(fields, worker) {
    const { word, level } = conditionOf(worker), history = this.history.of(worker.id), rates = history.rates;
    setText(fields.id, worker.id);
    setText(fields.place, [worker.managed ? "our own tor" : worker.address, worker.country?.toUpperCase()].filter(Boolean).join(", "));
    setAttribute(fields.state, "data-level", level);
    setText(fields.word, word);
    setText(fields.why, whyOf(worker));
    setText(fields.active, number(worker.health.connections));
    setText(fields.dials, perSecond(rates.dials));
    setText(fields.received, bytes(rates.received));
    setText(fields.sent, bytes(rates.sent));
    setText(fields.connect, milliseconds(worker.connect_ms));
    const values = history.connect.filter(value => value !== null);
    setAttribute(fields.line, "points", sparkPoints(history.connect, this.longest));
    setAttribute(fields.spark, "aria-label", values.length === 0 ? "no connect time yet"
      : `${milliseconds(Math.min(...values))} to ${milliseconds(Math.max(...values))} in the last minute`);
    setText(fields.success, worker.total_connections ? `${Math.round(worker.health.success_rate * 100)} %` : "–");

    const isOut = worker.health.administrative !== "enabled" || worker.health.state === "DEAD" || worker.health.state === "RECOVERY";
    const verb = isOut ? "Enable" : "Drain";
    setText(fields.steer, verb);
    setAttribute(fields.steer, "aria-label", `${verb} ${worker.id}`);
    fields.steer.disabled = worker.health.administrative === "leaving";
  }

  /** Drain is undone by enable; asked about is what leaves clients without any worker. */
  async #steer(worker) {
    const verb = worker.health.administrative !== "enabled" || !isAvailable(worker) ? "enable" : "drain";
    if (verb === "drain" && this.#all.filter(isAvailable).length === 1 && !await confirm(
      `Drain ${worker.id}, the last worker?`,
      "No other worker can carry connections: every new client gets an error until one is enabled. Live connections go on.",
      "Drain the last worker"))
      return;
    try {
      const now = await post(`/api/v1/workers/${encodeURIComponent(worker.id)}/${verb}`);
      note(verb === "enable" ? `${worker.id} is enabled.`
        : `${worker.id} drains: no new connections, ${plural(now.health.connections, "live one")} may finish. Enable brings it back.`);
    } catch (failure) {
      note(`${worker.id}: ${failure.message}`, true);
    }

    this.refresh();
  }

  #details({ id }) {
    return showDetails(id, async () => {
      const worker = this.#all.find(one => one.id === id);
      if (!worker)
        return [["Gone", "There is no such worker any more."]];
      const { health, tor } = worker, warm = tor?.warm;
      return [
        ["State", `${conditionOf(worker).word}${health.administrative === "enabled" ? "" : `, health says ${health.state}`}`],
        ["Why", whyOf(worker)],
        ["Failures that count now", String(health.failures)],
        ["Address", worker.address],
        ["Country", worker.country?.toUpperCase()],
        ["Weight", String(worker.weight)],
        ["Connections", `${number(health.connections)} now, ${number(worker.total_connections)} since the start, ${number(worker.total_failures)} failed by its fault`],
        ["Carried", `${bytes(worker.bytes_received)} received, ${bytes(worker.bytes_sent)} sent since the start`],
        ["Connect time", milliseconds(worker.connect_ms)],
        ["Tor", tor && `${tor.version ?? "version not known"}, ${tor.connected ? "watched by its control port" : "not watched"}`],
        ["Known faults of this tor", tor?.faults.map(fault => `${fault.reference}: ${fault.consequence} (fixed in ${fault.fixed_in})`)],
        ["Tor's network", tor && (tor.network_live ? `live, ${tor.bootstrap} % started` : `not live, ${tor.bootstrap} % started`)],
        ["Circuits", tor && `${tor.circuits} now with ${plural(tor.streams, "stream")}; in the last minute ${tor.circuits_built} built, ${tor.circuit_timeouts} timed out`],
        ["Ready circuits", warm && `${warm.clean} clean, ${warm.building} in the making, ${warm.target} wanted${warm.held ? `; held: ${warm.held}` : ""}`],
        ["Guards that are down", tor?.guards_down.map(relay)],
        ["No exit is blamed", tor?.brake],
      ];
    });
  }
}

function problemTemplate() {
  const template = document.createElement("template");
  template.content.append(document.createElement("li"));
  return template;
}

