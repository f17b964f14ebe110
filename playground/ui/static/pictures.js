// Images on their way into a message: chosen, pasted or dropped, and made no larger than a model looks at.
window.playground.pictures = (() => {
  const {make} = playground, LONGEST_SIDE = 2048, SMALL = 1_000_000;

  const images = (transfer) => [...transfer.files].filter((file) => file.type.startsWith('image/'));

  function choose(taken) {
    const picker = make('input', {type: 'file', accept: 'image/png,image/jpeg,image/webp,image/gif', multiple: ''});
    picker.addEventListener('change', () => taken([...picker.files]));
    picker.click();
  }

  const asUrl = (file) => new Promise((done, fail) => { const reader = new FileReader(); reader.onload = () => done(reader.result); reader.onerror = fail; reader.readAsDataURL(file); });

  // {url, width, height}: what is sent is paid for and kept. Throws where the file is no image that this browser reads.
  async function read(file) {
    const bitmap = await createImageBitmap(file), scale = Math.min(1, LONGEST_SIDE / Math.max(bitmap.width, bitmap.height));
    const width = Math.max(1, Math.round(bitmap.width * scale)), height = Math.max(1, Math.round(bitmap.height * scale));
    if (scale === 1 && file.size < SMALL) return {url: await asUrl(file), width, height};
    const canvas = make('canvas'), paper = canvas.getContext('2d');
    canvas.width = width; canvas.height = height;
    // A JPEG has no transparency: without this, what shows through would turn black.
    paper.fillStyle = '#fff';
    paper.fillRect(0, 0, width, height);
    paper.drawImage(bitmap, 0, 0, width, height);
    return {url: canvas.toDataURL('image/jpeg', 0.88), width, height};
  }

  return {images, choose, read};
})();
