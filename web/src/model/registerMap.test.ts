import { describe, expect, it } from 'vitest';
import { newRegister, parseRegisterMap, registerMapToCsv, splitCells } from './registerMap';

describe('splitCells', () => {
  it('takes tabs, semicolons or commas, and quotes', () => {
    expect(splitCells('a\tb\n1\t2')).toEqual([
      ['a', 'b'],
      ['1', '2'],
    ]);
    expect(splitCells('a;b\r\n0,1;2\r\n')).toEqual([
      ['a', 'b'],
      ['0,1', '2'],
    ]);
    expect(splitCells('"a,""x""",b')).toEqual([['a,"x"', 'b']]);
  });
});

describe('parseRegisterMap', () => {
  it('reads what a spreadsheet puts on the clipboard, with columns in any order', () => {
    const { registers, errors } = parseRegisterMap(
      'Address\tName\tType\tScale\tUnit\n0\tpressure\tfloat32\t\tbar\n2\tlevel\tuint16\t0,1\t%\n',
    );
    expect(errors).toEqual([]);
    expect(registers).toEqual([
      { ...newRegister(0), name: 'pressure', type: 'float32', unit: 'bar' },
      { ...newRegister(2), name: 'level', scale: 0.1, unit: '%' },
    ]);
  });

  it('takes the usual order of columns when there is no header', () => {
    expect(parseRegisterMap('level,holding,2,uint16,big,little,0.1,0,%,true').registers).toEqual([
      { ...newRegister(2), name: 'level', byte_order: 'little', scale: 0.1, unit: '%', writable: true },
    ]);
  });

  it('names the line of each fault and keeps the rest', () => {
    const { registers, errors } = parseRegisterMap(
      'name,table,address,type\nok,holding,1,int16\nbad,holdin,2,int16\n,holding,3,int16\nfar,holding,70000,int16\nok,input,4,int16\n\nlast,coil,5,\n',
    );
    expect(registers.map((register) => register.name)).toEqual(['ok', 'last']);
    expect(registers[1]?.type).toBe('bool');
    expect(errors.map((error) => error.line)).toEqual([3, 4, 5, 6]);
    expect(errors[0]?.message).toContain('holdin');
  });

  it('reads what it writes', () => {
    const registers = [
      { ...newRegister(7), name: 'a, "b"', unit: 'm3/h' },
      { ...newRegister(9), name: 'c', writable: true },
    ];
    expect(parseRegisterMap(registerMapToCsv(registers))).toEqual({ registers, errors: [] });
  });
});
