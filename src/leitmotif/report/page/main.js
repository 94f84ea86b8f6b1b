// Starts what the page holds.

import { Answers } from "./blind.js";
import { Desk } from "./desk.js";
import { sortTable, walkClips } from "./features.js";
import { listen } from "./keys.js";
import { Player } from "./player.js";
import { Sample } from "./sample.js";
import { themes } from "./settings.js";
import { SwapMaps } from "./swaps.js";
import { drawTally } from "./tally.js";

const player = new Player();
const answers = new Answers(document.body.dataset.report);
const samples = [...document.querySelectorAll(".sample")].map((figure) => new Sample(figure, player));
const place = document.querySelector("[data-desk]");
const desk = place && new Desk(place, player, answers);

for (const container of document.querySelectorAll(".tally")) {
  const draw = () => drawTally(container, answers);
  container.querySelector("[data-do=save]").addEventListener("click", () => answers.save());
  container.querySelector("[data-do=over]").addEventListener("click", () => {
    if (confirm("Delete all answers of this report in this browser?")) answers.startOver();
  });
  answers.addEventListener("change", draw);
  draw();
}

document.querySelectorAll("table[data-sortable]").forEach(sortTable);
walkClips(samples);
for (const maps of document.querySelectorAll("[data-swaps]")) new SwapMaps(maps, player);

themes(document.getElementById("theme"), () => {
  for (const sample of samples) sample.draw();
  desk?.draw();
});
document.getElementById("no-audio").hidden = Player.possible;
listen(document.getElementById("legend"), document.getElementById("legend-open"));
window.report = { player, samples, desk, answers };
