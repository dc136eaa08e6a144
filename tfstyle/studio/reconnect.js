// Shows a bar while the studio is stopped, and reloads the page once another
// process answers at the same address.
() => {
  let token = null;
  const bar = document.createElement('div');
  bar.id = 'stopped';
  bar.setAttribute('role', 'alert');
  bar.style.cssText = 'position: fixed; inset: 0 0 auto; z-index: 10000;' +
    ' padding: 12px; text-align: center; color: white; background: #7f1d1d;';
  document.body.append(bar);
  const show = isGone => {
    const text = isGone ? 'The studio has stopped. Start it again with' +
      ' python -m tfstyle.studio; this page comes back by itself.' : '';
    if (bar.textContent !== text) bar.textContent = text;
    bar.hidden = !isGone;
  };
  const look = async () => {
    try {
      const answer = await fetch('alive', {cache: 'no-store'});
      if (!answer.ok) throw new Error(answer.status);
      const found = await answer.text();
      token ??= found;
      if (found !== token) location.reload();
      show(false);
    } catch {
      show(true);
    }
    setTimeout(look, 2000);
  };
  look();
}
