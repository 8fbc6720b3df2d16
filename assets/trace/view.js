/** Nobody needs to see less than this at once. */
const SPAN_US_MIN = 40
/** Of the run's length, before its beginning and after its end. */
const MARGIN = 0.01

/** Which part of the time is shown, on how many pixels. */
export class View {
  /** @param {number} endUs when the run ends */
  constructor(endUs) {
    this.endUs = Math.max(endUs, SPAN_US_MIN)
    this.left = 0
    this.width = 1
    this.fromUs = 0
    this.toUs = this.endUs
    this.fit()
  }

  get spanUs() {
    return this.toUs - this.fromUs
  }

  get pxPerUs() {
    return this.width / this.spanUs
  }

  /** @param {number} us */
  xOf(us) {
    return this.left + (us - this.fromUs) * this.pxPerUs
  }

  /** @param {number} x */
  usAt(x) {
    return this.fromUs + (x - this.left) / this.pxPerUs
  }

  /** @param {number} us */
  isInView(us) {
    return us >= this.fromUs && us <= this.toUs
  }

  /** @param {{ left: number, width: number }} place in px */
  resize({ left, width }) {
    this.left = left
    this.width = Math.max(1, width)
  }

  /** From before the beginning of the run until after its end. @returns {[fromUs: number, toUs: number]} */
  get wholeUs() {
    return [-MARGIN * this.endUs, (1 + MARGIN) * this.endUs]
  }

  /** The whole run. */
  fit() {
    this.show(...this.wholeUs)
  }

  /** From one time to another, as far as the run goes. @param {number} fromUs @param {number} toUs */
  show(fromUs, toUs) {
    const [min, max] = this.wholeUs
    const span = Math.min(Math.max(toUs - fromUs, SPAN_US_MIN), max - min)
    const middle = (fromUs + toUs) / 2
    this.fromUs = Math.min(Math.max(middle - span / 2, min), max - span)
    this.toUs = this.fromUs + span
  }

  /** So many times as near, with `atUs` staying where it is. @param {number} factor @param {number} [atUs] */
  zoom(factor, atUs = (this.fromUs + this.toUs) / 2) {
    const min = Math.max(this.spanUs / factor, SPAN_US_MIN) / this.spanUs
    this.show(atUs - (atUs - this.fromUs) * min, atUs + (this.toUs - atUs) * min)
  }

  /** @param {number} us */
  panBy(us) {
    this.show(this.fromUs + us, this.toUs + us)
  }

  /** Where a time is in the whole run with its margins, from 0 to 1. @param {number} us */
  partOfRun(us) {
    return (us / this.endUs + MARGIN) / (1 + 2 * MARGIN)
  }

  /** @param {number} part from 0 to 1 */
  usOfRun(part) {
    return (part * (1 + 2 * MARGIN) - MARGIN) * this.endUs
  }

  /** Moves as little as needed to have that time in view, not too near to the edge. @param {number} us */
  reveal(us) {
    const margin = this.spanUs * 0.1
    if (us < this.fromUs + margin) this.panBy(us - this.fromUs - this.spanUs * 0.3)
    else if (us > this.toUs - margin) this.panBy(us - this.toUs + this.spanUs * 0.3)
  }
}

/** Round times for an axis, at least `pxMin` apart. @param {View} view @param {number} pxMin */
export function ticksOf(view, pxMin) {
  const least = pxMin / view.pxPerUs
  let stepUs = 1
  while (stepUs < least) stepUs *= stepUs * 2 >= least ? 2 : stepUs * 5 >= least ? 5 : 10
  const ticks = []
  for (let us = Math.max(0, Math.ceil(view.fromUs / stepUs) * stepUs); us <= view.toUs; us += stepUs) ticks.push(us)
  return { ticks, stepUs }
}

/** With as many digits as the distance of the ticks asks for. @param {number} us @param {number} [stepUs] */
export function formatUs(us, stepUs = 1) {
  const digits =
    stepUs >= 1_000_000
      ? 0
      : stepUs >= 100_000
        ? 1
        : stepUs >= 10_000
          ? 2
          : stepUs >= 1_000
            ? 3
            : stepUs >= 100
              ? 4
              : stepUs >= 10
                ? 5
                : 6
  return `${(us / 1_000_000).toFixed(digits)} s`
}

/** A length of time in the unit that suits it. @param {number} us */
export function formatDuration(us) {
  if (us < 1_000) return `${Math.round(us)} µs`
  if (us < 1_000_000) return `${(us / 1_000).toFixed(us < 10_000 ? 2 : 1)} ms`
  return `${(us / 1_000_000).toFixed(2)} s`
}
