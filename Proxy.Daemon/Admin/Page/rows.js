// A list on the page whose rows stay the same elements for as long as what they show is there: nothing loses its focus, and only what
// changed is written. Values become text, never markup: names of hosts and sessions come from clients.

/** Writes a text where it differs. */
export function setText(element, text) {
  if (element.textContent !== text)
    element.textContent = text;
}

/** Writes an attribute where it differs. */
export function setAttribute(element, name, value) {
  if (element.getAttribute(name) !== value)
    element.setAttribute(name, value);
}

export class Rows {
  #rows = new Map();

  /**
   * @param {HTMLElement} body where the rows are
   * @param {HTMLTemplateElement} template one row; [data-f] are its fields, [data-do] what can be done by it
   * @param {(item) => string} key
   * @param {(fields, item, row) => void} fill
   * @param {Object<string, (item, button) => void>} actions by the word of data-do
   */
  constructor(body, template, key, fill, actions = {}) {
    this.body = body;
    this.template = template.content.firstElementChild;
    this.key = key;
    this.fill = fill;
    body.addEventListener("click", event => {
      const button = event.target.closest("[data-do]");
      const row = button?.closest("[data-key]");
      const item = row && this.#rows.get(row.dataset.key)?.item;
      if (item)
        actions[button.dataset.do](item, button);
    });
  }

  /** Shows these items in this order. */
  update(items) {
    const focus = this.#focused();
    const keys = new Set(items.map(this.key));
    for (const [key, row] of this.#rows) {
      if (!keys.has(key)) {
        row.element.remove();
        this.#rows.delete(key);
      }
    }

    let next = this.body.firstElementChild;
    for (const item of items) {
      const row = this.#rows.get(this.key(item)) ?? this.#add(this.key(item));
      row.item = item;
      this.fill(row.fields, item, row.element);
      if (row.element === next)
        next = next.nextElementSibling;
      else
        move(this.body, row.element, next);
    }

    if (focus)
      this.#restore(focus);
  }

  get count() {
    return this.#rows.size;
  }

  #add(key) {
    const element = this.template.cloneNode(true);
    element.dataset.key = key;
    const fields = {};
    for (const field of element.querySelectorAll("[data-f]"))
      fields[field.dataset.f] = field;
    const row = { element, fields, item: null };
    this.#rows.set(key, row);
    return row;
  }

  #focused() {
    const element = document.activeElement;
    const row = element && this.body.contains(element) ? element.closest("[data-key]") : null;
    return row && { element, action: element.dataset.do, place: [...this.body.children].indexOf(row) };
  }

  /** A row that moved keeps the focus; of one that went it goes to the row in its place, or to the list's own heading. */
  #restore({ element, action, place }) {
    if (document.activeElement === element)
      return;
    const row = this.body.children[Math.min(place, this.body.children.length - 1)];
    const heir = element.isConnected ? element : row?.querySelector(`[data-do="${action}"]`) ?? this.body.closest("section");
    heir.focus({ preventScroll: true });
  }
}

function move(body, element, before) {
  // Keeps the focus while it moves, where the browser can.
  if (element.isConnected && body.moveBefore)
    body.moveBefore(element, before);
  else
    body.insertBefore(element, before);
}

/** A list of which only the first rows are shown until more are asked for; the rest is counted. */
export class Shortened {
  #most;

  /** @param {string} name the beginning of its elements' ids; @param {string} noun what the rows are, in plural */
  constructor(name, noun, most, redraw) {
    this.#most = most;
    this.noun = noun;
    this.shown = document.getElementById(`${name}-shown`);
    this.count = document.getElementById(`${name}-count`);
    this.more = document.getElementById(`${name}-more`);
    this.more?.addEventListener("click", () => {
      this.#most += most;
      redraw();
    });
  }

  /** The rows to show of those that were found among all. */
  take(found, all, none) {
    const part = found.length > this.#most ? found.slice(0, this.#most) : found;
    setText(this.count, all ? all.toLocaleString("en") : "");
    setText(this.shown, found.length === 0 ? all ? `None of ${all.toLocaleString("en")} ${this.noun} is like that.` : none
      : part.length < all ? `${part.length.toLocaleString("en")} of ${all.toLocaleString("en")} ${this.noun} are shown.` : "");
    if (this.more)
      this.more.hidden = part.length === found.length;
    return part;
  }
}
