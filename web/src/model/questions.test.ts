import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { caughtNames, changed, compareCells, examples, parseQuestion, type Question, questionAsCli } from './questions';

describe('questions', () => {
  it('offers the examples of the documentation, as they stand there', () => {
    const text = readFileSync(join(import.meta.dirname, '../../../docs/user/fleet-queries.md'), 'utf8');
    const plain = text.replace(/\s+/g, '');
    for (const example of Object.values(examples)) expect(plain).toContain(JSON.stringify(example).replace(/\s+/g, ''));
  });

  it('knows what the patterns catch', () => {
    expect(caughtNames(examples.longDriving as unknown as Question)).toEqual(['driver', 'fleet', 'truck']);
    expect(caughtNames({ select: [{ name: 'a', tags: '**/x' }] })).toEqual([]);
  });

  it('says what is wrong with a text', () => {
    expect(parseQuestion('{').problem).not.toBeNull();
    expect(parseQuestion('[1]').problem).toBe('{ … }');
    expect(parseQuestion('{"select": []}').problem).toContain('select');
    expect(parseQuestion('{"select": [{"name": "a", "tags": "**"}]}').question?.select[0]?.name).toBe('a');
  });

  it('leaves out what is empty', () => {
    const question: Question = { select: [{ name: 'a', tags: 'b' }], where: 'a > 1' };
    expect(changed(question, { where: '', order_by: [], bucket: '1h' })).toEqual({
      select: question.select,
      bucket: '1h',
    });
  });

  it('sorts numbers as numbers, and nothing last', () => {
    expect([10, null, 9, 'truck_10', 'truck_9'].filter((it) => typeof it !== 'string').sort(compareCells)).toEqual([
      9,
      10,
      null,
    ]);
    expect(['truck_10', null, 'truck_9'].sort(compareCells)).toEqual(['truck_9', 'truck_10', null]);
  });

  it('survives a shell', () => {
    expect(questionAsCli({ select: [{ name: 'a', tags: "it's" }] })).toContain(`it'\\''s`);
  });
});
