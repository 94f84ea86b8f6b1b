// A link to the file that a number is from: as linked() of number.html makes it, for what scripts show.

export function sourceLink({ file, place, address }, text) {
  const link = document.createElement("a");
  link.className = "source";
  link.href = `${document.body.dataset.root}index.html#${file}`;
  link.title = place;
  link.dataset.source = address;
  link.textContent = text;
  return link;
}
