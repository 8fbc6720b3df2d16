/** Remembers in the page's address what is selected and in view. @param {number} step @param {{ fromUs: number, toUs: number }} view */
export function writeAddress(step, { fromUs, toUs }) {
  history.replaceState(null, '', `#step=${step}&from=${Math.round(fromUs)}&to=${Math.round(toUs)}`)
}

/** What the page's address asks for: a step, 0 for none, and perhaps what is to be in view. */
export function readAddress() {
  const asked = new URLSearchParams(location.hash.slice(1))
  const step = Number(asked.get('step'))
  const fromUs = Number(asked.get('from') ?? Number.NaN)
  const toUs = Number(asked.get('to') ?? Number.NaN)
  return { step: Number.isSafeInteger(step) ? step : 0, range: fromUs < toUs ? { fromUs, toUs } : undefined }
}
