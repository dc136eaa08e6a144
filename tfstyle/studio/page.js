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
  const press = name => {
    const button = document.querySelector(name);
    if (button && !button.disabled && button.offsetParent) button.click();
  };
  document.addEventListener('keydown', event => {
    if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      press('#paint');
    }
    // A list of choices, a field or the full screen closes first.
    const isOpen = document.querySelector('[role=listbox], .whole-page') ||
      event.target.closest('input:not([type=range], [type=radio]), textarea');
    if (event.key === 'Escape' && !isOpen) press('#stop');
  });
  document.addEventListener('input', event => {
    if (event.target.id !== 'search') return;
    const words = event.target.value.toLowerCase().split(/\s+/);
    for (const group of document.querySelectorAll('.options')) {
      let isEmpty = true;
      for (const option of group.querySelectorAll('[id^=option-]')) {
        const text = option.innerText.toLowerCase();
        const isFound = words.every(word => text.includes(word));
        option.classList.toggle('unfound', !isFound);
        if (isFound) isEmpty = false;
      }
      group.classList.toggle('unfound', isEmpty);
    }
  });
}
