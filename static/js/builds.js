// Follows the end of each build's log unless it is scrolled up; what was folded stays folded.
const AT_END_PX = 8;

const logs = () => document.querySelectorAll("#builds .build-log");
let before = new Map();

function toEnd(log) {
  log.scrollTop = log.scrollHeight;
}

document.addEventListener("htmx:beforeSwap", ({ detail }) => {
  // Not while text is being selected; the next look brings it.
  const selection = getSelection();
  const builds = document.getElementById("builds");
  if (!selection.isCollapsed && builds.contains(selection.anchorNode)) detail.shouldSwap = false;
  before = new Map(
    Array.from(logs(), (details) => {
      const log = details.querySelector("pre");
      const follows = log.scrollHeight - log.scrollTop - log.clientHeight < AT_END_PX;
      return [details.id, { open: details.open, follows, top: log.scrollTop }];
    }),
  );
});

document.addEventListener("htmx:afterSwap", () => {
  for (const details of logs()) {
    const log = details.querySelector("pre");
    const was = before.get(details.id);
    if (was) details.open = was.open;
    if (was && !was.follows) log.scrollTop = was.top;
    else toEnd(log);
  }
});

for (const details of logs()) toEnd(details.querySelector("pre"));
