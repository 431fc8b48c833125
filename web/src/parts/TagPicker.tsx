// Finds tags by any words of their path and gives them one by one.

import { Checkbox, TextInput } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { tags as tagsApi } from '../api/endpoints';
import type { Tag } from '../api/types';
import { formatUnit } from '../model/format';
import { t } from '../model/text';
import { matches } from '../model/tree';
import { TagPath } from './TagPath';

const askedMax = 500;
const shownMax = 60;

/** The server looks for one word; the others are looked for here. */
function longestWord(text: string): string {
  return text.split(/\s+/).reduce((longest, word) => (word.length > longest.length ? word : longest), '');
}

export function useTagSearch(text: string): Tag[] {
  const [search] = useDebouncedValue(text.trim(), 150);
  const found = useQuery({
    queryKey: ['tag-search', longestWord(search)],
    queryFn: () => tagsApi.find(longestWord(search), askedMax),
    placeholderData: (before) => before,
  });
  return (found.data ?? []).filter((tag) => matches(tag.path, search)).slice(0, shownMax);
}

interface Props {
  chosen: string[];
  onChange: (chosen: string[]) => void;
  /** Only one may be chosen. */
  single?: boolean;
  onPick?: (tag: Tag) => void;
}

export function TagPicker({ chosen, onChange, single = false, onPick }: Props) {
  const [text, setText] = useState('');
  const found = useTagSearch(text);
  const toggle = (tag: Tag): void => {
    onPick?.(tag);
    if (single) onChange([tag.path]);
    else onChange(chosen.includes(tag.path) ? chosen.filter((path) => path !== tag.path) : [...chosen, tag.path]);
  };
  return (
    <div className="ls-stack" style={{ gap: 6 }}>
      <TextInput
        data-autofocus
        aria-label={t('trend.tagSearch')}
        placeholder={t('trend.tagSearch')}
        value={text}
        onChange={(event) => setText(event.currentTarget.value)}
        onKeyDown={(event) => {
          const first = found[0];
          if (event.key !== 'Enter' || first === undefined) return;
          event.preventDefault();
          toggle(first);
        }}
        data-testid="tag-search"
      />
      <div style={{ maxHeight: 320, overflow: 'auto' }}>
        {found.map((tag) => (
          <label
            key={tag.id}
            htmlFor={`tag-${tag.id}`}
            className="ls-palette-row"
            data-testid={`tag-option-${tag.path}`}
          >
            <Checkbox id={`tag-${tag.id}`} size="xs" checked={chosen.includes(tag.path)} onChange={() => toggle(tag)} />
            <span className="ls-grow">
              <TagPath path={tag.path} />
            </span>
            <span className="ls-dim ls-small">{formatUnit(tag.unit)}</span>
          </label>
        ))}
      </div>
    </div>
  );
}
