import { describe, expect, it } from 'vitest';
import type { Asset, CurrentValue, Priority } from '../api/types';
import { assetsBelow, assetTree, findNode, matches, pathTree } from './tree';

const value = (path: string, quality = 0, alarm: Priority | null = null): CurrentValue => ({
  path,
  id: path,
  value: 1,
  quality: '',
  quality_code: quality,
  time: null,
  unit: '',
  type: 'double',
  device: path.split('/').slice(0, -1).join('/'),
  alarm,
});
const asset = (id: string, parent: string | null, name: string): Asset => ({
  id,
  parent,
  name,
  level: 'other',
  path: name,
});

describe('pathTree', () => {
  it('makes a node of every level but the last and rolls up counts, quality and the highest alarm', () => {
    const tree = pathTree([
      value('a/b/x', 0, 3),
      value('a/b/y', 0x80000000),
      value('a/c/z', 0x40000000, 2),
      value('alone'),
    ]);
    expect(tree.map((node) => node.name)).toEqual(['a']);
    expect(tree[0]).toMatchObject({ total: 3, bad: 1, uncertain: 1, alarm: 2 });
    expect(findNode(tree, 'path:a/b')).toMatchObject({ total: 2, bad: 1, alarm: 3 });
    expect(findNode(tree, 'path:a/b/x')).toBeNull();
  });

  it('sorts names as people count', () => {
    expect(pathTree([value('m-10/x'), value('m-2/x')]).map((node) => node.name)).toEqual(['m-2', 'm-10']);
  });
});

describe('assetTree', () => {
  const assets = [asset('1', null, 'Site'), asset('2', '1', 'Line')];

  it('counts a value at its asset and everything above', () => {
    const tree = assetTree(assets, [value('f/x', 0, 1)], () => '2', 'rest');
    expect(tree[0]).toMatchObject({ name: 'Site', total: 1, alarm: 1 });
    expect(tree[0]?.children[0]).toMatchObject({ name: 'Line', total: 1 });
  });

  it('keeps what is not placed below a node of its own', () => {
    const tree = assetTree(assets, [value('f/x'), value('g/y')], () => null, 'rest');
    expect(tree.at(-1)).toMatchObject({ key: 'unplaced:', name: 'rest', total: 2 });
    expect(tree.at(-1)?.children.map((node) => node.name)).toEqual(['f', 'g']);
  });

  it('knows what lies below an asset', () => {
    expect([...assetsBelow([...assets, asset('3', '2', 'Cell'), asset('4', null, 'Other')], '1')].sort()).toEqual([
      '1',
      '2',
      '3',
    ]);
  });
});

describe('matches', () => {
  it('wants all words in any order and case', () => {
    expect(matches('Acme/Line3/Filler/temperature', 'TEMP line3')).toBe(true);
    expect(matches('Acme/Line3/Filler/temperature', 'temp line4')).toBe(false);
  });
});
