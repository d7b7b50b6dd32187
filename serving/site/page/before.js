// Runs before the page, in any browser, and from file:// too, where the page itself is refused: says what is missing.
// So it is a script of the old kind, in words that old browsers know.

(function () {
  "use strict";

  function moduleWorkers() {
    var asked = false;
    try {
      new Worker("blob:", { get type() { asked = true; return "module"; } }).terminate();
    } catch (error) {
      // An address that leads nowhere; it is the question that matters.
    }
    return asked;
  }

  function missing() {
    if (location.protocol === "file:") {
      var folder = decodeURIComponent(location.pathname).replace(/[^\/]*$/, "").replace(/(.)\/$/, "$1");
      return (
        "This page was opened as a file, and browsers load no programs and no models for pages that come without a " +
        "server. Any server of files will do. Run this in a terminal, and open localhost:8000 in the browser:\n" +
        "python -m http.server -d '" + folder.replace(/'/g, "'\\''") + "'"
      );
    }
    if (!("noModule" in document.createElement("script"))) {
      return "This browser knows no JavaScript modules, which this page is made of. A newer one does.";
    }
    if (typeof WebAssembly !== "object") {
      return (
        "This browser has no WebAssembly, or it is switched off, so no model can run in it. Switch it on (some " +
        "browsers' lockdown modes switch it off), or open the page in another browser."
      );
    }
    if (typeof Worker !== "function" || !moduleWorkers()) {
      return (
        "This browser has no workers that are modules, which the model runs in. Chrome and Edge have them from " +
        "version 80 on, Safari from 15, Firefox from 114."
      );
    }
    return "";
  }

  function show(text) {
    var box = document.getElementById("error");
    var notice = document.createElement("div");
    var lines = text.split("\n"); // what to say, and what to run
    notice.className = "error";
    lines.forEach(function (line, i) {
      var element = document.createElement(i === 0 ? "p" : "pre");
      element.textContent = line;
      notice.appendChild(element);
    });
    box.textContent = "";
    box.appendChild(notice);
    document.getElementById("summary").textContent = "";
  }

  function whenThere(text) {
    document.documentElement.setAttribute("data-missing", text); // for the page, if it gets that far
    if (document.readyState === "loading") {
      document.addEventListener("DOMContentLoaded", function () { show(text); });
    } else {
      show(text);
    }
  }

  var text = missing();
  if (text) {
    whenThere(text);
    return;
  }
  // A program that does not arrive has an event that does not rise, and is seen on its way down.
  window.addEventListener("error", function (event) {
    if (event.target && event.target.tagName === "SCRIPT") {
      whenThere(
        "A program of this page could not be loaded: " + event.target.getAttribute("src") + ". Is the site whole, and " +
        "is the network there? Reload the page, or write the site again."
      );
    }
  }, true);
})();
