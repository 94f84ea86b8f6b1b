// What a listener has answered, counted.

const PLACES = ["before", "after", "both", "neither"];

export function drawTally(container, answers) {
  const given = Object.values(answers.given);
  container.querySelector("[data-count]").textContent = given.length === 1 ? "1 pair answered" : `${given.length} pairs answered`;
  container.querySelector("[data-do=save]").disabled = !given.length;
  container.querySelector("[data-do=over]").disabled = !given.length;
  container.querySelector(".not-kept").hidden = answers.kept;
  const results = container.querySelector(".results");
  results.hidden = !given.length;
  const known = given.filter(({ measured }) => measured);
  const agree = known.filter(({ measured, motif_in: heard }) => measured === heard).length;
  results.querySelector("[data-agree]").textContent = known.length ? `${agree} of ${known.length}` : "nothing measured";
  for (const place of PLACES) {
    results.querySelector(`[data-motif=${place}]`).textContent = given.filter(({ motif_in: heard }) => heard === place).length;
  }
  for (const which of ["before", "after", "same"]) {
    results.querySelector(`[data-natural=${which}]`).textContent = given.filter(({ more_natural: said }) => said === which).length;
  }
}
