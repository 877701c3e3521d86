(async () => {
  "use strict";
  // An open document in a hidden frame holds back the page's load event, so that whoever waits for it (a printer, a screenshot) gets the figures.
  const hold = document.createElement("iframe");
  hold.hidden = true;
  document.body.append(hold);
  hold.contentDocument.open();
  try {
    const packed = Uint8Array.from(atob(document.getElementById("plotly").textContent), (letter) => letter.charCodeAt(0));
    const source = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
    const script = document.createElement("script");
    script.textContent = await new Response(source).text();
    document.head.append(script);
    for (const plot of document.querySelectorAll(".plot")) {
      const drawing = JSON.parse(document.getElementById(`${plot.id}-data`).textContent);
      await Plotly.newPlot(plot, drawing.data, drawing.layout, { displayModeBar: false, responsive: false });
    }
    document.documentElement.dataset.figures = "drawn";
  } catch (error) {
    document.documentElement.dataset.figures = "failed";
    for (const plot of document.querySelectorAll(".plot:empty")) {
      plot.textContent = `This figure could not be drawn (${error}). A browser of 2023 or later draws it; the tables hold the numbers.`;
    }
  } finally {
    hold.contentDocument.close();
    hold.remove();
  }
})();
