// Without this the page looks anew every 30 seconds; with it, when something happened.
const live = document.getElementById("live");
const say = (text, state) => { live.textContent = text; live.dataset.state = state; };

const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
const local = new Intl.DateTimeFormat("en-GB", { weekday: "short", hour: "2-digit", minute: "2-digit" });
const here = new Date().getTimezoneOffset() !== 0;
if (here) document.getElementById("zone").textContent = `; in brackets, those of ${zone}`;

function localise(within) {
  if (!here) return;
  for (const time of within.querySelectorAll(".local time")) {
    time.after(` (${local.format(new Date(time.dateTime))})`);
  }
}

localise(document);
document.body.addEventListener("htmx:afterSwap", (event) => localise(event.detail.target));

const news = new EventSource("/desk/stream");
news.addEventListener("open", () => say("Live", "live"));
news.addEventListener("changed", () => htmx.trigger("#board", "changed"));
news.addEventListener("error", () => {
  say("Connecting again", "lost");
  if (news.readyState === EventSource.CLOSED) setTimeout(() => location.reload(), 5000);
});
