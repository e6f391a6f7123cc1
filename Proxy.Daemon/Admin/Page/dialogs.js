// Questions, details and notes.

import { setText } from "./rows.js";

const NoteMs = 8000, SayMs = 2500, MostNotes = 3;

const byId = id => document.getElementById(id);

/** Asks before something that cannot be undone. True: it is to be done. */
export function confirm(title, text, verb) {
  const dialog = byId("confirm");
  setText(byId("confirm-title"), title);
  setText(byId("confirm-text"), text);
  setText(byId("confirm-yes"), verb);
  return new Promise(resolve => {
    let isSure = false;
    byId("confirm-yes").onclick = () => {
      isSure = true;
      dialog.close();
    };
    byId("confirm-no").onclick = () => dialog.close();
    dialog.onclose = () => resolve(isSure);
    dialog.showModal();
    byId("confirm-no").focus();
  });
}

/** Asks for the token until one is given: without it there is nothing to be seen. */
export function askToken(wasWrong) {
  const dialog = byId("ask"), field = byId("ask-token");
  setText(byId("ask-wrong"), wasWrong ? "The daemon does not take that token." : "");
  field.value = "";
  return new Promise(resolve => {
    dialog.oncancel = event => event.preventDefault();
    dialog.onclose = () => dialog.showModal();
    byId("ask-form").onsubmit = event => {
      event.preventDefault();
      const given = field.value.trim();
      if (!given)
        return;

      // Anything else could not be sent, and nobody would ask again.
      if (!/^[\x21-\x7e]+$/.test(given)) {
        setText(byId("ask-wrong"), "A token has letters, digits and signs of ASCII only.");
        return;
      }

      dialog.onclose = null;
      dialog.close();
      field.value = "";
      resolve(given);
    };
    if (!dialog.open)
      dialog.showModal();
    field.focus();
  });
}

/** Shows what is known of one thing, and asks for it again while it is shown. */
class Details {
  #drawn = "";
  #draw = null;
  #timer = 0;

  constructor() {
    this.dialog = byId("details");
    byId("details-close").onclick = () => this.dialog.close();
    this.dialog.addEventListener("close", () => {
      this.#draw = null;
      clearTimeout(this.#timer);
    });
  }

  /** @param {() => Promise<[string, string | string[]][]>} draw names and values, in order */
  async show(title, draw) {
    this.#draw = draw;
    this.#drawn = "";
    setText(byId("details-title"), title);
    byId("details-rows").replaceChildren();
    this.dialog.showModal();
    await this.#refresh();
  }

  async #refresh() {
    const draw = this.#draw;
    if (!draw)
      return;
    let rows;
    try {
      rows = await draw();
    } catch (failure) {
      rows = [["Not known", failure.message]];
    }

    if (draw !== this.#draw)
      return;
    rows = rows.filter(([, value]) => value !== undefined && value !== null && value !== "" && value.length !== 0);
    const drawn = JSON.stringify(rows);
    if (drawn !== this.#drawn) {
      this.#drawn = drawn;
      byId("details-rows").replaceChildren(...rows.map(entry));
    }

    this.#timer = setTimeout(() => this.#refresh(), 1000);
  }
}

function entry([name, value]) {
  const group = document.createElement("div"), term = document.createElement("dt");
  term.textContent = name;
  group.append(term);
  for (const one of Array.isArray(value) ? value : [value]) {
    const description = document.createElement("dd");
    description.textContent = one;
    group.append(description);
  }

  return group;
}

let details = null;

export function showDetails(title, draw) {
  details ??= new Details();
  return details.show(title, draw);
}

/** Tells what was done or failed: for a while on the page, and to screen readers. */
export function note(text, isError = false) {
  const list = byId("notes"), one = document.createElement("p");
  one.textContent = text;
  one.className = isError ? "note error" : "note";
  list.append(one);
  while (list.childElementCount > MostNotes)
    list.firstElementChild.remove();
  setTimeout(() => one.remove(), NoteMs);
  say(text);
}

let waiting = [], sayTimer = 0, saidAt = -SayMs;

/** Tells screen readers, at a pace at which one can listen; what piles up meanwhile is counted. */
export function say(text) {
  waiting.push(text);
  if (!sayTimer)
    sayTimer = setTimeout(sayWaiting, Math.max(50, saidAt + SayMs - performance.now()));
}

function sayWaiting() {
  const latest = waiting.slice(-2), earlier = waiting.length - latest.length;
  byId("said").textContent = (earlier ? `${earlier} more changes. ` : "") + latest.join(". ");
  waiting = [];
  sayTimer = 0;
  saidAt = performance.now();
}
