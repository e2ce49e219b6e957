"use strict";

// The token has done its work: it belongs neither into the history nor onto a projector.
history.replaceState(null, "", window.location.pathname);

// What the server says as it ends a visit is shown; textual.js only tells that it has ended. And what textual.js says
// before the connection is there waits for it.
const Plain = window.WebSocket;
window.WebSocket = class extends Plain {
  constructor(...given) {
    super(...given);
    this.early = [];
    this.addEventListener("open", () => this.early.splice(0).forEach((text) => super.send(text)));
    this.addEventListener("close", (event) => {
      document.querySelector("#reason").textContent =
        event.reason || "The connection is gone: the server was stopped, or cannot be reached.";
      document.querySelector("#again").focus();
    });
  }

  send(text) {
    if (this.readyState === Plain.CONNECTING) {
      this.early.push(text);
    } else {
      super.send(text);
    }
  }
};

// Behind the handler of textual.js, which has made the terminal by then: keys go there from the start.
window.addEventListener("load", () => {
  const focus = () => document.querySelector(".xterm-helper-textarea")?.focus();
  focus();
  window.addEventListener("focus", focus);
  document.querySelector("#again").addEventListener("click", () => window.location.reload());
});
