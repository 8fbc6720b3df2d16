/** The longest time that timers keep, in ms: 24.8 days. */
const DURATION_MS_MAX = 2 ** 31 - 1

/** @throws RangeError naming the field unless it is a whole number from min to max */
export function checkWhole(field: string, value: unknown, min: number, max: number = Number.MAX_SAFE_INTEGER): void {
  if (Number.isSafeInteger(value) && Number(value) >= min && Number(value) <= max) return
  throw new RangeError(`${field}: must be a whole number from ${min} to ${max}, not ${told(value)}`)
}

/** For a time to wait, in ms, fractions allowed. @throws RangeError naming the field */
export function checkDuration(field: string, value: unknown): void {
  if (typeof value === 'number' && value > 0 && value <= DURATION_MS_MAX) return
  throw new RangeError(`${field}: must be a number of ms above 0 and at most ${DURATION_MS_MAX}, not ${told(value)}`)
}

/** @throws RangeError naming the field unless it is a finite number above 0 */
export function checkPositive(field: string, value: unknown): void {
  if (Number.isFinite(value) && Number(value) > 0) return
  throw new RangeError(`${field}: must be a number above 0, not ${told(value)}`)
}

/** A string as such: "5" is not 5. */
function told(value: unknown): string {
  return typeof value === 'string' ? JSON.stringify(value) : String(value)
}
