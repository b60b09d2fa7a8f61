// Small helpers to build elements. Text always goes in as text, never as
// markup: nothing in this page uses innerHTML.

export const $ = (id) => document.getElementById(id);

// el makes an element: class, dataset and on are special, undefined and false
// leave an attribute out, and children are elements or text.
export function el(tag, { class: name, dataset, on, ...attributes } = {}, ...children) {
  const e = document.createElement(tag);
  if (name) e.className = name;
  Object.assign(e.dataset, dataset);
  for (const [event, f] of Object.entries(on ?? {})) e.addEventListener(event, f);
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== false) e.setAttribute(key, value);
  }
  e.append(...children.filter((c) => c !== null && c !== undefined && c !== false));
  return e;
}

// soon returns a function that runs f once, a moment later, however often it is
// called until then: hundreds of events may arrive in one go. (A timer and not
// an animation frame, since a page in the background has none, but has a title.)
export function soon(f) {
  let timer = 0;
  return () => { timer ||= setTimeout(() => { timer = 0; f(); }, 16); };
}

// avatar is a coloured circle with the first letter of a name. The colour comes
// from the id, so that a person looks the same to everybody.
export function avatar(person, target = el('span', { class: 'avatar', 'aria-hidden': 'true' })) {
  target.dataset.hue = parseInt(person.id.slice(-4), 16) % 8;
  target.textContent = [...person.name][0].toUpperCase();
  return target;
}

// withDot is a person's avatar with a dot that is green if on is set. said is what
// the dot means, for those who do not see it.
export function withDot(person, on, said) {
  return el('span', { class: on ? 'presence on' : 'presence' }, avatar(person), el('span', { class: 'hidden' }, said));
}

// redraw makes a list show items, each of which holds one element with an id. Elements
// that are there already are changed and not replaced, so that one keeps the focus, and
// a click that has begun on it also ends on it.
export function redraw(list, items) {
  const there = new Map([...list.children].map((li) => [li.firstChild.id, li]));
  const now = items.map((item) => {
    const li = there.get(item.firstChild.id);
    if (li?.firstChild.tagName !== item.firstChild.tagName) return item;
    become(li.firstChild, item.firstChild);
    return li;
  });
  for (const li of [...list.children]) if (!now.includes(li)) li.remove();
  now.forEach((li, i) => { if (list.children[i] !== li) list.insertBefore(li, list.children[i]); });
}

// become gives an element the attributes and the children of another one.
function become(e, other) {
  if (e.isEqualNode(other)) return;
  for (const { name } of [...e.attributes]) if (!other.hasAttribute(name)) e.removeAttribute(name);
  for (const { name, value } of other.attributes) if (e.getAttribute(name) !== value) e.setAttribute(name, value);
  e.replaceChildren(...other.childNodes);
}

export const byName = (a, b) => a.name.localeCompare(b.name);

const clock = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' });
const day = new Intl.DateTimeFormat(undefined, { weekday: 'long', day: 'numeric', month: 'long' });

export const clockTime = (ms) => clock.format(ms);
export const dayName = (ms) => (new Date(ms).toDateString() === new Date().toDateString() ? 'Today' : day.format(ms));
