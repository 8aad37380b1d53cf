/** From stored values to what the screen shows: window, inversion, place, boxes and the caption. */

import { words } from "../words/language";
import type { Frame } from "./frames";

export interface View {
  centre: number;
  width: number;
  isInverted: boolean;
  zoom: number;
  panX: number;
  panY: number;
}

export interface Box {
  box: [number, number, number, number];
  words: string;
}

const BOX_COLOUR = "#ffcb6b";

/** Return a canvas with the frame at its own size, windowed. */
export function windowed(frame: Frame, view: View): HTMLCanvasElement {
  const { rows, columns } = frame.about;
  const canvas = document.createElement("canvas");
  canvas.width = columns;
  canvas.height = rows;
  const context = canvas.getContext("2d", { alpha: false });
  if (!context) return canvas;
  if (frame.pixels instanceof ImageBitmap) {
    context.filter = view.isInverted ? "invert(1)" : "none";
    context.drawImage(frame.pixels, 0, 0);
    return canvas;
  }
  const image = context.createImageData(columns, rows);
  const shades = shadesOf(frame, view);
  const words = new Uint32Array(image.data.buffer);
  for (let place = 0; place < words.length; place++) words[place] = shades[frame.pixels[place] ?? 0] ?? 0;
  context.putImageData(image, 0, 0);
  return canvas;
}

/** Source: PS3.3 C.11.2.1.3.2, the linear exact function. */
function shadesOf(frame: Frame, view: View): Uint32Array {
  const { slope = 1, intercept = 0 } = frame.about;
  const shades = new Uint32Array(65536);
  const low = view.centre - view.width / 2;
  for (let stored = 0; stored < 65536; stored++) {
    const share = Math.min(1, Math.max(0, (intercept + slope * stored - low) / view.width));
    const grey = Math.round(255 * (view.isInverted ? 1 - share : share));
    shades[stored] = 0xff000000 | (grey << 16) | (grey << 8) | grey;
  }
  return shades;
}

/** How many screen pixels one pixel of the frame takes when the whole frame fits. */
export function fitting(screen: HTMLCanvasElement, frame: Frame): number {
  return Math.min(screen.width / frame.about.columns, screen.height / frame.about.rows);
}

export function paint(screen: HTMLCanvasElement, source: HTMLCanvasElement, frame: Frame, view: View, boxes: Box[]): void {
  const context = screen.getContext("2d", { alpha: false });
  if (!context) return;
  const ratio = window.devicePixelRatio;
  const scale = fitting(screen, frame) * view.zoom;
  const left = (screen.width - frame.about.columns * scale) / 2 + view.panX * ratio;
  const top = (screen.height - frame.about.rows * scale) / 2 + view.panY * ratio;
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.fillStyle = "#000";
  context.fillRect(0, 0, screen.width, screen.height);
  context.imageSmoothingQuality = "high";
  context.drawImage(source, left, top, frame.about.columns * scale, frame.about.rows * scale);
  const unit = scale / frame.about.reduced;
  context.font = `${12 * ratio}px system-ui, sans-serif`;
  for (const { box, words: said } of boxes) {
    const [x, y] = [left + box[0] * unit, top + box[1] * unit];
    context.strokeStyle = BOX_COLOUR;
    context.lineWidth = 2 * ratio;
    context.strokeRect(x, y, (box[2] - box[0]) * unit, (box[3] - box[1]) * unit);
    label(context, said, x, y - 4 * ratio, "left");
  }
  label(context, words.study.caption, screen.width / 2, screen.height - 8 * ratio, "center");
}

function label(context: CanvasRenderingContext2D, said: string, x: number, y: number, align: CanvasTextAlign): void {
  context.textAlign = align;
  context.lineWidth = 3 * window.devicePixelRatio;
  context.strokeStyle = "#000";
  context.strokeText(said, x, y);
  context.fillStyle = BOX_COLOUR;
  context.fillText(said, x, y);
}
