// Without this the page works as well: it only spares clicks.
const slider = document.getElementById("version");
const output = document.getElementById("of");
const say = () => { output.value = `${slider.value} of ${slider.max}`; };
let followed = null;

document.querySelector("form.slider").classList.add("live");
slider.addEventListener("input", say);

document.body.addEventListener("htmx:beforeSwap", () => {
  followed = document.activeElement.closest("#then a[rel]")?.rel ?? null;
});

document.body.addEventListener("htmx:afterSwap", () => {
  const then = document.getElementById("then");
  if (then.dataset.at) return;
  if (document.activeElement !== slider) slider.value = then.dataset.version;
  say();
  history.replaceState(null, "", `?version=${then.dataset.version}`);
  if (followed) (then.querySelector(`a[rel=${followed}]`) ?? then.querySelector("a[rel]"))?.focus();
});
