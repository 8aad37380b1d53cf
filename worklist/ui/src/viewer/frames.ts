/** Frames of a study: what there is, and their pixels as the server sends them, fetched before they are needed. */

import { ApiError } from "../api";

export interface FrameAddress {
  sop_instance_uid: string;
  frame_number: number | null;
}

export interface WindowPreset {
  name: string;
  centre: number;
  width: number;
}

export interface SeriesImages {
  series_instance_uid: string;
  modality: string;
  description: string;
  frames: FrameAddress[];
  windows: WindowPreset[];
}

export interface StudyImages {
  series: SeriesImages[];
  key_series: string | null;
  key_frame: FrameAddress | null;
}

/** What the header `Acuity-Frame` says; grey values are intercept + slope × stored. */
export interface About {
  kind: "grey" | "colour";
  rows: number;
  columns: number;
  matrix: [number, number];
  reduced: number;
  unit: string;
  window: [number, number];
  frame_time_ms: number | null;
  slope?: number;
  intercept?: number;
}

export interface Frame {
  about: About;
  pixels: Uint16Array | ImageBitmap;
}

export async function fetchImages(uid: string, signal: AbortSignal): Promise<StudyImages> {
  const response = await fetch(`/api/v1/studies/${uid}/images`, { signal });
  if (!response.ok) throw new ApiError(response.status, "The images cannot be listed");
  return (await response.json()) as StudyImages;
}

export function sameFrame(one: FrameAddress | null, other: FrameAddress | null): boolean {
  return one?.sop_instance_uid === other?.sop_instance_uid && one?.frame_number === other?.frame_number;
}

const AT_ONCE = 3;
const MOST_KEPT = 400;

/** Fetches the frames of one series, those nearest to the one in view first, and keeps them while it is open. */
export class FrameStore {
  private readonly kept = new Map<number, Frame>();
  private readonly failed = new Set<number>();
  private readonly ending = new AbortController();
  private wanted = 0;
  private running = new Set<number>();

  constructor(
    private readonly study: string,
    private readonly frames: FrameAddress[],
    private readonly onChange: () => void,
  ) {}

  get(place: number): Frame | undefined {
    return this.kept.get(place);
  }

  hasFailed(place: number): boolean {
    return this.failed.has(place);
  }

  loaded(): number {
    return this.kept.size;
  }

  want(place: number): void {
    this.wanted = place;
    this.pump();
  }

  close(): void {
    this.ending.abort();
    for (const frame of this.kept.values()) if (frame.pixels instanceof ImageBitmap) frame.pixels.close();
    this.kept.clear();
  }

  private pump(): void {
    while (this.running.size < AT_ONCE && !this.ending.signal.aborted) {
      const next = this.nearest();
      if (next === undefined) return;
      this.running.add(next);
      void this.load(next).finally(() => {
        this.running.delete(next);
        if (!this.ending.signal.aborted) {
          this.onChange();
          this.pump();
        }
      });
    }
  }

  private nearest(): number | undefined {
    if (this.kept.size >= MOST_KEPT) return undefined;
    for (let distance = 0; distance < this.frames.length; distance++)
      for (const place of [this.wanted + distance, this.wanted - distance])
        if (this.frames[place] && !this.kept.has(place) && !this.failed.has(place) && !this.running.has(place)) return place;
    return undefined;
  }

  private async load(place: number): Promise<void> {
    const address = this.frames[place];
    if (!address) return;
    try {
      this.kept.set(place, await fetchFrame(this.study, address, this.ending.signal));
    } catch (reason) {
      if (!this.ending.signal.aborted) this.failed.add(place);
      if (reason instanceof ApiError && reason.status === 503) window.setTimeout(() => this.failed.delete(place), 2000);
    }
  }
}

async function fetchFrame(study: string, address: FrameAddress, signal: AbortSignal): Promise<Frame> {
  const path = `/api/v1/studies/${study}/images/${address.sop_instance_uid}/frames/${address.frame_number ?? 1}`;
  const response = await fetch(path, { signal });
  if (!response.ok) throw new ApiError(response.status, "The image cannot be shown");
  const about = JSON.parse(response.headers.get("Acuity-Frame") ?? "{}") as About;
  if (about.kind === "colour") return { about, pixels: await createImageBitmap(await response.blob()) };
  return { about, pixels: new Uint16Array(await response.arrayBuffer()) };
}
