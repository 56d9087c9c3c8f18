import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatFilter, mailFields } from '#mta/contract/filter.ts';
import { draftFilter, draftOf, takeChips } from './filter-chips.ts';

const take = (text: string, finish = false) => takeChips({ chips: [], text }, mailFields, finish);

describe('chips', () => {
  it('takes a term once a space follows it', () => {
    expect(take('from:ada')).toEqual({ chips: [], text: 'from:ada' });
    expect(take('from:ada ')).toEqual({ chips: [{ field: 'from', value: 'ada', not: false }], text: '' });
  });
  it('leaves bare words and unknown fields as text', () => {
    expect(take('re: hello from:ada -to:bob world')).toEqual({
      chips: [
        { field: 'from', value: 'ada', not: false },
        { field: 'to', value: 'bob', not: true },
      ],
      text: 're: hello world',
    });
  });
  it('waits for the end of a quotation', () => {
    expect(take('subject:"your order ').chips).toEqual([]);
    expect(take('subject:"your order" ').chips).toEqual([{ field: 'subject', value: 'your order', not: false }]);
  });
  it('takes the last term when finished', () => {
    expect(take('from:ada', true).chips).toHaveLength(1);
  });
  it('knows nothing of a field without a value', () => {
    expect(take('from: ', true)).toEqual({ chips: [], text: 'from: ' });
  });
});

it('means the same before and after terms became chips', () => {
  fc.assert(
    fc.property(fc.stringMatching(/^[a-z:" -]{0,40}$/), (text) => {
      const before = draftFilter({ chips: [], text }, mailFields);
      const after = draftFilter(take(text), mailFields);
      const sorted = (filter: typeof before): string[] => filter.map((term) => formatFilter([term])).sort();
      if (!text.includes('"')) expect(sorted(after)).toEqual(sorted(before));
    }),
  );
});

it('shows a filter as chips and words', () => {
  const filter = draftFilter({ chips: [], text: 'from:ada invoice' }, mailFields);
  expect(draftOf(filter)).toEqual({ chips: [{ field: 'from', value: 'ada', not: false }], text: 'invoice' });
});
