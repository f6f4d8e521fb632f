// Draws a camera's own video as its `crop`, `mirror` and `rotate` say. Loaded when a camera has such a key.

/** @import { View } from "./types" */

/**
 * Draws the part of an image that is shown, mirrored and turned, over the whole canvas.
 * @param {CanvasRenderingContext2D} context
 * @param {VideoFrame | ImageBitmap} image
 * @param {number} width of the canvas
 * @param {number} height
 * @param {View} view
 */
export function drawView(context, image, width, height, view) {
    const [displayWidth, displayHeight] = "displayWidth" in image ? [image.displayWidth, image.displayHeight] : [image.width, image.height];
    const { crop: [x, y, across, down], mirror, turn } = view;
    const [w, h] = turn % 180 === 0 ? [width, height] : [height, width];
    context.save();
    context.translate(width / 2, height / 2);
    context.rotate((turn * Math.PI) / 180);
    if (mirror) context.scale(-1, 1);
    context.drawImage(image, x * displayWidth, y * displayHeight, across * displayWidth, down * displayHeight, -w / 2, -h / 2, w, h);
    context.restore();
}
