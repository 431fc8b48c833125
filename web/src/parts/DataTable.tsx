// The one table: sorting, selection, keyboard, rows drawn only where they are seen.

import { Checkbox } from '@mantine/core';
import {
  type ColumnDef,
  flexRender,
  getCoreRowModel,
  getSortedRowModel,
  type Row,
  type SortingState,
  useReactTable,
} from '@tanstack/react-table';
import { useVirtualizer } from '@tanstack/react-virtual';
import { Fragment, type KeyboardEvent, type ReactNode, useRef, useState } from 'react';
import { t } from '../model/text';

declare module '@tanstack/react-table' {
  interface ColumnMeta<TData, TValue> {
    /** Classes of the cell: right, grow, wrap, ls-wide-only. */
    cell?: string;
    /** Keeps the type parameters in use, as the library's own declaration demands. */
    of?: [TData, TValue];
  }
}

export type Column<Item> = ColumnDef<Item, unknown>;

interface Props<Item> {
  rows: Item[];
  columns: Column<Item>[];
  rowId: (item: Item) => string;
  initialSort?: SortingState;
  onOpen?: (item: Item) => void;
  selected?: Set<string>;
  onSelect?: (selected: Set<string>) => void;
  below?: (item: Item) => ReactNode;
  rowTestId?: string;
  label: string;
  onKey?: (event: KeyboardEvent, item: Item) => void;
}

const virtualFrom = 80;

export function DataTable<Item>(props: Props<Item>) {
  const { rows, columns, rowId, initialSort, onOpen, selected, onSelect, below, rowTestId, label, onKey } = props;
  const [sorting, setSorting] = useState<SortingState>(initialSort ?? []);
  const scroller = useRef<HTMLDivElement>(null);
  const table = useReactTable({
    data: rows,
    columns,
    state: { sorting },
    onSortingChange: setSorting,
    getRowId: rowId,
    getCoreRowModel: getCoreRowModel(),
    getSortedRowModel: getSortedRowModel(),
  });
  const ordered = table.getRowModel().rows;
  const isVirtual = below === undefined && ordered.length > virtualFrom;
  const virtualizer = useVirtualizer({
    count: isVirtual ? ordered.length : 0,
    getScrollElement: () => scroller.current,
    estimateSize: () =>
      Number.parseInt(getComputedStyle(document.documentElement).getPropertyValue('--ls-row'), 10) || 36,
    overscan: 12,
  });
  const seen = virtualizer.getVirtualItems();
  const shown = isVirtual ? seen.flatMap((it) => ordered[it.index] ?? []) : ordered;
  const aboveHeight = isVirtual ? (seen[0]?.start ?? 0) : 0;
  const belowHeight = isVirtual ? virtualizer.getTotalSize() - (seen.at(-1)?.end ?? 0) : 0;

  const toggle = (id: string): void => {
    if (selected === undefined || onSelect === undefined) return;
    const next = new Set(selected);
    if (!next.delete(id)) next.add(id);
    onSelect(next);
  };
  const keyDown = (event: KeyboardEvent<HTMLTableRowElement>, row: Row<Item>): void => {
    if (event.target !== event.currentTarget) return;
    if (event.key === 'Enter') onOpen?.(row.original);
    else if (event.key === ' ') toggle(row.id);
    else if (event.key === 'ArrowDown') (event.currentTarget.nextElementSibling as HTMLElement | null)?.focus();
    else if (event.key === 'ArrowUp') (event.currentTarget.previousElementSibling as HTMLElement | null)?.focus();
    else {
      onKey?.(event, row.original);
      return;
    }
    event.preventDefault();
  };
  const allChosen = ordered.length > 0 && selected?.size === ordered.length;
  const span = columns.length + (onSelect === undefined ? 0 : 1);

  return (
    <div className="ls-table-wrap" ref={scroller}>
      <table className="ls-table" aria-label={label}>
        <thead>
          {table.getHeaderGroups().map((group) => (
            <tr key={group.id}>
              {onSelect !== undefined && (
                <th style={{ width: 34 }}>
                  <Checkbox
                    size="xs"
                    aria-label={t('common.selectAll')}
                    checked={allChosen}
                    indeterminate={!allChosen && (selected?.size ?? 0) > 0}
                    onChange={() => onSelect(allChosen ? new Set() : new Set(ordered.map((row) => row.id)))}
                  />
                </th>
              )}
              {group.headers.map((header) => {
                const sorted = header.column.getIsSorted();
                const text = flexRender(header.column.columnDef.header, header.getContext());
                return (
                  <th
                    key={header.id}
                    className={header.column.columnDef.meta?.cell}
                    aria-sort={sorted === 'asc' ? 'ascending' : sorted === 'desc' ? 'descending' : undefined}
                  >
                    {header.column.getCanSort() ? (
                      <button type="button" onClick={header.column.getToggleSortingHandler()}>
                        {text}
                        {sorted === 'asc' ? ' ▴' : sorted === 'desc' ? ' ▾' : ''}
                      </button>
                    ) : (
                      text
                    )}
                  </th>
                );
              })}
            </tr>
          ))}
        </thead>
        <tbody>
          {aboveHeight > 0 && (
            <tr aria-hidden>
              <td colSpan={span} style={{ height: aboveHeight, padding: 0, border: 0 }} />
            </tr>
          )}
          {shown.map((row) => {
            const extra = below?.(row.original);
            return (
              <Fragment key={row.id}>
                <tr
                  tabIndex={0}
                  className={`${onOpen ? 'openable' : ''}${selected?.has(row.id) ? ' chosen' : ''}`}
                  data-testid={rowTestId}
                  data-row-id={row.id}
                  onClick={(event) => {
                    if ((event.target as Element).closest('a,button,input,select,label') === null)
                      onOpen?.(row.original);
                  }}
                  onKeyDown={(event) => keyDown(event, row)}
                >
                  {onSelect !== undefined && (
                    <td>
                      <Checkbox
                        size="xs"
                        aria-label={t('common.select')}
                        checked={selected?.has(row.id) ?? false}
                        onChange={() => toggle(row.id)}
                      />
                    </td>
                  )}
                  {row.getVisibleCells().map((cell) => (
                    <td key={cell.id} className={cell.column.columnDef.meta?.cell}>
                      {flexRender(cell.column.columnDef.cell, cell.getContext())}
                    </td>
                  ))}
                </tr>
                {extra && (
                  <tr className="below">
                    <td colSpan={span}>{extra}</td>
                  </tr>
                )}
              </Fragment>
            );
          })}
          {belowHeight > 0 && (
            <tr aria-hidden>
              <td colSpan={span} style={{ height: belowHeight, padding: 0, border: 0 }} />
            </tr>
          )}
        </tbody>
      </table>
    </div>
  );
}
