const parts = () => ['.window', '.pair', '.divider', '.left', '.right'].map(
  name => element.querySelector(name));
const arrange = () => {
  const [view, pair, , left, right] = parts();
  if (!left?.naturalWidth || !right?.naturalWidth) return;
  const full = Math.max(left.naturalWidth, right.naturalWidth);
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
  divide();
};
const divide = () => {
  const [view, pair, divider] = parts();
  const box = view.getBoundingClientRect();
  const all = pair.getBoundingClientRect();
  const start = Math.max(box.left, all.left);
  const end = Math.min(box.left + view.clientWidth, all.right);
  divider.style.width = `${end - start}px`;
  divider.style.marginLeft = `${start - box.left}px`;
  const at = start - all.left + (end - start) * divider.value / 100;
  pair.style.setProperty('--at', `${at}px`);
};
element.addEventListener('input', divide);
element.addEventListener('scroll', divide, true);
element.addEventListener('load', arrange, true);
new ResizeObserver(arrange).observe(element);
watch(['value', 'zoom'], arrange);
