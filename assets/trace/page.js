/** @import { TraceData } from '../../src/sim/trace-data.js' */
import { drawDiagram } from './diagram.js'
import { FilterForm } from './filter-form.js'
import { Filters, search } from './filters.js'
import { listenToGestures, listenToMinimap } from './gestures.js'
import { layOut, stepUnder } from './layout.js'
import { drawMinimap } from './minimap.js'
import { Trace } from './model.js'
import { colourOfNode, readPalette } from './palette.js'
import { byId, formatTime, make, renderAround, renderDetails, renderStates } from './panel.js'
import { View } from './view.js'

/** Around a step that one jumps to, when more than this is in view. */
const CLOSE_US = 40_000
const ZOOM_STEP = 1.6
const PAN_PART = 0.15
const TWEEN_MS = 220
/** So many facts about the run stand in the heading; the others are told when asked for. */
const FACTS_MAX = 6

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
    this.#showRun()
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

  // --- what stands still ------------------------------------------------------------------------------------------------------------

  #showRun() {
    const { data } = this.trace
    byId('title').textContent = data.title
    byId('facts').textContent = data.facts
      .slice(0, FACTS_MAX)
      .map(([name, value]) => `${name} ${value}`)
      .join(' · ')
    byId('replay').textContent = data.replay
    const verdict = byId('verdict')
    if (data.failure === null) verdict.append(make('b', '✓ Held'), make('span', 'Every promise held in this run.'))
    else {
      verdict.classList.add('is-broken')
      verdict.append(make('b', '✗ Broken'), make('span', data.failure))
      const button = make('button', `Go to step ${data.failureStep}`, { type: 'button', id: 'go-to-failure' })
      button.addEventListener('click', () => this.#goToFailure())
      verdict.append(button)
    }
    byId('about-schedule').append(...data.schedule.map((line) => make('li', line)))
    for (const [id, facts] of /** @type {const} */ ([
      ['about-facts', data.facts],
      ['about-faults', data.faultTotals],
      ['about-plan', data.plan],
    ])) {
      for (const [name, value] of facts) {
        const row = make('tr')
        row.append(make('th', name, { scope: 'row' }), make('td', String(value)))
        byId(id).append(row)
      }
    }
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
      fit: () => this.#glideTo(-Infinity, Infinity),
      'zoom-step': () => this.#zoomToStep(),
      first: () => this.#goTo(this.filters.neighbour(0, 1)),
      last: () => this.#goTo(this.filters.neighbour(this.trace.count + 1, -1)),
      previous: () => this.#goTo(this.filters.neighbour(this.step, -1)),
      next: () => this.#goTo(this.filters.neighbour(this.step, 1)),
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
    addEventListener('keydown', (event) => this.#onKey(event))
  }

  /** @param {Record<string, () => unknown>} handlers by the id of a button */
  #onClicks(handlers) {
    for (const [id, run] of Object.entries(handlers)) byId(id).addEventListener('click', run)
  }

  /** @param {KeyboardEvent} event */
  #onKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector('dialog[open]') !== null) return
    const target = /** @type {HTMLElement} */ (event.target)
    if (event.key === 'Escape') return this.#escape()
    if (target.matches('select, input:not([type=range], [type=checkbox])')) return
    const isSlider = target === this.slider
    if (!this.#onPlainKey(event.key, isSlider)) return
    event.preventDefault()
  }

  /** Whether the key meant anything. @param {string} key @param {boolean} isSlider whose own keys are the arrows */
  #onPlainKey(key, isSlider) {
    const { view, filters, trace } = this
    const lane = trace.lane[this.step]
    switch (key) {
      case 'n':
        return this.#goTo(filters.neighbour(this.step, 1))
      case 'p':
        return this.#goTo(filters.neighbour(this.step, -1))
      case ']':
        return this.#goTo(filters.neighbour(this.step, 1, lane))
      case '[':
        return this.#goTo(filters.neighbour(this.step, -1, lane))
      case 'm':
        return this.#goTo(this.#otherEnd())
      case 'g':
        return this.#goToFailure()
      case 'Home':
        return this.#goTo(filters.neighbour(0, 1))
      case 'End':
        return this.#goTo(filters.neighbour(trace.count + 1, -1))
      case '+':
      case '=':
        return this.#zoomBy(ZOOM_STEP)
      case '-':
        return this.#zoomBy(1 / ZOOM_STEP)
      case '0':
        return this.#glideTo(-Infinity, Infinity)
      case 'z':
        return this.#zoomToStep()
      case '/':
        this.searchInput.focus()
        return true
      case 'f':
        return this.#toggleFilters()
      case 'ArrowLeft':
      case 'ArrowRight': {
        const direction = key === 'ArrowLeft' ? -1 : 1
        if (isSlider) return this.#goTo(filters.neighbour(this.step, direction))
        return this.#glideTo(view.fromUs + direction * PAN_PART * view.spanUs, view.toUs + direction * PAN_PART * view.spanUs)
      }
      default:
        return false
    }
  }

  #escape() {
    this.searchInput.value = ''
    this.#search()
    this.diagram.focus()
  }

  // --- going somewhere --------------------------------------------------------------------------------------------------------------

  /** @param {number} step */
  #goTo(step) {
    this.select(step)
    return true
  }

  /** The slider goes from shown event to shown event. @param {number} step */
  #slideTo(step) {
    if (this.filters.isShown[step] === 1) return this.#goTo(step)
    const after = this.filters.neighbour(step, 1)
    return this.#goTo(after === step ? this.filters.neighbour(step, -1) : after)
  }

  #goToFailure() {
    const { failureStep } = this.trace.data
    if (failureStep === 0) return false
    this.select(failureStep)
    return this.#zoomToStep()
  }

  #otherEnd() {
    const { trace, step } = this
    const message = trace.messageAt(step)
    if (message !== undefined) return (step === message.step ? message.endStep : message.step) || step
    const lane = trace.lanes[trace.lane[step]]
    const span = [...(lane?.writes ?? []), ...(lane?.requests ?? []), ...trace.faults].find(
      (one) => one.step === step || one.endStep === step,
    )
    return span === undefined ? step : (step === span.step ? span.endStep : span.step) || step
  }

  #zoomToStep() {
    const at = this.trace.atUs[this.step]
    const span = Math.min(CLOSE_US, this.view.spanUs)
    return this.#glideTo(at - span / 2, at + span / 2)
  }

  /** @param {number} factor */
  #zoomBy(factor) {
    const { view, trace, step } = this
    const at = trace.atUs[step]
    const middle = step !== 0 && view.isInView(at) ? at : (view.fromUs + view.toUs) / 2
    return this.#glideTo(middle - (middle - view.fromUs) / factor, middle + (view.toUs - middle) / factor)
  }

  /** At once for whoever wants no motion. @param {number} fromUs @param {number} toUs */
  #glideTo(fromUs, toUs) {
    const { view } = this
    const before = { fromUs: view.fromUs, toUs: view.toUs }
    if (fromUs === -Infinity) view.fit()
    else view.show(fromUs, toUs)
    const after = { fromUs: view.fromUs, toUs: view.toUs }
    if (!matchMedia('(prefers-reduced-motion: reduce)').matches) {
      const startMs = performance.now()
      /** @param {number} nowMs */
      const move = (nowMs) => {
        const part = Math.min(1, Math.max(0, (nowMs - startMs) / TWEEN_MS))
        const eased = 1 - (1 - part) ** 3
        view.show(before.fromUs + (after.fromUs - before.fromUs) * eased, before.toUs + (after.toUs - before.toUs) * eased)
        this.draw()
        if (part < 1) requestAnimationFrame(move)
      }
      move(startMs)
    } else this.draw()
    return true
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
    return next === undefined ? false : this.#goTo(next)
  }

  #toggleFilters() {
    const form = byId('filters')
    form.hidden = !form.hidden
    byId('toggle-filters').setAttribute('aria-expanded', String(!form.hidden))
    return true
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
    const { fromUs, toUs } = this.view
    history.replaceState(null, '', `#step=${this.step}&from=${Math.round(fromUs)}&to=${Math.round(toUs)}`)
  }

  /** Whether the address says where to go. */
  #goToHash() {
    const asked = new URLSearchParams(location.hash.slice(1))
    const step = Number(asked.get('step'))
    if (!Number.isSafeInteger(step) || step < 1 || step > this.trace.count) return false
    const fromUs = Number(asked.get('from') ?? Number.NaN)
    const toUs = Number(asked.get('to') ?? Number.NaN)
    if (fromUs < toUs) this.view.show(fromUs, toUs)
    this.select(step, { isCalm: fromUs < toUs })
    return true
  }
}

/** @param {HTMLCanvasElement} canvas @param {number} width @param {number} height in CSS px */
function setSize(canvas, width, height) {
  const ratio = devicePixelRatio || 1
  canvas.width = Math.round(width * ratio)
  canvas.height = Math.round(height * ratio)
  if (canvas.id === 'diagram') canvas.style.height = `${height}px`
}

/** For drawing in CSS px. @param {HTMLCanvasElement} canvas */
function contextOf(canvas) {
  const context = canvas.getContext('2d', { alpha: false })
  if (context === null) throw new Error('the browser has no canvas')
  const ratio = devicePixelRatio || 1
  context.setTransform(ratio, 0, 0, ratio, 0, 0)
  return context
}

new Page().start()
