// Register maps as text: pasted from a spreadsheet (tabs), from CSV (commas or semicolons), and back.

import type { ModbusRegister } from '../api/types';
import { t } from './text';

export const registerColumns = [
  'name',
  'table',
  'address',
  'type',
  'word_order',
  'byte_order',
  'scale',
  'offset',
  'unit',
  'writable',
] as const;
type Column = (typeof registerColumns)[number];

export const registerTables = ['holding', 'input', 'coil', 'discrete'] as const;
export const registerTypes = ['int16', 'uint16', 'int32', 'uint32', 'int64', 'float32', 'float64', 'bool'] as const;
const orders = ['big', 'little'] as const;

export interface MapError {
  line: number;
  message: string;
}

export interface ParsedMap {
  registers: ModbusRegister[];
  errors: MapError[];
}

export function newRegister(address: number): ModbusRegister {
  return {
    name: `register-${address}`,
    table: 'holding',
    address,
    type: 'uint16',
    word_order: 'big',
    byte_order: 'big',
    scale: 1,
    offset: 0,
    unit: '',
    writable: false,
  };
}

/** Rows of cells; quotes as in RFC 4180. The separator is whichever of tab, semicolon, comma the first line has. */
export function splitCells(text: string): string[][] {
  const firstLine = text.slice(0, text.search(/\r|\n|$/));
  const separator = firstLine.includes('\t') ? '\t' : firstLine.includes(';') ? ';' : ',';
  const rows: string[][] = [];
  let row: string[] = [];
  let cell = '';
  let isQuoted = false;
  for (let i = 0; i < text.length; i++) {
    const sign = text[i] ?? '';
    if (isQuoted) {
      if (sign === '"' && text[i + 1] === '"') {
        cell += '"';
        i++;
      } else if (sign === '"') isQuoted = false;
      else cell += sign;
    } else if (sign === '"' && cell === '') isQuoted = true;
    else if (sign === separator) {
      row.push(cell);
      cell = '';
    } else if (sign === '\n') {
      rows.push([...row, cell]);
      row = [];
      cell = '';
    } else if (sign !== '\r') cell += sign;
  }
  if (cell !== '' || row.length > 0) rows.push([...row, cell]);
  return rows.map((cells) => cells.map((one) => one.trim()));
}

/**
 * Without a header line the columns are taken in the order of `registerColumns`. Lines with a fault are reported with
 * their number and left out; all others are kept.
 */
export function parseRegisterMap(text: string): ParsedMap {
  const rows = splitCells(text.replace(/^\uFEFF/, ''));
  const header = rows[0]?.map((cell) => cell.toLowerCase().replace(/[\s-]+/g, '_')) ?? [];
  const hasHeader = header.includes('name') || header.includes('address');
  const columns = hasHeader ? header : [...registerColumns];
  const registers: ModbusRegister[] = [];
  const errors: MapError[] = [];
  const names = new Set<string>();
  rows.forEach((cells, index) => {
    if ((hasHeader && index === 0) || cells.every((cell) => cell === '')) return;
    const line = index + 1;
    const cellOf = (column: Column): string => cells[columns.indexOf(column)] ?? '';
    const result = parseRegister(cellOf);
    if (typeof result === 'string') errors.push({ line, message: result });
    else if (names.has(result.name)) errors.push({ line, message: t('registerMap.twice', { name: result.name }) });
    else {
      names.add(result.name);
      registers.push(result);
    }
  });
  return { registers, errors };
}

/** The register, or what is wrong. */
function parseRegister(cellOf: (column: Column) => string): ModbusRegister | string {
  const name = cellOf('name');
  if (name === '') return t('registerMap.noName');
  const address = Number(cellOf('address'));
  if (cellOf('address') === '' || !Number.isInteger(address) || address < 0 || address > 65_535)
    return t('registerMap.badAddress', { text: cellOf('address') });
  const table = oneOf(registerTables, cellOf('table') || 'holding');
  if (table === null)
    return t('registerMap.notOneOf', { column: 'table', text: cellOf('table'), list: registerTables.join(', ') });
  const usualType = table === 'coil' || table === 'discrete' ? 'bool' : 'uint16';
  const type = oneOf(registerTypes, cellOf('type') || usualType);
  if (type === null)
    return t('registerMap.notOneOf', { column: 'type', text: cellOf('type'), list: registerTypes.join(', ') });
  const wordOrder = oneOf(orders, cellOf('word_order') || 'big');
  const byteOrder = oneOf(orders, cellOf('byte_order') || 'big');
  if (wordOrder === null || byteOrder === null)
    return t('registerMap.notOneOf', { column: 'word_order', text: cellOf('word_order'), list: orders.join(', ') });
  const scale = numberOr(cellOf('scale'), 1);
  const offset = numberOr(cellOf('offset'), 0);
  if (Number.isNaN(scale) || Number.isNaN(offset)) return t('registerMap.badNumber', { text: cellOf('scale') });
  const writable = /^(true|yes|1|x|rw)$/i.test(cellOf('writable'));
  return {
    name,
    table,
    address,
    type,
    word_order: wordOrder,
    byte_order: byteOrder,
    scale,
    offset,
    unit: cellOf('unit'),
    writable,
  };
}

function oneOf<Name extends string>(names: readonly Name[], text: string): Name | null {
  return names.find((name) => name === text.toLowerCase()) ?? null;
}

function numberOr(text: string, otherwise: number): number {
  // A spreadsheet of another language writes 0,1.
  return text === '' ? otherwise : Number(text.replace(',', '.'));
}

export function registerMapToCsv(registers: ModbusRegister[]): string {
  const cell = (text: string): string => (/[",\n]/.test(text) ? `"${text.replace(/"/g, '""')}"` : text);
  const rows = registers.map((register) => registerColumns.map((column) => cell(String(register[column]))).join(','));
  return `${[registerColumns.join(','), ...rows].join('\n')}\n`;
}
