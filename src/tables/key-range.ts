import { compareUtf8 } from './utf8.js'

/** Keys that stand together. */
export interface KeyRange {
  readonly isBeforeStart: (key: string) => boolean
  /** It is in the range, or before it. */
  readonly isBeforeEnd: (key: string) => boolean
}

/** `prefix`: not together with start or end. `end`: exclusive; empty: to the end. */
export function rangeOf({ prefix = '', start = '', end = '' }: { prefix?: string; start?: string; end?: string }): KeyRange {
  // Keys with a prefix stand together: no byte string sorts between two that start with it without starting with it, too.
  if (prefix !== '') {
    const isBeforeStart = (key: string): boolean => compareUtf8(key, prefix) < 0
    return { isBeforeStart, isBeforeEnd: (key) => key.startsWith(prefix) || isBeforeStart(key) }
  }
  return {
    isBeforeStart: (key) => compareUtf8(key, start) < 0,
    isBeforeEnd: (key) => end === '' || compareUtf8(key, end) < 0,
  }
}
