// The picture of a run, which is replaced without a flicker; the original as
// long as it is held; single pixels; the full screen.
const block = element.closest('.block');
const find = name => element.querySelector(`.${name}`);
const show = () => {
  const {picture, original, film, run} = props;
  const stage = find('stage');
  if (run !== null) stage.dataset.run = run; // null until the server has told
  stage.setAttribute('aria-label', film ? 'The film' : 'The picture as it is');
  find('empty').hidden = Boolean(picture || film || run);
  find('tools').hidden = !picture && !film;
  for (const [name, address] of [['result', picture], ['original', original]]) {
    const image = find(name);
    if (address && image.getAttribute('src') !== address) image.src = address;
    if (!address) image.removeAttribute('src');
  }
  find('result').hidden = !picture;
  find('film').hidden = !film;
  if (find('film').dataset.html !== film) {
    find('film').innerHTML = film || '';
    find('film').dataset.html = film || '';
  }
  find('hold').hidden = !original || !picture;
  find('exact').hidden = !picture;
  if (!original) hold(false);
};
const hold = isHeld => {
  find('original').hidden = !isHeld || !props.original;
  find('stage').classList.toggle('held', isHeld && Boolean(props.original));
};
const isKey = event => event.key === ' ' || event.key === 'Enter';
element.addEventListener('pointerdown', event => {
  const isPicture = event.target.closest('.stage') && event.button === 0 &&
    !element.querySelector('.stage.exact') && !event.target.closest('.film');
  if (isPicture || event.target.closest('.hold')) hold(true);
});
for (const name of ['pointerup', 'pointercancel', 'blur'])
  window.addEventListener(name, () => hold(false));
element.addEventListener('keydown', event => {
  if (event.target.closest('.hold') && isKey(event)) hold(true);
});
element.addEventListener('keyup', () => hold(false));
element.addEventListener('contextmenu', event => {
  if (event.target.closest('.hold')) event.preventDefault();
});
element.addEventListener('dragstart', event => event.preventDefault());
element.addEventListener('click', event => {
  const button = event.target.closest('button');
  if (button?.matches('.exact')) {
    const isExact = find('stage').classList.toggle('exact');
    button.setAttribute('aria-pressed', isExact);
  }
  if (button?.matches('.fill')) {
    if (document.fullscreenElement) document.exitFullscreen();
    else if (block.requestFullscreen) block.requestFullscreen();
    else block.classList.toggle('whole-page');
  }
});
document.addEventListener('fullscreenchange', () => {
  const isFull = document.fullscreenElement === block;
  find('fill')?.setAttribute('aria-pressed', isFull);
});
watch(['picture', 'original', 'film', 'run'], show);
show();
