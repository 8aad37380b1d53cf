/** Small signs; each stands beside a word that says the same. */

import type { ReactNode } from "react";
import type { Band } from "./api";

function Icon({ children, size = 16 }: { children: ReactNode; size?: number }): ReactNode {
  return (
    <svg className="icon" width={size} height={size} viewBox="0 0 16 16" aria-hidden="true" focusable="false">
      {children}
    </svg>
  );
}

export function BandIcon({ band }: { band: Band }): ReactNode {
  if (band === "CRITICAL")
    return (
      <Icon>
        <path d="M8 1 15.5 14.5H.5Z" fill="currentColor" />
        <path d="M8 6v4" stroke="var(--ground)" strokeWidth="1.8" strokeLinecap="round" />
        <circle cx="8" cy="12.2" r="1" fill="var(--ground)" />
      </Icon>
    );
  if (band === "URGENT")
    return (
      <Icon>
        <path d="M8 1.5 14.5 8 8 14.5 1.5 8Z" fill="currentColor" />
      </Icon>
    );
  return (
    <Icon>
      <circle cx="8" cy="8" r="5" fill="none" stroke="currentColor" strokeWidth="1.6" />
    </Icon>
  );
}

export function FlagIcon(): ReactNode {
  return (
    <Icon>
      <path d="M3.5 15V1.5h8.2L9.8 5l1.9 3.5H3.5" fill="none" stroke="currentColor" strokeWidth="1.6" strokeLinejoin="round" strokeLinecap="round" />
    </Icon>
  );
}

export function NoFlagIcon(): ReactNode {
  return (
    <Icon>
      <path d="M3 8h10" stroke="currentColor" strokeWidth="1.6" strokeLinecap="round" />
    </Icon>
  );
}

export function NotAnalysedIcon(): ReactNode {
  return (
    <Icon>
      <circle cx="8" cy="8" r="5.5" fill="none" stroke="currentColor" strokeWidth="1.5" strokeDasharray="2.6 2" />
      <path d="M4.2 11.8l7.6-7.6" stroke="currentColor" strokeWidth="1.5" />
    </Icon>
  );
}

export function FailedIcon(): ReactNode {
  return (
    <Icon>
      <circle cx="8" cy="8" r="6" fill="none" stroke="currentColor" strokeWidth="1.5" />
      <path d="M5.6 5.6l4.8 4.8M10.4 5.6l-4.8 4.8" stroke="currentColor" strokeWidth="1.5" strokeLinecap="round" />
    </Icon>
  );
}

export function WaitIcon(): ReactNode {
  return (
    <Icon>
      <circle cx="8" cy="8" r="6" fill="none" stroke="currentColor" strokeWidth="1.5" />
      <path d="M8 4.8V8l2.2 1.6" fill="none" stroke="currentColor" strokeWidth="1.5" strokeLinecap="round" />
    </Icon>
  );
}

export function OverdueIcon(): ReactNode {
  return (
    <Icon>
      <circle cx="8" cy="8" r="7" fill="currentColor" />
      <path d="M8 4v4.3l2.6 1.8" fill="none" stroke="var(--ground)" strokeWidth="1.7" strokeLinecap="round" />
    </Icon>
  );
}

export function Spinner(): ReactNode {
  return (
    <Icon size={14}>
      <circle cx="8" cy="8" r="6" fill="none" stroke="currentColor" strokeWidth="2" opacity="0.3" />
      <path className="spin" d="M8 2a6 6 0 0 1 6 6" fill="none" stroke="currentColor" strokeWidth="2" strokeLinecap="round" />
    </Icon>
  );
}

export function CloseIcon(): ReactNode {
  return (
    <Icon>
      <path d="M3.5 3.5l9 9M12.5 3.5l-9 9" stroke="currentColor" strokeWidth="1.6" strokeLinecap="round" />
    </Icon>
  );
}

export function SearchIcon(): ReactNode {
  return (
    <Icon>
      <circle cx="7" cy="7" r="4.5" fill="none" stroke="currentColor" strokeWidth="1.6" />
      <path d="M10.5 10.5 14 14" stroke="currentColor" strokeWidth="1.6" strokeLinecap="round" />
    </Icon>
  );
}

export function ChevronIcon(): ReactNode {
  return (
    <Icon size={12}>
      <path d="M3 6l5 5 5-5" fill="none" stroke="currentColor" strokeWidth="2" strokeLinecap="round" strokeLinejoin="round" />
    </Icon>
  );
}

export function AttentionIcon(): ReactNode {
  return (
    <Icon>
      <circle cx="8" cy="8" r="6.2" fill="none" stroke="currentColor" strokeWidth="1.5" />
      <path d="M8 4.4v4.2" stroke="currentColor" strokeWidth="1.8" strokeLinecap="round" />
      <circle cx="8" cy="11.4" r="1.1" fill="currentColor" />
    </Icon>
  );
}

export function PersonIcon(): ReactNode {
  return (
    <Icon>
      <circle cx="8" cy="5" r="2.8" fill="currentColor" />
      <path d="M2.5 14c.6-3.2 2.8-4.7 5.5-4.7s4.9 1.5 5.5 4.7Z" fill="currentColor" />
    </Icon>
  );
}

export function DoneIcon(): ReactNode {
  return (
    <Icon>
      <path d="M3 8.5l3.3 3.3L13 4.6" fill="none" stroke="currentColor" strokeWidth="1.8" strokeLinecap="round" strokeLinejoin="round" />
    </Icon>
  );
}

export function BellIcon({ isOn }: { isOn: boolean }): ReactNode {
  return (
    <Icon>
      <path d="M3 11.5h10L11.8 9.7V6.5a3.8 3.8 0 0 0-7.6 0v3.2Z" fill={isOn ? "currentColor" : "none"} stroke="currentColor" strokeWidth="1.5" strokeLinejoin="round" />
      <path d="M6.5 13.6a1.6 1.6 0 0 0 3 0" fill="none" stroke="currentColor" strokeWidth="1.5" strokeLinecap="round" />
      {!isOn && <path d="M2.5 2.5l11 11" stroke="currentColor" strokeWidth="1.5" strokeLinecap="round" />}
    </Icon>
  );
}
