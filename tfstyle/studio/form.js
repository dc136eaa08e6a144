// Tells about changes of the form, half a second after the last one.
let timer = null;
window.formChanged = () => {
  clearTimeout(timer);
  timer = setTimeout(() => trigger('click'), 500);
};
// A picture that is begun takes the form as it is.
document.addEventListener('click', event => {
  if (event.target.closest('#paint, #paint-film, #sure')) clearTimeout(timer);
}, true);
