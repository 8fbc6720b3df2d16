/** A right that an operation needs, and on what. Key ranges are [start, end) by UTF-8 bytes; an `end` of undefined reaches to the last key. */
export type Access =
  | { readonly right: 'READ' | 'WRITE'; readonly keys: KeySpan }
  | { readonly right: 'READ' | 'DEBIT' | 'CREDIT' | 'OPEN'; readonly account: string }
  | { readonly right: 'READ'; readonly accounts: 'all' }
  | { readonly right: 'ADMIN' }

/** One key, a prefix, or a range. */
type KeySpan =
  | { readonly key: string }
  | { readonly prefix: string }
  | { readonly start: string; readonly end: string | undefined }
