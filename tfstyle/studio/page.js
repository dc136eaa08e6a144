() => {
  for (const label of document.querySelectorAll('[data-testid=block-label]')) {
    const block = label.closest('.block');
    block.setAttribute('role', 'group');
    block.setAttribute('aria-label', label.innerText.trim());
  }
  // A film dropped on the content goes to its own place.
  document.addEventListener('drop', event => {
    const file = event.dataTransfer?.files[0];
    const place = document.querySelector('#clip input[type=file]');
    if (!place || !file || !event.target.closest('#content')) return;
    if (!file.type.startsWith('video/') && !/\.(mkv|mxf)$/i.test(file.name))
      return;
    event.preventDefault();
    event.stopPropagation();
    place.files = event.dataTransfer.files;
    place.dispatchEvent(new Event('change', {bubbles: true}));
  }, true);
}
