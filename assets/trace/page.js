/** @import { TraceData } from '../../src/sim/trace/trace-data.js' */
import { readAddress, writeAddress } from './address.js'
import { contextOf, setSize } from './canvas.js'
import { drawDiagram } from './diagram.js'
import { FilterForm } from './filter-form.js'
import { Filters, search } from './filters.js'
import { listenToGestures, listenToMinimap } from './gestures.js'
import { showRun } from './heading.js'
import { listenToKeys } from './keys.js'
import { layOut, stepUnder } from './layout.js'
import { drawMinimap } from './minimap.js'
import { Trace } from './model.js'
import { glide } from './motion.js'
import { colourOfNode, readPalette } from './palette.js'
import { byId, formatTime, renderAround, renderDetails, renderStates } from './panel.js'
import { View } from './view.js'

/** Around a step that one jumps to, when more than this is in view. */
const CLOSE_US = 40_000
const ZOOM_STEP = 1.6
const PAN_PART = 0.15

/** The whole page: what is selected, shown and in view. */
class Page {
  trace = new Trace(/** @type {TraceData} */ (JSON.parse(byId('trace').textContent ?? '')))
  filters = new Filters(this.trace)
  view = new View(this.trace.endUs)
  palette = readPalette()
  layout = layOut(this.trace, 0)
  /** The selected step; 0 for none. */
  step = 0
  /** The step under the pointer; 0 for none. */
  hovered = 0
  /** What the search found, ascending. @type {number[]} */
  found = []
  foundSet = new Set(this.found)
  form = new FilterForm(this.filters, () => this.#onFilters())
  diagram = /** @type {HTMLCanvasElement} */ (byId('diagram'))
  minimap = /** @type {HTMLCanvasElement} */ (byId('minimap'))
  slider = /** @type {HTMLInputElement} */ (byId('slider'))
  stepInput = /** @type {HTMLInputElement} */ (byId('step'))
  searchInput = /** @type {HTMLInputElement} */ (byId('search'))
  #isDrawDue = false
  #hashTimer = 0

  start() {
    showRun(this.trace.data, () => this.#goToFailure())
    this.#listen()
    this.#resize()
    this.slider.max = this.stepInput.max = String(Math.max(1, this.trace.count))
    byId('step-count').textContent = this.trace.count.toLocaleString('en')
    if (!this.#goToHash()) this.select(this.trace.data.failureStep || Math.min(1, this.trace.count), { isCalm: true })
    document.documentElement.dataset['ready'] = 'true'
  }

  /** @param {number} step @param {{ isCalm?: boolean }} [how] `isCalm`: without moving the view, or telling a screen reader */
  select(step, { isCalm = false } = {}) {
    this.step = Math.min(Math.max(step, 0), this.trace.count)
    this.slider.value = this.stepInput.value = String(this.step)
    const words = this.step === 0 ? '' : this.trace.wordsOf(this.step)
    this.slider.setAttribute('aria-valuetext', `step ${this.step}, ${formatTime(this.trace.atUs[this.step])}: ${words}`)
    /** @param {number} to */
    const select = (to) => this.select(to)
    renderDetails(this.trace, this.step, {
      select,
      filterBallot: (ballot) =>
        this.#filterBy(() => {
          this.filters.ballot = ballot
        }),
      filterSlot: (slot) =>
        this.#filterBy(() => {
          this.filters.slots = { first: slot, last: slot }
        }),
    })
    renderStates(this.trace, this.step, (lane) => colourOfNode(this.palette, lane))
    renderAround(this.filters, this.step, select)
    this.#showFound()
    if (!isCalm) {
      byId('said').textContent = `${formatTime(this.trace.atUs[this.step])}: ${words}`
      this.view.reveal(this.trace.atUs[this.step])
    }
    this.draw()
  }

  /** Soon: several changes share a frame. */
  draw() {
    this.#rememberInHash()
    if (this.#isDrawDue) return
    this.#isDrawDue = true
    requestAnimationFrame(() => {
      this.#isDrawDue = false
      const { trace, filters, view, layout, palette, step, hovered, foundSet: found } = this
      drawDiagram(contextOf(this.diagram), { trace, filters, view, layout, palette, step, hovered, found })
      const { clientWidth: width, clientHeight: height } = this.minimap
      drawMinimap(contextOf(this.minimap), { trace, filters, view, palette, found, step, width, height })
    })
  }

  // --- input ------------------------------------------------------------------------------------------------------------------------

  #listen() {
    const { view } = this
    new ResizeObserver(() => this.#resize()).observe(byId('stage'))
    for (const query of ['(prefers-color-scheme: dark)', '(forced-colors: active)']) {
      matchMedia(query).addEventListener('change', () => {
        this.palette = readPalette()
        this.select(this.step, { isCalm: true })
      })
    }
    listenToGestures(this.diagram, view, {
      onView: () => this.draw(),
      onClick: (point) => this.select(stepUnder(point, this.#scene()) || this.step),
      onHover: (point) => this.#showTip(point),
    })
    listenToMinimap(this.minimap, (x) => {
      const at = view.usOfRun((x - view.left) / Math.max(1, this.minimap.clientWidth - view.left))
      view.show(at - view.spanUs / 2, at + view.spanUs / 2)
      this.draw()
    })
    this.#onClicks({
      'zoom-in': () => this.#zoomBy(ZOOM_STEP),
      'zoom-out': () => this.#zoomBy(1 / ZOOM_STEP),
      fit: () => this.#glideTo(...this.view.wholeUs),
      'zoom-step': () => this.#zoomToStep(),
      first: () => this.select(this.filters.neighbour(0, 1)),
      last: () => this.select(this.filters.neighbour(this.trace.count + 1, -1)),
      previous: () => this.select(this.filters.neighbour(this.step, -1)),
      next: () => this.select(this.filters.neighbour(this.step, 1)),
      'found-next': () => this.#goToFound(1),
      'found-previous': () => this.#goToFound(-1),
      'toggle-filters': () => this.#toggleFilters(),
      'clear-filters': () => this.#filterBy(() => this.filters.clear()),
      'copy-replay': () => this.#copy(this.trace.data.replay, 'The command is copied.'),
      'copy-link': () => {
        this.#writeHash()
        void this.#copy(location.href, 'The address of this step is copied.')
      },
      'show-about': () => /** @type {HTMLDialogElement} */ (byId('about')).showModal(),
      'show-help': () => /** @type {HTMLDialogElement} */ (byId('help')).showModal(),
    })
    this.slider.addEventListener('input', () => this.#slideTo(Number(this.slider.value)))
    this.stepInput.addEventListener('change', () => this.select(Math.trunc(Number(this.stepInput.value)) || this.step))
    this.searchInput.addEventListener('input', () => this.#search())
    this.searchInput.addEventListener('keydown', (event) => {
      if (event.key === 'Enter') this.#goToFound(event.shiftKey ? -1 : 1)
    })
    addEventListener('hashchange', () => this.#goToHash())
    this.#listenToKeys()
  }

  /** @param {Record<string, () => unknown>} handlers by the id of a button */
  #onClicks(handlers) {
    for (const [id, run] of Object.entries(handlers)) byId(id).addEventListener('click', run)
  }

  #listenToKeys() {
    const { view, filters, trace } = this
    const next = () => this.select(filters.neighbour(this.step, 1))
    const previous = () => this.select(filters.neighbour(this.step, -1))
    const zoomIn = () => this.#zoomBy(ZOOM_STEP)
    /** @param {number} part of what is in view */
    const pan = (part) => this.#glideTo(view.fromUs + part * view.spanUs, view.toUs + part * view.spanUs)
    listenToKeys(this.slider, {
      n: next,
      p: previous,
      ']': () => this.select(filters.neighbour(this.step, 1, trace.lane[this.step])),
      '[': () => this.select(filters.neighbour(this.step, -1, trace.lane[this.step])),
      m: () => this.select(this.#otherEnd()),
      g: () => this.#goToFailure(),
      Home: () => this.select(filters.neighbour(0, 1)),
      End: () => this.select(filters.neighbour(trace.count + 1, -1)),
      '+': zoomIn,
      '=': zoomIn,
      '-': () => this.#zoomBy(1 / ZOOM_STEP),
      0: () => this.#glideTo(...view.wholeUs),
      z: () => this.#zoomToStep(),
      '/': () => this.searchInput.focus(),
      f: () => this.#toggleFilters(),
      ArrowLeft: () => pan(-PAN_PART),
      ArrowRight: () => pan(PAN_PART),
      'slider ArrowLeft': previous,
      'slider ArrowRight': next,
      Escape: () => this.#escape(),
    })
  }

  #escape() {
    this.searchInput.value = ''
    this.#search()
    this.diagram.focus()
  }

  // --- going somewhere --------------------------------------------------------------------------------------------------------------

  /** The slider goes from shown event to shown event. @param {number} step */
  #slideTo(step) {
    const after = this.filters.isShown[step] === 1 ? step : this.filters.neighbour(step, 1)
    this.select(after === step && this.filters.isShown[step] !== 1 ? this.filters.neighbour(step, -1) : after)
  }

  #goToFailure() {
    const { failureStep } = this.trace.data
    if (failureStep === 0) return
    this.select(failureStep)
    this.#zoomToStep()
  }

  #otherEnd() {
    const { trace, step } = this
    const message = trace.messageAt(step)
    if (message !== undefined) return (step === message.step ? message.endStep : message.step) || step
    const span = trace.spanAt(step)
    return span === undefined ? step : (step === span.step ? span.endStep : span.step) || step
  }

  #zoomToStep() {
    const at = this.trace.atUs[this.step]
    const span = Math.min(CLOSE_US, this.view.spanUs)
    this.#glideTo(at - span / 2, at + span / 2)
  }

  /** @param {number} factor */
  #zoomBy(factor) {
    const { view, trace, step } = this
    const at = trace.atUs[step]
    const middle = step !== 0 && view.isInView(at) ? at : (view.fromUs + view.toUs) / 2
    this.#glideTo(middle - (middle - view.fromUs) / factor, middle + (view.toUs - middle) / factor)
  }

  /** @param {number} fromUs @param {number} toUs */
  #glideTo(fromUs, toUs) {
    glide(this.view, { fromUs, toUs }, () => this.draw())
  }

  // --- search and filters -----------------------------------------------------------------------------------------------------------

  #search() {
    this.found = search(this.filters, this.searchInput.value)
    this.foundSet = new Set(this.found)
    this.#showFound()
    this.draw()
  }

  #showFound() {
    const at = this.found.indexOf(this.step)
    const isSearching = this.searchInput.value.trim() !== ''
    byId('found').textContent = !isSearching ? '' : at < 0 ? `${this.found.length} found` : `${at + 1} of ${this.found.length}`
  }

  /** @param {1 | -1} direction */
  #goToFound(direction) {
    const { found, step } = this
    const next =
      direction === 1 ? (found.find((at) => at > step) ?? found[0]) : (found.findLast((at) => at < step) ?? found.at(-1))
    if (next !== undefined) this.select(next)
  }

  #toggleFilters() {
    const form = byId('filters')
    form.hidden = !form.hidden
    byId('toggle-filters').setAttribute('aria-expanded', String(!form.hidden))
  }

  /** @param {() => void} change */
  #filterBy(change) {
    change()
    this.filters.recount()
    this.form.refresh()
    this.#onFilters()
  }

  #onFilters() {
    this.#search()
    this.select(this.step, { isCalm: true })
  }

  // --- the window -------------------------------------------------------------------------------------------------------------------

  #resize() {
    const stage = byId('stage')
    const { clientWidth: width, clientHeight: height } = stage
    this.layout = layOut(this.trace, height)
    const left = width < 560 ? 58 : 72
    this.view.resize({ left, width: width - left })
    setSize(this.diagram, width, this.layout.height)
    this.diagram.style.height = `${this.layout.height}px`
    setSize(this.minimap, this.minimap.clientWidth, this.minimap.clientHeight)
    this.draw()
  }

  #scene() {
    return { trace: this.trace, view: this.view, layout: this.layout, isShown: this.filters.isShown }
  }

  /** @param {{ x: number, y: number } | undefined} point */
  #showTip(point) {
    const tip = byId('tip')
    const step = point === undefined ? 0 : stepUnder(point, this.#scene())
    if (step !== this.hovered) {
      this.hovered = step
      this.draw()
    }
    tip.hidden = step === 0
    this.diagram.style.cursor = step === 0 ? '' : 'pointer'
    if (point === undefined || step === 0) return
    tip.textContent = `${formatTime(this.trace.atUs[step])}  ${this.trace.wordsOf(step)}`
    const { clientWidth } = this.diagram
    tip.style.left = `${Math.max(4, Math.min(point.x + 14, clientWidth - tip.offsetWidth - 6))}px`
    tip.style.top = `${point.y + 18}px`
  }

  /** @param {string} text @param {string} done */
  async #copy(text, done) {
    try {
      await navigator.clipboard.writeText(text)
      byId('said').textContent = done
    } catch {
      prompt('Copy this:', text)
    }
  }

  // --- the address ------------------------------------------------------------------------------------------------------------------

  /** A moment later: browsers mind when it changes too often. */
  #rememberInHash() {
    clearTimeout(this.#hashTimer)
    this.#hashTimer = setTimeout(() => this.#writeHash(), 250)
  }

  #writeHash() {
    writeAddress(this.step, this.view)
  }

  /** Whether the address says where to go. */
  #goToHash() {
    const { step, range } = readAddress()
    if (step < 1 || step > this.trace.count) return false
    if (range !== undefined) this.view.show(range.fromUs, range.toUs)
    this.select(step, { isCalm: range !== undefined })
    return true
  }
}

new Page().start()
