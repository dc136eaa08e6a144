// A list of buttons: a press is told with the button's data, and the focus
// stays on its button when the list is rendered again.
let focused = null;
const keyOf = button => JSON.stringify(button.dataset);
element.addEventListener('focusin', event => focused = event.target);
element.addEventListener('focusout', event => {
  if (event.relatedTarget) focused = null;
});
element.addEventListener('click', event => {
  const button = event.target.closest('button');
  if (button) trigger('click', {...button.dataset});
});
watch('value', () => {
  if (!focused?.dataset || document.activeElement !== document.body) return;
  const all = [...element.querySelectorAll('button')];
  all.find(button => keyOf(button) === keyOf(focused))?.focus();
});
