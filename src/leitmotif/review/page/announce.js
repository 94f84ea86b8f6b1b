// What screen readers are told. Texts that come at once are read together, in their order; the
// same text twice is read twice.

const SETTLED = 120; // milliseconds

function teller(id) {
  const region = document.getElementById(id);
  const waiting = [];
  let timer = 0;
  return (text) => {
    waiting.push(text);
    clearTimeout(timer);
    timer = setTimeout(() => {
      const next = waiting.splice(0).join(" ");
      region.textContent = next === region.textContent ? `${next}\u00a0` : next;
    }, SETTLED);
  };
}

export const announce = teller("live"); // after what is being read
export const alarm = teller("alarm"); // at once
