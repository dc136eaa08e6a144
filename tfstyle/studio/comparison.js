const find = name => element.querySelector(name);
const findAll = name => [...element.querySelectorAll(name)];
let ends = [];  // where the left and middle pictures end, % of what is seen
let dragged = null;  // number of the divider under the pointer

const arrange = () => {
  const view = find('.window'), pair = find('.pair');
  const images = findAll('.pair img'), right = find('.right');
  if (!right || images.some(image => !image.naturalWidth)) return;
  if (ends.length !== images.length - 1)
    ends = images.length === 3 ? [33, 67] : [50];
  const full = Math.max(...images.map(image => image.naturalWidth));
  const shape = right.naturalWidth / right.naturalHeight;
  const whole = Math.min(view.clientWidth, 0.6 * innerHeight * shape);
  const width = `${Math.floor(props.zoom ? props.zoom * full : whole)}px`;
  if (pair.style.width !== width) {
    const x = (view.scrollLeft + view.clientWidth / 2) / view.scrollWidth;
    const y = (view.scrollTop + view.clientHeight / 2) / view.scrollHeight;
    pair.style.width = width;
    view.scrollLeft = x * view.scrollWidth - view.clientWidth / 2;
    view.scrollTop = y * view.scrollHeight - view.clientHeight / 2;
  }
  pair.classList.toggle('pixels', props.zoom > 1);
  pair.classList.toggle('whole', !props.zoom);
  divide();
};
/** Returns the left and right edge of what is seen of the pictures, pixels. */
const edges = () => {
  const box = find('.window').getBoundingClientRect();
  const all = find('.pair').getBoundingClientRect();
  return [
    Math.max(box.left, all.left),
    Math.min(box.left + find('.window').clientWidth, all.right),
  ];
};
const divide = () => {
  const [start, end] = edges();
  const pair = find('.pair'), left = pair.getBoundingClientRect().left;
  findAll('.divider').forEach((divider, number) => {
    divider.hidden = findAll('.line')[number].hidden = number >= ends.length;
    if (divider.hidden) return;
    divider.value = ends[number];
    divider.style.width = `${end - start}px`;
    divider.style.marginLeft =
      `${start - find('.window').getBoundingClientRect().left}px`;
    const at = start - left + (end - start) * ends[number] / 100;
    pair.style.setProperty(['--at', '--end'][number], `${at}px`);
  });
};
/** Moves a divider, and the other one where it would be passed. */
const move = (number, percent) => {
  ends = ends.map((end, other) =>
    other === number ? Math.min(Math.max(percent, 0), 100)
      : other < number ? Math.min(end, percent) : Math.max(end, percent));
  divide();
};
const follow = event => {
  const [start, end] = edges();
  const percent = 100 * (event.clientX - start) / (end - start);
  if (dragged === null) {
    const [first, second] = ends.map(at => Math.abs(at - percent));
    dragged = second < first || (second === first && percent > ends[0]) ? 1 : 0;
  }
  move(dragged, percent);
};
element.addEventListener('input', event =>
  move(findAll('.divider').indexOf(event.target), +event.target.value));
element.addEventListener('pointerdown', event => {
  const pair = event.target.closest('.pair');
  // A finger scrolls enlarged pictures, unless it is on a divider.
  const scrolls = event.pointerType === 'touch' && props.zoom &&
    !event.target.closest('.line');
  if (!pair || !ends.length || event.button || scrolls) return;
  pair.setPointerCapture(event.pointerId);
  follow(event);
});
element.addEventListener('pointermove', event => {
  if (dragged !== null) follow(event);
});
for (const end of ['pointerup', 'pointercancel'])
  element.addEventListener(end, () => { dragged = null; });
element.addEventListener('dragstart', event => event.preventDefault());
element.addEventListener('scroll', divide, true);
element.addEventListener('load', arrange, true);
new ResizeObserver(arrange).observe(element);
watch(['value', 'zoom'], arrange);
