(function () {
  "use strict";
  var root = document.documentElement;
  var $ = function (id) { return document.getElementById(id); };
  var grouped = function (n) { return String(n).replace(/\B(?=(\d{3})+$)/g, ","); };
  var plural = function (n, noun) { return grouped(n) + " " + noun + (n === 1 ? "" : "s"); };
  var later = function (wait, f) {
    var timer;
    return function () { clearTimeout(timer); timer = setTimeout(f, wait); };
  };

  // Colours.
  var themes = document.querySelectorAll("input[name=theme]");
  themes.forEach(function (input) {
    input.checked = input.value === (root.dataset.theme || "auto");
    input.addEventListener("change", function () {
      if (input.value === "auto") delete root.dataset.theme; else root.dataset.theme = input.value;
      try { localStorage.setItem("leakgate-theme", input.value); } catch (e) { /* kept until the page is closed */ }
    });
  });

  // What is filtered and sorted is in the address, so that it can be sent to somebody.
  var state = { q: "", kind: "", pkg: "", standing: [], tq: "", sort: "" };
  var read = function () {
    var at = new URLSearchParams(location.hash.indexOf("=") < 0 ? "" : location.hash.slice(1));
    ["q", "kind", "pkg", "tq", "sort"].forEach(function (key) { state[key] = at.get(key) || ""; });
    state.standing = (at.get("standing") || "").split(",").filter(Boolean);
  };
  var write = function () {
    var to = new URLSearchParams();
    ["q", "kind", "pkg", "tq", "sort"].forEach(function (key) { if (state[key]) to.set(key, state[key]); });
    if (state.standing.length) to.set("standing", state.standing.join(","));
    var hash = to.toString();
    if (hash || location.hash.indexOf("=") >= 0) history.replaceState(null, "", "#" + hash);
  };

  // Leaks.
  var step = 100, testStep = 50;
  var findings = Array.from(document.querySelectorAll("article.finding"));
  var boxes = Array.from(document.querySelectorAll("input[name=standing]"));
  var shown = $("shown"), more = $("more"), all = $("all");
  var texts = [];
  var limit = step, matching = [];
  var reveal = function () {
    var inside = new Set(matching.slice(0, limit));
    findings.forEach(function (f) { f.hidden = !inside.has(f); });
    var rest = matching.length - inside.size;
    more.hidden = rest <= 0;
    all.hidden = rest <= step;
    more.textContent = "Show " + grouped(Math.min(step, rest)) + " more";
    all.textContent = "Show all " + grouped(matching.length);
    shown.textContent = matching.length === findings.length ? plural(findings.length, "leak") :
      (matching.length || "None") + " of " + plural(findings.length, "leak");
  };
  var filter = function () {
    var words = state.q.toLowerCase().split(/\s+/).filter(Boolean);
    if (words.length && !texts.length) {
      texts = findings.map(function (f) { return f.textContent.toLowerCase() + " " + f.dataset.pkg.toLowerCase(); });
    }
    matching = findings.filter(function (f, i) {
      return (!state.kind || f.dataset.kind === state.kind) &&
        (!state.pkg || f.dataset.pkg === state.pkg) &&
        (!state.standing.length || state.standing.indexOf(f.dataset.standing) >= 0) &&
        words.every(function (w) { return texts[i].indexOf(w) >= 0; });
    });
    limit = step;
    reveal();
  };
  var form = $("filter");
  var fill = function () {
    $("q").value = state.q;
    $("kind").value = state.kind;
    $("pkg").value = state.pkg;
    boxes.forEach(function (b) { b.checked = state.standing.indexOf(b.value) >= 0; });
  };
  var changed = function () { filter(); write(); };
  if (form) {
    var typed = later(120, changed);
    $("q").addEventListener("input", function () { state.q = this.value; typed(); });
    ["kind", "pkg"].forEach(function (id) {
      $(id).addEventListener("change", function () { state[id] = this.value; changed(); });
    });
    boxes.forEach(function (b) {
      b.addEventListener("change", function () {
        state.standing = boxes.filter(function (b) { return b.checked; }).map(function (b) { return b.value; });
        changed();
      });
    });
    form.addEventListener("submit", function (e) { e.preventDefault(); });
    $("clear").addEventListener("click", function () {
      state.q = state.kind = state.pkg = "";
      state.standing = [];
      fill();
      changed();
      $("q").focus();
    });
    more.addEventListener("click", function () {
      var first = matching[limit];
      limit += step;
      reveal();
      first.querySelector("summary").focus();
    });
    all.addEventListener("click", function () {
      var first = matching[limit];
      limit = matching.length;
      reveal();
      first.querySelector("summary").focus();
    });
  }
  // goTo shows the finding that the address names, whatever the filter hides.
  var goTo = function () {
    var id = location.hash.slice(1);
    var target = id.indexOf("f-") === 0 && $(id);
    if (!target) return;
    if (matching.indexOf(target) < 0) {
      state.q = state.kind = state.pkg = "";
      state.standing = [];
      fill();
      filter();
    }
    limit = Math.max(limit, matching.indexOf(target) + 1);
    reveal();
    target.querySelector("details").open = true;
    target.scrollIntoView();
    target.querySelector("summary").focus({ preventScroll: true });
  };

  // Tests.
  var table = $("test-table");
  var tests = null;
  if (table) {
    var data = JSON.parse($("test-data").textContent);
    var body = table.tBodies[0], heads = Array.from(table.tHead.rows[0].cells);
    var results = { leaked: 0, failed: 1, skipped: 2, passed: 3 };
    // How each column is sorted: where in the row its value is.
    var place = {};
    heads.forEach(function (th, i) { place[th.dataset.key] = i + 1; });
    var rows = data.rows.slice();
    var most = testStep, found = rows;
    var signed = function (n) { return n > 0 ? "+" + grouped(n) : n < 0 ? "\u2212" + grouped(-n) : "0"; };
    var share = function (n) { return n < 0 ? "\u2013" : even(n / 10) + " %"; };
    // even rounds as Go's formatting does: half goes to the even neighbour.
    var even = function (x) { var r = Math.round(x); return x % 1 === 0.5 && r % 2 ? r - 1 : r; };
    var took = function (us) {
      var s = us / 1e6;
      if (us < 0) return "\u2013";
      if (us < 1e3) return us + " \u00b5s";
      if (us < 1e6) return Math.floor(us / 1e3) + " ms";
      if (s < 10) return s.toFixed(2) + " s";
      if (s < 60) return s.toFixed(1) + " s";
      if (s < 3600) return Math.floor(s / 60) + " min " + Math.floor(s) % 60 + " s";
      return Math.floor(s / 3600) + " h " + Math.floor(s / 60) % 60 + " min";
    };
    var cells = function (r) {
      return [grouped(r[3]), grouped(r[4]), signed(r[5]), r[6] < 0 ? "\u2013" : grouped(r[6]), r[6] < 0 ? "\u2013" : signed(r[7]),
        grouped(r[8]), share(r[9]), grouped(r[10]), share(r[11]), took(r[12])];
    };
    var make = function (name, text, className) {
      var e = document.createElement(name);
      if (text !== undefined) e.textContent = text;
      if (className) e.className = className;
      return e;
    };
    var rowOf = function (r) {
      var tr = make("tr");
      if (r[3] > 0) tr.className = "leaked";
      var th = make("th");
      th.scope = "row";
      th.append(make("span", r[1], "test"), " ", make("small", data.packages[r[0]]));
      tr.append(th, make("td", r[2], "result " + r[2]));
      cells(r).forEach(function (text) { tr.append(make("td", text, "n")); });
      return tr;
    };
    var draw = function () {
      var part = document.createDocumentFragment();
      found.slice(0, most).forEach(function (r) { part.append(rowOf(r)); });
      body.replaceChildren(part);
      var rest = found.length - Math.min(most, found.length);
      $("tests-more").hidden = rest === 0;
      $("tests-more").textContent = "Show " + grouped(Math.min(testStep, rest)) + " more tests";
      $("tests-shown").textContent = found.length === rows.length ? plural(rows.length, "test") :
        (found.length ? grouped(found.length) : "None") + " of " + plural(rows.length, "test");
    };
    var order = function () {
      var cut = state.sort.lastIndexOf("-"), key = state.sort.slice(0, cut), up = state.sort.slice(cut + 1) === "up";
      var at = place[key];
      heads.forEach(function (th) {
        if (th.dataset.key === key && at) th.setAttribute("aria-sort", up ? "ascending" : "descending");
        else th.removeAttribute("aria-sort");
      });
      rows = data.rows.slice();
      if (!at) return;
      var value = key === "result" ? function (r) { return results[r[2]]; } : function (r) { return r[at]; };
      rows.sort(function (a, b) {
        var x = value(a), y = value(b);
        return (x < y ? -1 : x > y ? 1 : 0) * (up ? 1 : -1);
      });
    };
    var narrow = function () {
      var words = state.tq.toLowerCase().split(/\s+/).filter(Boolean);
      found = !words.length ? rows : rows.filter(function (r) {
        var text = (data.packages[r[0]] + " " + r[1] + " " + r[2]).toLowerCase();
        return words.every(function (w) { return text.indexOf(w) >= 0; });
      });
      most = testStep;
      draw();
    };
    heads.forEach(function (th) {
      var button = make("button");
      button.type = "button";
      button.append.apply(button, th.childNodes);
      th.append(button);
      button.addEventListener("click", function () {
        var key = th.dataset.key, text = key === "test" || key === "result";
        var first = key + (text ? "-up" : "-down"), second = key + (text ? "-down" : "-up");
        state.sort = state.sort === first ? second : first;
        order();
        narrow();
        write();
      });
    });
    var typedTest = later(120, function () { narrow(); write(); });
    $("tq").addEventListener("input", function () { state.tq = this.value; typedTest(); });
    $("test-filter").addEventListener("submit", function (e) { e.preventDefault(); });
    $("tests-more").addEventListener("click", function () {
      var first = most;
      most += testStep;
      draw();
      var cell = body.rows[first].cells[0];
      cell.tabIndex = -1;
      cell.focus();
    });
    tests = function () {
      $("tq").value = state.tq;
      order();
      narrow();
    };
  }

  var load = function () {
    read();
    if (form) {
      fill();
      filter();
    }
    if (tests) tests();
    goTo();
  };
  addEventListener("hashchange", function () {
    if (location.hash.indexOf("=") >= 0) load(); else goTo();
  });
  // On paper everything that the filter lets through is shown.
  addEventListener("beforeprint", function () {
    if (form) {
      limit = matching.length;
      reveal();
    }
  });
  load();
})();
