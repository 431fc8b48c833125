// A tree of the plant that the keyboard walks as trees are walked everywhere: arrows, Home, End, Enter.

import { type KeyboardEvent, type ReactNode, useMemo, useState } from 'react';
import { t } from '../model/text';

export interface TreeItem {
  key: string;
  name: string;
  children: TreeItem[];
}

interface Props<Item extends TreeItem> {
  items: Item[];
  selected: string;
  onSelect: (key: string) => void;
  extra?: (item: Item) => ReactNode;
  label: string;
  /** Levels that are open at first. */
  openDepth?: number;
}

interface Line<Item> {
  item: Item;
  depth: number;
  isOpen: boolean;
}

export function Tree<Item extends TreeItem>({ items, selected, onSelect, extra, label, openDepth = 2 }: Props<Item>) {
  // Only what a person has changed is kept, so that new nodes follow `openDepth`.
  const [toggled, setToggled] = useState<Map<string, boolean>>(new Map());
  const lines = useMemo(() => {
    const result: Line<Item>[] = [];
    const walk = (some: Item[], depth: number): void => {
      for (const item of some) {
        const isOpen = toggled.get(item.key) ?? (depth < openDepth || containsKey(item, selected));
        result.push({ item, depth, isOpen });
        if (isOpen) walk(item.children as Item[], depth + 1);
      }
    };
    walk(items, 0);
    return result;
  }, [items, toggled, openDepth, selected]);

  const setOpen = (key: string, isOpen: boolean): void => setToggled(new Map(toggled).set(key, isOpen));
  const focusAt = (element: Element, index: number): void => {
    const all = element.closest('[role=tree]')?.querySelectorAll<HTMLElement>('[role=treeitem]');
    all?.[Math.min(Math.max(index, 0), all.length - 1)]?.focus();
  };
  const keyDown = (event: KeyboardEvent<HTMLDivElement>, line: Line<Item>, index: number): void => {
    const { item, isOpen } = line;
    if (event.key === 'ArrowDown') focusAt(event.currentTarget, index + 1);
    else if (event.key === 'ArrowUp') focusAt(event.currentTarget, index - 1);
    else if (event.key === 'Home') focusAt(event.currentTarget, 0);
    else if (event.key === 'End') focusAt(event.currentTarget, lines.length - 1);
    else if (event.key === 'ArrowRight' && item.children.length > 0 && !isOpen) setOpen(item.key, true);
    else if (event.key === 'ArrowRight') focusAt(event.currentTarget, index + 1);
    else if (event.key === 'ArrowLeft' && isOpen && item.children.length > 0) setOpen(item.key, false);
    else if (event.key === 'Enter' || event.key === ' ') onSelect(item.key);
    else return;
    event.preventDefault();
  };

  return (
    <div className="ls-tree" role="tree" aria-label={label}>
      {lines.map((line, index) => {
        const { item, depth, isOpen } = line;
        return (
          <div
            key={item.key}
            role="treeitem"
            aria-level={depth + 1}
            aria-expanded={item.children.length > 0 ? isOpen : undefined}
            aria-selected={item.key === selected}
            tabIndex={item.key === selected || (selected === '' && index === 0) ? 0 : -1}
            className="ls-tree-row"
            style={{ paddingLeft: 4 + depth * 14 }}
            data-testid={`tree-${item.key}`}
            onClick={() => onSelect(item.key)}
            onKeyDown={(event) => keyDown(event, line, index)}
          >
            {item.children.length > 0 ? (
              <button
                type="button"
                className="ls-twist"
                tabIndex={-1}
                aria-label={isOpen ? t('common.collapse') : t('common.expand')}
                onClick={(event) => {
                  event.stopPropagation();
                  setOpen(item.key, !isOpen);
                }}
              >
                {isOpen ? '▾' : '▸'}
              </button>
            ) : (
              <span className="ls-twist" />
            )}
            <span className="ls-grow ls-cut" title={item.name}>
              {item.name}
            </span>
            {extra?.(item)}
          </div>
        );
      })}
    </div>
  );
}

function containsKey(item: TreeItem, key: string): boolean {
  return item.children.some((child) => child.key === key || containsKey(child, key));
}
