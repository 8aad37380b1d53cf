/** A table with its title, for the pages beside the list. */

import type { ReactNode } from "react";

export function Table({ title, columns, children }: { title: string; columns: string[]; children: ReactNode }): ReactNode {
  return (
    <section className="admin-table">
      <h2>{title}</h2>
      <div className="admin-scroll" tabIndex={0} role="region" aria-label={title}>
        <table>
          <thead>
            <tr>
              {columns.map((name) => (
                <th key={name} scope="col">
                  {name}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>{children}</tbody>
        </table>
      </div>
    </section>
  );
}

export function Nothing({ columns, children }: { columns: number; children: ReactNode }): ReactNode {
  return (
    <tr>
      <td colSpan={columns} className="muted">
        {children}
      </td>
    </tr>
  );
}
