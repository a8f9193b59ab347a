/* page.js -- shows the values of all curves at the step that is pointed at; the page is whole without it.
 * SPDX-License-Identifier: MIT */
(function () {
    "use strict";
    var tip = document.getElementById("tip");
    function numbers(text) { return text.split(/[ ,]+/).map(Number); }
    function shown(value) { return String(Number(value.toPrecision(5))); }
    function pointsOf(mark) {
        if (mark.tagName === "polyline") return numbers(mark.getAttribute("points"));
        var all = [];
        mark.querySelectorAll("circle").forEach(function (c) { all.push(+c.getAttribute("cx"), +c.getAttribute("cy")); });
        return all;
    }
    function nearest(points, x) {
        var best = 0;
        points.forEach(function (p, i) {
            if (i % 2 === 0 && Math.abs(points[best] - x) > Math.abs(p - x)) best = i;
        });
        return best;
    }
    var charts = document.querySelectorAll("svg[data-chart]");
    charts.forEach(function (svg) {
        var place = numbers(svg.dataset.chart), steps = numbers(svg.dataset.steps), values = numbers(svg.dataset.values);
        var hair = document.createElementNS("http://www.w3.org/2000/svg", "line"), marks = [];
        svg.querySelectorAll("[data-name]").forEach(function (m) { marks.push({ name: m.dataset.name, at: pointsOf(m) }); });
        hair.setAttribute("class", "hair");
        svg.addEventListener("mousemove", function (event) {
            var box = svg.getBoundingClientRect(), x = (event.clientX - box.left) * svg.viewBox.baseVal.width / box.width;
            if (!marks.length || place[0] > x || x > place[0] + place[2]) return hide();
            var lines = marks.map(function (m) {
                var i = nearest(m.at, x), value = values[1] - (m.at[i + 1] - place[1]) / place[3] * (values[1] - values[0]);
                var step = steps[0] + (m.at[i] - place[0]) / place[2] * (steps[1] - steps[0]);
                return m.name + "  " + shown(+svg.dataset.log ? Math.pow(10, value) : value) + "  at " + Math.round(step);
            });
            [["x1", x], ["x2", x], ["y1", place[1]], ["y2", place[1] + place[3]]].forEach(function (a) { hair.setAttribute(a[0], a[1]); });
            svg.appendChild(hair);
            tip.textContent = lines.join("\n");
            tip.style.display = "block";
            tip.style.left = Math.min(event.clientX + 14, window.innerWidth - tip.offsetWidth - 8) + "px";
            tip.style.top = event.clientY + 14 + "px";
        });
        function hide() { tip.style.display = "none"; hair.remove(); }
        svg.addEventListener("mouseleave", hide);
    });
    document.documentElement.dataset.charts = charts.length;
})();
