import { Refusal } from './refusal.js'

/** Number of items of a page whose size is not given. */
export const PAGE_SIZE_DEFAULT = 100

/**
 * Page tokens: eight hexadecimal digits that tell which query the page belongs to, then where it ended. Opaque to clients; a token of
 * another query is noticed.
 */
export function makePageToken(query: string, endedAt: string): string {
  return fnv1a(query).toString(16).padStart(8, '0') + endedAt
}

/** Where the page ended; undefined when the token is not of this query. */
export function readPageToken(query: string, token: string): string | undefined {
  return token === makePageToken(query, token.slice(8)) ? token.slice(8) : undefined
}

/** The refusal of a token of another query. */
export function wrongPageToken(): Refusal {
  return Refusal.ofFields(['page_token'])
}

/** FNV-1a, 32 bits, over UTF-16 units. */
function fnv1a(text: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  return hash >>> 0
}
