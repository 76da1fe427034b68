// Without this the page works as well: it only spares a click.
const slider = document.getElementById("version");
const output = document.getElementById("of");
const say = () => { output.value = `${slider.value} of ${slider.max}`; };

slider.addEventListener("input", say);
document.querySelector("form.slider").classList.add("live");
document.body.addEventListener("htmx:afterSwap", () => {
  const then = document.getElementById("then");
  if (document.activeElement !== slider && !then.querySelector("h3:first-child")) {
    slider.value = then.dataset.version;
    say();
  }
});
