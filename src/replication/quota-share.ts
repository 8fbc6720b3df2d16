const SHARE = 1 / 8
const SHARE_BYTES_MIN = 1 << 20

/** The share of the quota that sessions and first answers may take each: they are not refused for it, the oldest give way. */
export function shareOf(quotaBytes: number): number {
  return quotaBytes === 0 ? Number.POSITIVE_INFINITY : Math.max(SHARE_BYTES_MIN, Math.floor(quotaBytes * SHARE))
}
