// What JupyterLab loads of an extension, written by hand: a container that is given what JupyterLab
// shares, and gives plugins. It shows in the status bar how long the session goes on, and has an
// example notebook in the launcher.
"use strict";
(() => {
  const NAME = "submarine_session";
  // The gateway answers this by itself, and does not take it for use of the session.
  const LIMITS = "_submarine/limits";
  const EVERY = 20_000;
  const EXAMPLE = "submarine-example.ipynb";

  let shared;

  const take = async (name) => (await Object.values(shared[name])[0].get())();

  function span(seconds) {
    const minutes = Math.floor(seconds / 60);
    if (minutes < 1) return "under 1 min";
    if (minutes < 60) return `${minutes} min`;
    const hours = `${Math.floor(minutes / 60)} h`;
    return minutes % 60 ? `${hours} ${minutes % 60} min` : hours;
  }

  function said({ seconds_left: left, idle_seconds_left: idle }) {
    const parts = [];
    if (left !== null) parts.push(`${span(left)} left`);
    if (idle !== null && (left === null || idle < left)) parts.push(`stops in ${span(idle)} if idle`);
    return parts.join(" · ");
  }

  function status({ IStatusBar }, { Widget }, { Signal }, { PageConfig }) {
    const show = (statusBar) => {
      const link = document.createElement("a");
      link.target = "_blank";
      link.rel = "noopener";
      link.title = "When this session is stopped: its page says more. Files are kept.";
      link.style.cssText = "color: inherit; padding: 0 8px; line-height: 24px; white-space: nowrap";
      const item = new Widget();
      item.node.append(link);
      const changed = new Signal(item);

      const look = async () => {
        if (document.hidden) return;
        try {
          const answer = await fetch(PageConfig.getBaseUrl() + LIMITS);
          const told = answer.ok ? await answer.json() : null;
          link.textContent = told ? said(told) : "";
          if (told) link.href = told.page;
          changed.emit();
        } catch {
          // The network is away: what is shown stays until it is back.
        }
      };
      statusBar.registerStatusItem(NAME, {
        item,
        align: "right",
        rank: 100,
        priority: 1,
        isActive: () => link.textContent !== "",
        activeStateChanged: changed,
      });
      look();
      setInterval(look, EVERY);
      document.addEventListener("visibilitychange", look);
    };
    return {
      id: `${NAME}:limits`,
      description: "Shows how long the session goes on.",
      autoStart: true,
      requires: [IStatusBar],
      activate: (_, statusBar) => show(statusBar),
    };
  }

  function example({ ILauncher }, { PageConfig, URLExt }) {
    const command = `${NAME}:example`;
    const open = async (app) => {
      const { contents } = app.serviceManager;
      const home = await contents.get("", { content: true });
      if (!home.content.some(({ name }) => name === EXAMPLE)) {
        const labextensions = PageConfig.getOption("fullLabextensionsUrl");
        const address = URLExt.join(labextensions, NAME, "example.ipynb");
        const content = await (await fetch(address)).json();
        await contents.save(EXAMPLE, { type: "notebook", format: "json", content });
      }
      await app.commands.execute("docmanager:open", { path: EXAMPLE });
    };
    return {
      id: command,
      description: "Has an example of the service's client in the launcher.",
      autoStart: true,
      optional: [ILauncher],
      activate: (app, launcher) => {
        app.commands.addCommand(command, {
          label: "Submarine example",
          caption: `The service from Python: opens ${EXAMPLE}, your own copy`,
          iconClass: "jp-MaterialIcon jp-NotebookIcon",
          execute: () => open(app),
        });
        launcher?.add({ command, category: "Other", rank: 10 });
      },
    };
  }

  window._JUPYTERLAB = window._JUPYTERLAB || {};
  window._JUPYTERLAB[NAME] = {
    init: (scope) => {
      shared = scope;
    },
    get: async () => {
      const [statusbar, launcher, widgets, signaling, coreutils] = await Promise.all(
        [
          "@jupyterlab/statusbar",
          "@jupyterlab/launcher",
          "@lumino/widgets",
          "@lumino/signaling",
          "@jupyterlab/coreutils",
        ].map(take),
      );
      const plugins = [
        status(statusbar, widgets, signaling, coreutils),
        example(launcher, coreutils),
      ];
      return () => plugins;
    },
  };
})();
