/**
 * The console page of herald-local: wires the feed of what happens to the views.
 *
 * @module console
 */

/** Shows the view that the address names. */
function showView() {
  const name = location.hash.slice(1).split('/')[0] || 'events';
  for (const view of document.querySelectorAll('.view')) view.classList.toggle('current', view.id === name);
}

addEventListener('hashchange', showView);
showView();
