// What this browser remembers: toggles and the theme. Without storage, nothing is remembered.

export function setting(name, otherwise) {
  try {
    const kept = localStorage.getItem(`leitmotif.${name}`);
    return kept === null ? otherwise : JSON.parse(kept);
  } catch {
    return otherwise;
  }
}

export function remember(name, value) {
  try {
    localStorage.setItem(`leitmotif.${name}`, JSON.stringify(value));
  } catch {
    // private windows refuse
  }
}

const THEMES = ["system", "light", "dark"];

// The button goes through the themes; `changed` is called when the colours are others.
export function themes(button, changed) {
  const apply = (theme) => {
    if (theme === "system") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
    button.textContent = `${theme[0].toUpperCase()}${theme.slice(1)} theme`;
    changed();
  };
  let theme = setting("theme", "system");
  apply(theme);
  button.addEventListener("click", () => {
    theme = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length];
    remember("theme", theme);
    apply(theme);
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", changed);
}
