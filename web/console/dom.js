/**
 * What every view does with the document. Whatever is shown is put there as text.
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
 * The element with this id, which is in index.html.
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

/** @param {Child} label @param {() => void} pressed @param {Record<string, string>} [attributes] */
export function button(label, pressed, attributes = {}) {
  const made = element('button', { type: 'button', ...attributes }, label);
  made.addEventListener('click', pressed);
  return made;
}

/**
 * A button for what cannot be taken back: it asks once more, until the focus leaves it. `about` is what it is for, for
 * those who hear the button without its surroundings.
 *
 * @param {string} label
 * @param {string} question
 * @param {string} about
 * @param {() => void} confirmed
 */
export function confirmedButton(label, question, about, confirmed) {
  const words = document.createTextNode(label);
  const made = button(words, () => {
    if (made.classList.contains('asks')) return confirmed();
    made.classList.add('asks');
    words.data = question;
  });
  made.append(element('span', { class: 'hidden-label' }, ` ${about}`));
  made.addEventListener('blur', () => {
    made.classList.remove('asks');
    words.data = label;
  });
  return made;
}

/** @param {string} tone @param {string} words */
export function badge(tone, words) {
  return element('span', { class: `badge ${tone}` }, words);
}

/** Changes a text only if it is another: what has not changed is not announced. @param {Node} node @param {string} text */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Puts a button that copies it beside each command. @param {ParentNode} root */
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
 * A function that has `render` called once, at the next frame, however often it is called itself.
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

/** A row of a list: its node, and how it is brought up to date. @template Item @typedef {{ node: Element, update: (item: Item) => void }} Row */

/** The children of an element, one for each item: rows stay as long as their item does, focus and all. @template Item */
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
