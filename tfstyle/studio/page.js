() => {
  for (const label of document.querySelectorAll('[data-testid=block-label]')) {
    const block = label.closest('.block');
    block.setAttribute('role', 'group');
    block.setAttribute('aria-label', label.innerText.trim());
  }
}
