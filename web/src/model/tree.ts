// Trees of the plant: out of asset records where they exist, else out of the '/' in tag paths.

import type { Asset, CurrentValue, Priority } from '../api/types';
import { qualityClass } from './quality';

export interface PlantNode {
  /** Unique in its tree: "asset:<id>", "path:<prefix>" or "device:<name>". */
  key: string;
  name: string;
  path: string;
  level: string;
  children: PlantNode[];
  /** Values right here and below. */
  total: number;
  bad: number;
  uncertain: number;
  alarm: Priority | null;
}

export function emptyNode(key: string, name: string, path: string, level: string): PlantNode {
  return { key, name, path, level, children: [], total: 0, bad: 0, uncertain: 0, alarm: null };
}

function count(node: PlantNode, value: CurrentValue): void {
  node.total++;
  const quality = qualityClass(value.quality_code);
  if (quality === 'bad') node.bad++;
  if (quality === 'uncertain') node.uncertain++;
  if (value.alarm !== null && (node.alarm === null || value.alarm < node.alarm)) node.alarm = value.alarm;
}

/** Every path level becomes a node except the last, which is the value itself. */
export function pathTree(values: CurrentValue[]): PlantNode[] {
  const root = emptyNode('path:', '', '', 'other');
  const nodes = new Map<string, PlantNode>([['', root]]);
  for (const value of values) {
    const levels = value.path.split('/').slice(0, -1);
    let prefix = '';
    let parent = root;
    for (const level of levels) {
      prefix = prefix === '' ? level : `${prefix}/${level}`;
      let node = nodes.get(prefix);
      if (node === undefined) {
        node = emptyNode(`path:${prefix}`, level, prefix, 'other');
        nodes.set(prefix, node);
        parent.children.push(node);
      }
      count(node, value);
      parent = node;
    }
  }
  sortTree(root.children);
  return root.children;
}

/** `assetOf` gives the asset id of a value's device; values without one go below `unplacedName` as a path tree. */
export function assetTree(
  assets: Asset[],
  values: CurrentValue[],
  assetOf: (value: CurrentValue) => string | null,
  unplacedName: string,
): PlantNode[] {
  const nodes = new Map<string, PlantNode>();
  const parentOf = new Map<string, string | null>();
  for (const asset of assets) {
    nodes.set(asset.id, emptyNode(`asset:${asset.id}`, asset.name, asset.path, asset.level));
    parentOf.set(asset.id, asset.parent);
  }
  const roots: PlantNode[] = [];
  for (const asset of assets) {
    const parent = asset.parent === null ? undefined : nodes.get(asset.parent);
    const node = nodes.get(asset.id);
    if (node !== undefined) (parent?.children ?? roots).push(node);
  }
  const unplaced: CurrentValue[] = [];
  for (const value of values) {
    let id: string | null | undefined = assetOf(value);
    if (id === null || !nodes.has(id)) {
      unplaced.push(value);
      continue;
    }
    for (let depth = 0; id && depth < 64; depth++) {
      const node = nodes.get(id);
      if (node !== undefined) count(node, value);
      id = parentOf.get(id);
    }
  }
  sortTree(roots);
  if (unplaced.length > 0) {
    const rest = emptyNode('unplaced:', unplacedName, '', 'other');
    rest.children = pathTree(unplaced);
    for (const value of unplaced) count(rest, value);
    roots.push(rest);
  }
  return roots;
}

function sortTree(nodes: PlantNode[]): void {
  nodes.sort((a, b) => a.name.localeCompare(b.name, undefined, { numeric: true }));
  for (const node of nodes) sortTree(node.children);
}

export function findNode(nodes: PlantNode[], key: string): PlantNode | null {
  for (const node of nodes) {
    const found = node.key === key ? node : findNode(node.children, key);
    if (found !== null) return found;
  }
  return null;
}

/** Ids of an asset and of everything below it. */
export function assetsBelow(assets: Asset[], id: string): Set<string> {
  const ids = new Set([id]);
  for (let grew = true; grew; ) {
    grew = false;
    for (const asset of assets) {
      if (asset.parent !== null && ids.has(asset.parent) && !ids.has(asset.id)) {
        ids.add(asset.id);
        grew = true;
      }
    }
  }
  return ids;
}

/** All words of `search` occur in `text`, in any order and case. */
export function matches(text: string, search: string): boolean {
  const lower = text.toLowerCase();
  return search
    .toLowerCase()
    .split(/\s+/)
    .every((word) => lower.includes(word));
}
