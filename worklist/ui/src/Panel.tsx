import { useEffect, useRef, type ReactNode } from "react";
import { Button } from "react-aria-components";
import { CloseIcon } from "./icons";
import { words } from "./words/language";

interface Props {
  title: string;
  subtitle?: ReactNode;
  /** What stands beside the text and does not scroll with it. */
  media?: ReactNode;
  onClose: () => void;
  children: ReactNode;
}

/** What stands beside the list; when it opens its heading takes the focus, so that a screen reader begins there. */
export function Panel({ title, subtitle, media, onClose, children }: Props): ReactNode {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    heading.current?.focus({ preventScroll: true });
  }, []);
  return (
    <aside className={media ? "panel panel-wide" : "panel"} aria-label={title}>
      <header className="panel-head">
        <div>
          <h2 ref={heading} tabIndex={-1}>
            {title}
          </h2>
          {subtitle}
        </div>
        <Button className="button button-quiet button-icon" onPress={onClose} aria-label={words.frame.closeByEscape}>
          <CloseIcon />
        </Button>
      </header>
      <div className="panel-parts">
        {media}
        <div className="panel-body" tabIndex={0} role="group" aria-label={words.frame.contentOf(title)}>
          {children}
        </div>
      </div>
    </aside>
  );
}

export function Section({ title, children }: { title: string; children: ReactNode }): ReactNode {
  return (
    <section className="section">
      <h3>{title}</h3>
      {children}
    </section>
  );
}
