// The register map as a grid: typed, pasted from a spreadsheet, or read from CSV; with live values beside it.

import { Button, Switch } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { type ClipboardEvent, useRef, useState } from 'react';
import { modbus } from '../api/endpoints';
import type { CsvCheck, ModbusPreviewValue, ModbusRegister } from '../api/types';
import { formatUnit, formatValue } from '../model/format';
import {
  type MapError,
  newRegister,
  parseRegisterMap,
  registerColumns,
  registerMapToCsv,
  registerTables,
  registerTypes,
} from '../model/registerMap';
import { t } from '../model/text';
import { complain, done } from '../model/toasts';
import { saveText } from './saveFile';

interface Props {
  registers: ModbusRegister[];
  onChange: (registers: ModbusRegister[]) => void;
  address: string;
  unit: number;
  fileName: string;
  /** The server's own look at the map, where the device exists already. */
  dryRun?: (csv: string) => Promise<CsvCheck>;
}

const previewEveryMs = 1500;
const shownErrorsMax = 12;

export function RegisterMap({ registers, onChange, address, unit, fileName, dryRun }: Props) {
  const [errors, setErrors] = useState<MapError[]>([]);
  const [isLive, setLive] = useState(false);
  const file = useRef<HTMLInputElement>(null);
  const preview = usePreview(address, unit, registers, isLive);

  const take = (text: string): void => {
    const parsed = parseRegisterMap(text);
    setErrors(parsed.errors);
    if (parsed.registers.length === 0) return;
    // Rows with a name that is there already replace it.
    const names = new Set(parsed.registers.map((register) => register.name));
    const next = [...registers.filter((register) => !names.has(register.name)), ...parsed.registers];
    onChange(next);
    setLive(true);
    done(t('add.pasted', { count: parsed.registers.length }));
    dryRun?.(registerMapToCsv(next)).then((check) => setErrors([...parsed.errors, ...check.errors]), complain);
  };
  const paste = (event: ClipboardEvent): void => {
    const text = event.clipboardData.getData('text/plain');
    // One cell pasted into a field is just text.
    if (!/[\t\n;,]/.test(text.trim())) return;
    event.preventDefault();
    take(text);
  };
  const change = (index: number, part: Partial<ModbusRegister>): void =>
    onChange(registers.map((register, i) => (i === index ? { ...register, ...part } : register)));
  const nextAddress = Math.max(-1, ...registers.map((register) => register.address)) + 1;

  return (
    <div className="ls-stack" onPaste={paste} data-testid="register-map">
      <div className="ls-row">
        <Button
          variant="default"
          onClick={() => {
            onChange([...registers, newRegister(nextAddress)]);
          }}
          data-testid="register-add"
        >
          {t('add.addRow')}
        </Button>
        <Button variant="default" onClick={() => file.current?.click()}>
          {t('add.upload')}
        </Button>
        <input
          ref={file}
          type="file"
          accept=".csv,.tsv,.txt,text/csv"
          hidden
          onChange={(event) => {
            void event.currentTarget.files?.[0]?.text().then(take, complain);
            event.currentTarget.value = '';
          }}
          data-testid="register-upload"
        />
        <Button
          variant="default"
          disabled={registers.length === 0}
          onClick={() => saveText(fileName, 'text/csv', registerMapToCsv(registers))}
        >
          {t('add.download')}
        </Button>
        <Switch
          label={t('add.preview')}
          checked={isLive}
          onChange={(event) => setLive(event.currentTarget.checked)}
          data-testid="register-preview"
        />
        <span className="ls-dim ls-small">{t('add.pasteHint')}</span>
      </div>
      {errors.length > 0 && (
        <div className="ls-snippet" role="alert" data-testid="register-errors">
          <div>
            {errors.slice(0, shownErrorsMax).map((error) => (
              <div key={`${error.line} ${error.message}`}>
                {t('add.line', { line: error.line, message: error.message })}
              </div>
            ))}
            {errors.length > shownErrorsMax && <div>{t('common.more', { count: errors.length - shownErrorsMax })}</div>}
          </div>
        </div>
      )}
      <div className="ls-panel ls-scroll" style={{ maxHeight: 420 }}>
        <table className="ls-table ls-grid-edit">
          <thead>
            <tr>
              {registerColumns.map((column) => (
                <th key={column}>{t(`registerMap.${column}`)}</th>
              ))}
              <th className="right">{t('add.previewValue')}</th>
              <th />
            </tr>
          </thead>
          <tbody>
            {registers.length === 0 && (
              <tr>
                <td colSpan={registerColumns.length + 2}>
                  {/* A place to paste into while there is no row yet. */}
                  <input
                    aria-label={t('add.pasteHint')}
                    placeholder={t('add.pasteHint')}
                    data-testid="register-paste"
                  />
                </td>
              </tr>
            )}
            {registers.map((register, i) => (
              <RegisterRow
                // Names change while they are typed; rows keep their place.
                key={i}
                register={register}
                preview={preview.get(register.name)}
                onChange={(part) => change(i, part)}
                onRemove={() => onChange(registers.filter((_, other) => other !== i))}
              />
            ))}
          </tbody>
        </table>
      </div>
    </div>
  );
}

function usePreview(
  address: string,
  unit: number,
  registers: ModbusRegister[],
  isLive: boolean,
): Map<string, ModbusPreviewValue> {
  const answer = useQuery({
    queryKey: ['modbus-preview', address, unit, registers],
    queryFn: async () => {
      const answer = await modbus.read(address, unit, registers);
      return Array.isArray(answer) ? answer : answer.items;
    },
    enabled: isLive && address !== '' && registers.length > 0,
    refetchInterval: previewEveryMs,
    placeholderData: (before) => before,
    meta: { quiet: true },
  });
  return new Map((answer.data ?? []).map((item) => [item.name, item]));
}

interface RowProps {
  register: ModbusRegister;
  preview: ModbusPreviewValue | undefined;
  onChange: (part: Partial<ModbusRegister>) => void;
  onRemove: () => void;
}

function RegisterRow({ register, preview, onChange, onRemove }: RowProps) {
  const select = (column: 'table' | 'type' | 'word_order' | 'byte_order', options: readonly string[]) => (
    <td>
      <select
        aria-label={t(`registerMap.${column}`)}
        className={column.endsWith('order') ? 'short' : undefined}
        value={register[column]}
        onChange={(event) => onChange({ [column]: event.currentTarget.value } as Partial<ModbusRegister>)}
      >
        {options.map((option) => (
          <option key={option}>{option}</option>
        ))}
      </select>
    </td>
  );
  const number = (column: 'address' | 'scale' | 'offset') => (
    <td>
      <input
        aria-label={t(`registerMap.${column}`)}
        type="number"
        step="any"
        value={register[column]}
        onChange={(event) => onChange({ [column]: event.currentTarget.valueAsNumber || 0 })}
        style={{ width: 68 }}
      />
    </td>
  );
  return (
    <tr data-testid="register-row">
      <td>
        <input
          aria-label={t('registerMap.name')}
          value={register.name}
          onChange={(event) => onChange({ name: event.currentTarget.value })}
          style={{ width: 140 }}
          data-testid="register-name"
        />
      </td>
      {select('table', registerTables)}
      {number('address')}
      {select('type', registerTypes)}
      {select('word_order', ['big', 'little'])}
      {select('byte_order', ['big', 'little'])}
      {number('scale')}
      {number('offset')}
      <td>
        <input
          aria-label={t('registerMap.unit')}
          value={register.unit}
          onChange={(event) => onChange({ unit: event.currentTarget.value })}
          style={{ width: 64 }}
        />
      </td>
      <td>
        <input
          type="checkbox"
          aria-label={t('registerMap.writable')}
          checked={register.writable}
          onChange={(event) => onChange({ writable: event.currentTarget.checked })}
          style={{ width: 16, height: 16 }}
        />
      </td>
      <td className="right ls-num" title={preview?.raw ?? undefined} data-testid={`preview-${register.name}`}>
        {preview === undefined ? (
          <span className="ls-dim">–</span>
        ) : preview.error ? (
          <span title={preview.error}>{preview.error}</span>
        ) : (
          <span className="ls-value">
            {formatValue(preview.value)}
            <span className="ls-unit">{formatUnit(register.unit)}</span>
          </span>
        )}
      </td>
      <td>
        <button type="button" className="ls-twist" aria-label={t('common.delete')} onClick={onRemove}>
          ×
        </button>
      </td>
    </tr>
  );
}
