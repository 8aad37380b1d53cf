import type { ReactNode } from "react";
import { BandIcon, DoneIcon, WaitIcon } from "../icons";
import type { Level } from "./streamWords";

export function LevelIcon({ level }: { level: Level }): ReactNode {
  if (level === "good") return <DoneIcon />;
  if (level === "unknown") return <WaitIcon />;
  return <BandIcon band={level === "harm" ? "CRITICAL" : "URGENT"} />;
}
