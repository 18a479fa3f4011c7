// Answers every visible text whose contrast with what is painted behind it is below 4.5:1 (3:1 for large type), as WCAG
// 2.2 computes it: https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio
() => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });

  // Any CSS colour as [r, g, b, alpha]: painted on one pixel and read back.
  function rgba(colour) {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  }

  const over = (front, back) => front.slice(0, 3).map((value, place) => value * front[3] + back[place] * (1 - front[3]));

  function behind(element) {
    const layers = [];
    for (let at = element; at; at = at.parentElement) layers.push(rgba(getComputedStyle(at).backgroundColor));
    const canvasColour = document.documentElement.matches("[data-theme=dark]") ? [0, 0, 0] : [255, 255, 255];
    return layers.reverse().reduce((back, layer) => over(layer, back), canvasColour);
  }

  function luminance(colour) {
    const [r, g, b] = colour.map((value) => {
      const part = value / 255;
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  }

  function contrast(element) {
    const back = behind(element);
    const [high, low] = [luminance(over(rgba(getComputedStyle(element).color), back)), luminance(back)].sort((a, b) => b - a);
    return (high + 0.05) / (low + 0.05);
  }

  function needed(style) {
    const size = parseFloat(style.fontSize);
    return size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700) ? 3 : 4.5;
  }

  const isText = (node) => node.nodeType === Node.TEXT_NODE && node.data.trim() !== "";
  // A theme that was just switched fades in: judge where it ends.
  for (const animation of document.getAnimations()) if (animation instanceof CSSTransition) animation.finish();
  const found = [];
  for (const element of document.body.querySelectorAll(":not(script, style, option, svg *)")) {
    if (![...element.childNodes].some(isText) || !element.checkVisibility({ visibilityProperty: true })) continue;
    if (element.closest(":disabled, .visually-hidden, .skip")) continue;
    const ratio = contrast(element);
    const limit = needed(getComputedStyle(element));
    if (ratio < limit) found.push(`${ratio.toFixed(2)} < ${limit}: <${element.localName} class="${element.className}"> ${element.textContent.trim().slice(0, 40)}`);
  }
  return [...new Set(found)];
}
