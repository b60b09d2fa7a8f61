// On a narrow screen the sidebar and the connection panel are drawers, one at a
// time. On a wide one they are simply there, and nothing here does anything.

import { $ } from './dom.js';

const DRAWERS = { sidebar: matchMedia('(max-width: 820px)'), panel: matchMedia('(max-width: 1140px)') };

export function setUpDrawers() {
  for (const button of document.querySelectorAll('[data-open]')) button.addEventListener('click', () => openDrawer(button.dataset.open));
  for (const button of document.querySelectorAll('[data-close]')) button.addEventListener('click', closeDrawers);
  $('veil').addEventListener('click', closeDrawers);
  addEventListener('keydown', (e) => { if (e.key === 'Escape') closeDrawers(); });
  for (const query of Object.values(DRAWERS)) query.addEventListener('change', closeDrawers);
  closeDrawers();
}

function openDrawer(name) {
  closeDrawers();
  set(name, true);
  veil(true);
  $(name).querySelector('.drawer-close').focus();
}

export function closeDrawers() {
  veil(false); // first, since what is behind it cannot get the focus
  for (const name of Object.keys(DRAWERS)) {
    const opener = document.querySelector(`[data-open="${name}"]`);
    const hadFocus = $(name).contains(document.activeElement);
    set(name, false);
    if (hadFocus && DRAWERS[name].matches) opener.focus();
  }
}

// veil covers the page behind a drawer. What it covers cannot be tabbed to.
function veil(on) {
  $('veil').hidden = !on;
  for (const covered of document.querySelectorAll('main, .skip')) covered.inert = on;
}

function set(name, open) {
  $(name).classList.toggle('is-open', open);
  $(name).inert = DRAWERS[name].matches && !open; // what cannot be seen cannot be tabbed to
  document.querySelector(`[data-open="${name}"]`).setAttribute('aria-expanded', open);
}
