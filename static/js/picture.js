// The picture: uPlot takes the server-drawn lanes over, with one cursor for all. Without it the SVG stays.
"use strict";

(() => {
  let plots = [];

  function colour(name) {
    return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  }

  function clock(seconds) {
    // The same zone as the page: the axis' own labels come from the server.
    return new Date(seconds * 1000).toISOString().slice(11, 16);
  }

  function shade(picture) {
    return (plot) => {
      if (!picture.onset) return;
      const left = Math.max(plot.valToPos(picture.onset, "x", true), plot.bbox.left);
      plot.ctx.save();
      plot.ctx.fillStyle = colour("--chart-band");
      plot.ctx.fillRect(left, plot.bbox.top, plot.bbox.left + plot.bbox.width - left, plot.bbox.height);
      plot.ctx.restore();
    };
  }

  function drawTicks(lane, stroke) {
    return (plot) => {
      plot.ctx.save();
      plot.ctx.strokeStyle = stroke;
      plot.ctx.lineWidth = 2.4 * devicePixelRatio;
      for (const at of lane.x) {
        const x = plot.valToPos(at, "x", true);
        plot.ctx.beginPath();
        plot.ctx.moveTo(x, plot.bbox.top);
        plot.ctx.lineTo(x, plot.bbox.top + plot.bbox.height);
        plot.ctx.stroke();
      }
      plot.ctx.restore();
    };
  }

  function readout(lane, span) {
    return (plot) => {
      const place = plot.cursor.idx;
      if (plot.cursor.left < 0 || place == null) { span.textContent = ""; return; }
      const value = lane.kind === "ticks" ? lane.labels[place] : `${Number(lane.y[place].toPrecision(4)).toLocaleString("en")} ${lane.unit}`;
      span.textContent = lane.kind === "ticks" ? value : `${clock(lane.x[place])}  ${value}`;
    };
  }

  function options(picture, lane, box, place, span) {
    const stroke = colour(`--chart-${place + 1}`);
    const low = Math.min(0, ...lane.y);
    const high = Math.max(...lane.y);
    const margin = (high - low || 1) * 0.04;
    return {
      width: box.clientWidth,
      height: box.clientHeight,
      padding: [0, 0, 0, 0],
      legend: { show: false },
      cursor: { sync: { key: "picture", scales: ["x", null] }, drag: { x: false, y: false }, y: false, points: { show: lane.kind === "line", size: 6 } },
      scales: { x: { time: false, range: () => [picture.since, picture.until] }, y: { range: () => [low - margin, high + margin] } },
      axes: [{ show: false }, { show: false }],
      series: [{}, {
        stroke: lane.kind === "ticks" ? "transparent" : stroke,
        width: 1.6,
        points: { show: false },
        paths: lane.kind === "bars" ? uPlot.paths.bars({ size: [0.7, 8] }) : undefined,
        fill: lane.kind === "bars" ? stroke : undefined,
      }],
      hooks: {
        drawClear: [shade(picture)],
        draw: lane.kind === "ticks" ? [drawTicks(lane, stroke)] : [],
        setCursor: [readout(lane, span)],
      },
    };
  }

  function takeOver(card) {
    const picture = JSON.parse(document.getElementById(card.dataset.picture).textContent);
    picture.lanes.forEach((lane, place) => {
      const box = card.querySelector(`[data-lane="${place}"]`);
      const caption = box.parentElement.querySelector("figcaption");
      let span = caption.querySelector(".lane__value");
      if (!span) {
        span = document.createElement("span");
        span.className = "lane__value small figure";
        caption.querySelector(".lane__evidence").before(span);
      }
      const plot = new uPlot(options(picture, lane, box, place, span), [lane.x, lane.y], box);
      box.querySelector("svg").classList.add("is-replaced");
      plots.push({ plot, box });
    });
  }

  function draw() {
    for (const { plot, box } of plots) {
      plot.destroy();
      box.querySelector("svg")?.classList.remove("is-replaced");
    }
    plots = [];
    const card = document.querySelector("[data-picture]");
    if (card && window.uPlot && !matchMedia("print").matches) takeOver(card);
  }

  let resizing;
  addEventListener("resize", () => { clearTimeout(resizing); resizing = setTimeout(draw, 150); });
  document.addEventListener("themechange", draw);
  document.addEventListener("partswapped", (event) => { if (event.detail === "picture") draw(); });
  draw();
})();
