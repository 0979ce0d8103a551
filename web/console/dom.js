/**
 * Helpers of every view for the document. They add content as text, never as HTML.
 *
 * @module dom
 */

/** @typedef {Node | string | null} Child */

/**
 * @template {keyof HTMLElementTagNameMap} Name
 * @param {Name} name
 * @param {Record<string, string>} [attributes]
 * @param {...Child} children
 * @returns {HTMLElementTagNameMap[Name]}
 */
export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [attribute, value] of Object.entries(attributes)) made.setAttribute(attribute, value);
  made.append(...children.filter((child) => child !== null));
  return made;
}

/**
 * Returns the element of index.html with an id.
 *
 * @template {HTMLElement} Kind
 * @param {string} id
 * @param {new () => Kind} kind
 * @returns {Kind}
 */
export function byId(id, kind) {
  const found = document.getElementById(id);
  if (!(found instanceof kind)) throw new TypeError(`index.html has no ${kind.name} with the id ${id}`);
  return found;
}

/** @param {Child} label @param {() => void} onClick @param {Record<string, string>} [attributes] */
export function button(label, onClick, attributes = {}) {
  const made = element('button', { type: 'button', ...attributes }, label);
  made.addEventListener('click', onClick);
  return made;
}

/**
 * Returns a button for an action that cannot be undone: it asks for a second click, until it loses the focus. `about`
 * names its subject for screen readers.
 *
 * @param {string} label
 * @param {string} question
 * @param {string} about
 * @param {() => void} confirmed
 */
export function confirmedButton(label, question, about, confirmed) {
  const caption = document.createTextNode(label);
  const made = button(caption, () => {
    if (made.classList.contains('asks')) return confirmed();
    made.classList.add('asks');
    caption.data = question;
  });
  made.append(element('span', { class: 'hidden-label' }, ` ${about}`));
  made.addEventListener('blur', () => {
    made.classList.remove('asks');
    caption.data = label;
  });
  return made;
}

/** @param {string} tone @param {string} text */
export function badge(tone, text) {
  return element('span', { class: `badge ${tone}` }, text);
}

/**
 * Sets a text if it differs, since a screen reader announces every change.
 *
 * @param {Node} node
 * @param {string} text
 */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Opens a row that is a `details`, scrolls to it and gives it the focus. @param {Element | undefined} row */
export function openRow(row) {
  const details = row?.querySelector('details');
  if (!details) return;
  details.open = true;
  details.scrollIntoView({ block: 'nearest' });
  details.querySelector('summary')?.focus({ preventScroll: true });
}

/** Adds a copy button to each command. @param {ParentNode} root */
export function offerToCopy(root) {
  if (!navigator.clipboard) return;
  for (const command of root.querySelectorAll('.command')) {
    const copy = button('Copy', async () => {
      await navigator.clipboard.writeText(command.querySelector('code')?.textContent ?? '');
      copy.textContent = 'Copied';
      setTimeout(() => (copy.textContent = 'Copy'), 1500);
    });
    command.append(copy);
  }
}

/**
 * Returns a function that calls `render` once at the next frame, however often it is called itself.
 *
 * @param {() => void} render
 * @returns {() => void}
 */
export function oncePerFrame(render) {
  let requested = false;
  return () => {
    if (requested) return;
    requested = true;
    requestAnimationFrame(() => {
      requested = false;
      render();
    });
  };
}

/**
 * A row of a list: its node, and the function that updates it.
 *
 * @template Item
 * @typedef {{ node: Element, update: (item: Item) => void }} Row
 */

/**
 * The children of an element, one row for each item. A row stays as long as its item, and keeps its focus.
 *
 * @template Item
 */
export class KeyedList {
  #parent;
  #keyOf;
  #create;
  /** @type {Map<string, Row<Item>>} */
  #rows = new Map();

  /**
   * @param {Element} parent
   * @param {(item: Item) => string} keyOf
   * @param {(item: Item) => Row<Item>} create
   */
  constructor(parent, keyOf, create) {
    this.#parent = parent;
    this.#keyOf = keyOf;
    this.#create = create;
  }

  /** @param {Item[]} items */
  render(items) {
    const wanted = new Set(items.map(this.#keyOf));
    for (const [key, { node }] of this.#rows) {
      if (wanted.has(key)) continue;
      node.remove();
      this.#rows.delete(key);
    }
    let next = this.#parent.firstElementChild;
    for (const item of items) {
      const { node, update } = this.#row(item);
      update(item);
      if (node === next) next = node.nextElementSibling;
      else this.#parent.insertBefore(node, next);
    }
  }

  /** @param {string} key @returns {Element | undefined} */
  find(key) {
    return this.#rows.get(key)?.node;
  }

  /** @param {Item} item */
  #row(item) {
    const key = this.#keyOf(item);
    const row = this.#rows.get(key) ?? this.#create(item);
    this.#rows.set(key, row);
    return row;
  }
}
