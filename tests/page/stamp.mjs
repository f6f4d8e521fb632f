// The stamp of the virtual camera, read from a canvas of the page. Layout: docs/virtual-camera.md.

/**
 * Runs in the page: frame number, and Unix milliseconds of the picture on `canvas`; null without a stamp.
 * @param {HTMLCanvasElement} canvas
 */
function stampOf(canvas) {
    const { width, height } = canvas;
    if (width < 160) return null;
    const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
    const pixels = context.getImageData(0, 0, width, height).data;
    const edge = (n, size, cells) => Math.floor((n * size) / cells);
    const light = (column, row) => {
        const x = Math.floor((edge(column, width, 80) + edge(column + 1, width, 80)) / 2);
        const y = Math.floor((edge(row, height, 45) + edge(row + 1, height, 45)) / 2);
        return pixels[(y * width + x) * 4 + 1];
    };
    const number = (from, count, row) => Array.from({ length: count }, (_, i) => (light(from + i, row) > 127 ? 1 : 0)).reduce((sum, bit) => sum * 2 + bit, 0);
    const isStamp = light(14, 43) - light(15, 43) > 80 && light(65, 43) - light(64, 43) > 80;
    return isStamp ? { frame: number(16, 32, 43), clock: number(16, 48, 44) } : null;
}

/** Gives every later page of `page` the function `stampOf`. @param {import("playwright-core").Page} page */
export function installStamp(page) {
    return page.addInitScript(`window.stampOf = ${stampOf}`);
}
